#!/bin/sh
# What the pipeline itself costs: wall time of a whole run against the CPU time it used over the cores, and peak RSS.
# The clip is the demonstration's (make demo), 2048x1024, both eyes, again and again until it has FRAMES frames.
# The ratio says something only where nothing else runs; the load at the start and at the end of each run is told.
# usage: bench/pipeline.sh BUILD [FRAMES [SCALE...]]
set -eu
cd "$(dirname "$0")/.."
build=$1
frames=${2:-300}
demo=demo/people_LR_180_SBS.mp4
[ -f "$demo" ] || { echo "$demo is missing: run make demo first"; exit 1; }
[ $# -le 2 ] && set -- "$build" "$frames" 0.25 0.5 0.75
shift 2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
clip=$folder/people_LR_180_SBS.mp4
ffmpeg -v error -stream_loop -1 -i "$demo" -map 0:v -c copy -frames:v "$frames" "$clip"
load() {
    cut -d ' ' -f 1 /proc/loadavg
}
for scale; do
    before=$(load)
    /usr/bin/env bash -c 'TIMEFORMAT="%R %U %S"; time "$@" 2>"$0"' "$folder/log" "$build/src/vr180-streaming" "$clip" \
        -o "$folder/out.mp4" --scale "$scale" --set output.format=green+matte --max-frames "$frames" --restart \
        --progress none 2>"$folder/time"
    rss=$(sed -n 's/.*"peak_rss_bytes": \([0-9]*\).*/\1/p' "$folder/out.mp4.report.json")
    awk -v scale="$scale" -v before="$before" -v after="$(load)" -v n="$frames" -v cores="$(nproc)" -v rss="$rss" \
        '{cpu = ($2 + $3) / cores
          printf "scale %s: %.3f s a frame, wall / (CPU time / cores) = %.3f, peak RSS %d MB, load %s to %s\n", scale, $1 / n, $1 / cpu, rss / 1048576, before, after}' \
        "$folder/time"
done
