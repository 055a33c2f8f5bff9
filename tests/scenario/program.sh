# Head of the scripts that run the whole program: source it with the path of the program as first argument. Sets
# $program and the functions of tests/tap.sh, and goes to an empty folder that is removed at the end.
set -u
. "$(dirname "$0")/../tap.sh"
program=$(realpath "$1")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1

if ! command -v ffmpeg >/dev/null 2>&1; then
    skip "all" "the ffmpeg command is not installed"
    tap_done
    exit 0
fi

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
