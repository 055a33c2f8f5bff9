#!/bin/sh
# A long run: FRAMES small generated frames with checkpoints and KILLS kills and resumes. Prints the growth of memory,
# open files and disk, and whether the result equals the undisturbed run. 100,000 frames take about an hour.
# usage: bench/soak.sh BUILD [FRAMES] [KILLS]
set -eu
cd "$(dirname "$0")/.."
program=$(realpath "$1")/src/vr180-streaming
frames=${2:-100000}
kills=${3:-20}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
ffmpeg -v error -f lavfi -i testsrc2=size=128x64:rate=60 -frames:v "$frames" -c:v libx264 -preset ultrafast -g 60 -pix_fmt yuv420p in.mp4

start() { # OUTPUT: runs in the background, pid in $pid
    "$program" in.mp4 -o "$1" --set input.layout=mono --set recovery.checkpoint_interval=200 --progress json \
        --set logging.progress_file="$1.progress" --set logging.level=warn &
    pid=$!
}

begin=$(date +%s)
start want.mp4
open_first=0 open_last=0
while kill -0 $pid 2>/dev/null; do
    sleep 2
    open_last=$(ls /proc/$pid/fd 2>/dev/null | wc -l || echo "$open_last")
    [ "$open_first" != 0 ] || open_first=$open_last
    [ "$open_last" != 0 ] || open_last=$open_first
done
wait $pid
seconds=$(($(date +%s) - begin))
sed -n 's/.*"frame":\([0-9]*\),.*"rss_bytes":\([0-9]*\).*/\1 \2/p' want.mp4.progress |
    awk -v n="$frames" '$1 >= n / 10 && !a {a = $2} {b = $2} END {printf "RSS grew by %d bytes from frame %d to the end\n", b - a, n / 10}'
echo "open files: $open_first at the start, $open_last at the end"
echo "$frames frames in $seconds s"

done_kills=0
while [ $done_kills -lt "$kills" ]; do
    start got.mp4
    sleep $((seconds / (kills + 1) + done_kills % 3))
    kill -KILL $pid 2>/dev/null || break
    wait $pid 2>/dev/null || true
    done_kills=$((done_kills + 1))
    [ $done_kills != 10 ] || du -sk . | sed 's/\t.*/ KiB on disk after ten kills, input and reference included/'
done
start got.mp4
wait $pid
cmp want.mp4 got.mp4 && echo "identical after $done_kills kills"
