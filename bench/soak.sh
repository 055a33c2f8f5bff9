#!/bin/sh
# A long run: FRAMES small frames with checkpoints, once undisturbed and once with KILLS kills (SIGKILL) at moments that are
# random and uniform over the frames. Fails with exit 1 if
#   - resident memory grows by more than 4 MB from a tenth of the frames to the end of the undisturbed run,
#   - the number of open files grows after a tenth of either run's frames,
#   - anything beside input and outputs takes more than 8 MB of disk at the end of a run that was killed,
#   - a killed run leaves a checkpoint that is more than two intervals behind its frames, or behind the one before,
#   - the killed run's file is not the undisturbed one, byte for byte.
# The pictures are 256x16, one eye: the smallest grid that the program uses (256 cells on the longer side, 16 on the other),
# so that a frame costs 5 ms and 100,000 frames twice take about 20 minutes on one core.
# The output is Matroska: of an MP4's packets libavformat keeps a sample table in memory until the end (muxer.h). With
# FORMAT mp4 the bound on memory is 160 bytes a frame more.
# usage: bench/soak.sh BUILD [FRAMES] [KILLS] [SEED] [FORMAT]
set -eu
cd "$(dirname "$0")/.."
program=$(realpath "$1")/src/vr180-streaming
frames=${2:-100000}
kills=${3:-20}
seed=${4:-1}
format=${5:-mkv}
allowed=4194304
[ "$format" = mkv ] || allowed=$((allowed + 160 * frames))
interval=500
folder=$(mktemp -d)
failed=0
pid=
trap '[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || :; rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM
cd "$folder"
ffmpeg -v error -f lavfi -i testsrc2=size=256x16:rate=60 -frames:v "$frames" -c:v libx264 -preset ultrafast -g 60 \
    -pix_fmt yuv420p in.mp4

check() { # WHAT, VALUE, MOST
    if [ "$2" -le "$3" ]; then
        echo "ok: $1: $2 (at most $3)"
    else
        echo "FAILED: $1: $2 (at most $3)"
        failed=1
    fi
}

start() { # OUTPUT: runs in the background, pid in $pid
    "$program" in.mp4 -o "$1" --set input.layout=mono --set output.preset=ultrafast --set processing.threads=1 \
        --set recovery.checkpoint_interval=$interval --progress json --set logging.progress_file=progress \
        --set logging.level=warn &
    pid=$!
}

field() { # NAME: number in the last line of the progress, 0 before there is one
    sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" progress 2>/dev/null | tail -n 1 | grep . || echo 0
}

# Watches the process until it ends or, if given, until it has made FRAME frames. Sets $files_growth: open files, the least
# of the last ten looks against the least of the first ten behind a tenth of the frames (some are open for a moment only).
watch() { # [FRAME]
    : >files
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.5
        at=$(field frame)
        if [ "$at" -ge $((frames / 10)) ]; then
            ls "/proc/$pid/fd" 2>/dev/null | wc -l | grep -v '^0$' >>files || :
        fi
        [ "$at" -lt "${1:-$((frames + 1))}" ] || break
    done
    files_growth=$(awk 'NR <= 10 && (NR == 1 || $1 < first) {first = $1}
        {last[NR % 10] = $1}
        END {least = first + 1e6; for (i in last) if (last[i] < least) least = last[i]; print NR ? least - first : 0}' files)
}

# KiB of everything but the input, the outputs' videos and the undisturbed run.
extra_disk() {
    du -ck $(find . -type f ! -name in.mp4 ! -name "*.$format" ! -name "*.$format.part") 2>/dev/null | tail -n 1 | cut -f 1
}

begin=$(date +%s.%N)
start want.$format
watch
wait "$pid" || { echo "FAILED: the undisturbed run"; exit 1; }
pid=
seconds=$(awk -v a="$begin" -v b="$(date +%s.%N)" 'BEGIN {print b - a}')
echo "$frames frames in $seconds s"
growth=$(sed -n 's/.*"frame":\([0-9]*\),.*"rss_bytes":\([0-9]*\).*/\1 \2/p' progress |
    awk -v n="$frames" '$1 >= n / 10 {if (!a) a = $2; if ($2 > b) b = $2} END {print a ? b - a : 1e18}')
check "growth of memory in bytes, from frame $((frames / 10)) on" "$growth" $allowed
check "growth of open files" "$files_growth" 0
rm -f progress

# The moments: frames at which a run is killed, and up to a second more, since progress is told once a second.
moments=$(awk -v n="$kills" -v frames="$frames" -v seed="$seed" 'BEGIN {srand(seed); for (i = 0; i < n; i++) printf "%d %.2f\n", rand() * frames, rand()}' | sort -n)
checkpoint=0 done_kills=0 files_worst=0 disk_worst=0
while read -r moment delay; do
    start got.$format
    watch "$moment"
    sleep "$delay"
    kill -KILL "$pid" 2>/dev/null || { echo "the job was done before kill $((done_kills + 1))"; break; }
    wait "$pid" 2>/dev/null || true
    pid=
    done_kills=$((done_kills + 1)) at=$(field frame)
    rm -f progress
    [ $files_growth -le $files_worst ] || files_worst=$files_growth
    disk=$(extra_disk)
    [ "${disk:-0}" -le $disk_worst ] || disk_worst=$disk
    now=$("$program" status got.$format 2>/dev/null | sed -n 's/^last checkpoint  frame \([0-9]*\)$/\1/p')
    now=${now:-0}
    if [ "$now" -lt "$checkpoint" ] || [ "$now" -lt $((at / interval * interval - interval)) ]; then
        echo "FAILED: killed at frame $at or later, but its checkpoint is at frame $now (before: $checkpoint)"
        failed=1
    fi
    echo "kill $done_kills at frame $at, checkpoint at frame $now, ${disk:-0} KiB beside the video"
    checkpoint=$now
done <<END
$moments
END
start got.$format
watch
wait "$pid" || { echo "FAILED: the last run"; failed=1; }
pid=
check "growth of open files, worst of all runs" "$files_worst" 0
check "KiB on disk beside input and outputs, most after a kill" "$disk_worst" 8192
check "kills that missed the job" $((kills - done_kills)) 0
if cmp want.$format got.$format; then
    echo "ok: identical after $done_kills kills"
else
    failed=1
fi
[ ! -e got.$format.vsmjob ] && [ -z "$(ls "got.$format.part"* 2>/dev/null)" ] || { echo "FAILED: the job left files behind"; failed=1; }
exit $failed
