# Head of the scripts that run the whole program: source it with the path of the program as first argument. Sets
# $program, $data (the folder of the shared test data: see tests/shared_data.h) and the functions of tests/tap.sh, and goes to
# an empty folder that is removed at the end.
set -u
. "$(dirname "$0")/../tap.sh"
program=$(realpath "$1")
data=
for shared in "${VSM_SHARED:-$(dirname "$0")/../../../shared}" "${VSM_SHARED:-$(dirname "$0")/../../../../shared}"; do
    [ -z "$data" ] && [ -d "$shared/data" ] && data=$(realpath "$shared/data")
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1

if ! command -v ffmpeg >/dev/null 2>&1; then
    skip "all" "the ffmpeg command is not installed"
    tap_done
    exit 0
fi

# Ends the script, leaving the rest out, where the shared data lacks FILE.
needs_data() { # [FILE]
    if [ -z "$data" ] || [ ! -r "$data/${1:-}" ]; then
        skip "rest" "no shared data"
        tap_done
        exit 0
    fi
}

# Resident memory does not grow in a job that wrote `--progress json` to the file progress: the mean of its last 100 FRAMES
# is less than 4 MB above that of frames FROM to FROM + 99. Single values differ by up to 8 MB, with the pictures on their
# way and trimmed heaps.
check_flat_memory() { # FROM, FRAMES
    growth=$(sed -n 's/.*"frame":\([0-9]*\),.*"rss_bytes":\([0-9]*\).*/\1 \2/p' progress |
        awk -v from="$1" -v end="$2" '$1 >= from && $1 < from + 100 {a += $2; n++} $1 >= end - 100 {b += $2; m++}
            END {if (n && m) printf "%d", b / m - a / n; else print "none"}')
    echo "# mean RSS grew by $growth bytes from the 100 frames at $1 to the last 100 of $2"
    if [ "$growth" != none ] && [ "$growth" -lt 4194304 ]; then
        ok "resident memory grows by less than 4 MB"
    else
        not_ok "resident memory grows by less than 4 MB" "$growth bytes"
    fi
}

# Whether the outputs named got… are those named want…, byte for byte, and nothing else of the job is left.
same_outputs() {
    for wanted in want*; do
        case $wanted in
        *.report.json) ;;
        *) cmp -s "$wanted" "got${wanted#want}" || return 1 ;;
        esac
    done
    ! ls -d got*.vsmjob got*.part* >/dev/null 2>&1
}

# Runs "$@" in the background, its pid in $pid, and waits until file $1 exists, at most 10 s.
start_and_wait_for() { # FILE, COMMAND...
    awaited=$1
    shift
    "$@" >stdout 2>stderr &
    pid=$!
    for _ in $(seq 500); do
        [ -e "$awaited" ] || ! kill -0 $pid 2>/dev/null && break
        sleep 0.02
    done
}
