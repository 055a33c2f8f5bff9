#!/bin/sh
# Rules that the compiler does not check: include tiers, where foreign libraries may appear, and formatting.
# Prints TAP.
set -eu
cd "$(dirname "$0")/.."
failed=0 n=0

tap() { # name, offending lines
    n=$((n + 1))
    if [ -n "$2" ]; then
        failed=1
        echo "$2" | sed 's/^/# /'
        echo "not ok $n - $1"
    else
        echo "ok $n - $1"
    fi
}

tier() {
    case $1 in
    base) echo 0 ;;
    frame | pixel) echo 1 ;;
    config | checkpoint | cuda | geometry) echo 2 ;;
    media | image | nn | people) echo 3 ;;
    models | stereo | pipeline) echo 4 ;;
    stages) echo 5 ;;
    app) echo 6 ;;
    esac
}

bad=
for file in $(find src -name '*.[ch]' -o -name '*.cu'); do
    from=$(echo "$file" | cut -d/ -f2)
    for to in $(sed -n 's|^#include "\([a-z]*\)/.*|\1|p' "$file" | sort -u); do
        [ "$from" = "$to" ] && continue
        if [ "$(tier "$to")" -ge "$(tier "$from")" ]; then
            bad="$bad$file includes $to/ of the same or a higher tier
"
        fi
    done
done
tap "folders include only lower tiers" "$bad"

tap "FFmpeg only in media" "$(grep -lE '#include <lib(av|sw)' -r src | grep -v '^src/media/' || true)"
tap "ONNX Runtime only in nn/ort_*.c" "$(grep -l 'onnxruntime_' -r src | grep -v '^src/nn/ort_' || true)"
tap "libyaml only in config/yaml.c" "$(grep -l '#include <yaml.h>' -r src | grep -v '^src/config/yaml.c' || true)"
tap "no file above 900 lines" "$(find src tools tests bench -name '*.[ch]' | xargs wc -l | awk '$2 != "total" && $1 > 900 {print $2, $1}')"
tap "no line of C above 110 columns" "$(find src tools tests bench -name '*.[ch]' -exec awk 'length($0) > 110 {print FILENAME ":" FNR}' {} +)"
tap "main is at most 100 lines" "$(wc -l <src/app/main.c | awk '$1 > 100 {print "src/app/main.c", $1}')"

# foo.c and foo_part.c export only vsm_foo*; status.c owns the short names that everybody uses. nn/ort_*.c implement
# nn/session.h's two functions on the back end.
bad=
for file in $(find src -name "*.c" ! -path src/cuda/stubs.c); do
    stem=$(basename "$file" .c)
    family=${stem%%_*}
    family=${family%s}
    names=$(grep -oE '^[a-z][a-zA-Z0-9_ *]*[ *](vsm_[a-z0-9_]+)\(' "$file" | grep -v '^static' | grep -oE 'vsm_[a-z0-9_]+[(]' | tr -d '(' || true)
    for name in $names; do
        case $name in
        vsm_${family}* | vsm_fail | vsm_fail_nomem | vsm_error_*) ;;
        vsm_session_backend_version | vsm_session_providers) [ "$stem" = ort_api ] || bad="$bad$file exports $name
" ;;
        *) bad="$bad$file exports $name
" ;;
        esac
    done
done
tap "foo.c exports only vsm_foo*" "$bad"

if command -v clang-format >/dev/null 2>&1; then
    tap "clang-format" "$(git ls-files '*.c' '*.h' 2>/dev/null | xargs -r clang-format --dry-run 2>&1 | grep -oE '^[^:]+:[0-9]+' | head -20 || true)"
fi
exit $failed
