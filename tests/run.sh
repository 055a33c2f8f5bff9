#!/bin/sh
# Builds and runs every suite: plain with warnings as errors, then ASan+UBSan, then TSan (without -Werror: gcc warns
# falsely there). The last line is "N passed, N failed, N skipped" over all of them. VSM_TEST_BUILDS="plain" limits
# the builds. The sanitizers see nothing of the CUDA kernels, so their builds leave them out.
set -u
cd "$(dirname "$0")/.." || exit 1
export LSAN_OPTIONS="suppressions=$PWD/tests/leaks.supp:print_suppressions=0"
builds=${VSM_TEST_BUILDS:-plain asan tsan}
log=$(mktemp)
taps=$(mktemp)
trap 'rm -f "$log" "$taps"' EXIT
status=0

run() { # NAME, suites, meson options ...
    name=$1 suites=$2
    shift 2
    folder=build-test-$name
    if ! { [ -f "$folder/build.ninja" ] || meson setup "$folder" -Dfault_points=true "$@"; } \
        >"$log" 2>&1 || ! ninja -C "$folder" >"$log" 2>&1; then
        tail -60 "$log"
        echo "not ok 1 - the $name build" >>"$taps"
        status=1
        return
    fi
    # shellcheck disable=SC2086
    if ! meson test -C "$folder" --no-rebuild --print-errorlogs $suites; then
        status=1
        # A crash, a leak or a time-out leaves no failed test in the log.
        grep -q '^not ok [0-9]' "$folder/meson-logs/testlog.txt" ||
            echo "not ok 1 - a program of the $name build ended badly" >>"$taps"
    fi
    cat "$folder/meson-logs/testlog.txt" >>"$taps"
}

echo "== source"
tools/check_source.sh | tee -a "$taps"
for build in $builds; do
    echo "== $build"
    case $build in
    plain) run plain '' -Dwerror=true ;;
    asan) run asan '--suite unit --suite scenario --suite fuzz' -Dcuda=disabled -Db_sanitize=address,undefined -Db_lundef=false ;;
    tsan) run tsan '--suite scenario' -Dcuda=disabled -Db_sanitize=thread -Db_lundef=false ;;
    esac
done
tests/count.awk "$taps" || status=1
exit $status
