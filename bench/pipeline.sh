#!/bin/sh
# What the pipeline itself costs: wall time of a whole run against the CPU time it used over the cores, and peak RSS.
# The clip is the demonstration's (make demo), 2048x1024, both eyes.
# usage: bench/pipeline.sh BUILD [FRAMES]
set -eu
cd "$(dirname "$0")/.."
build=$1
frames=${2:-120}
clip=demo/people_LR_180_SBS.mp4
[ -f "$clip" ] || { echo "$clip is missing: run make demo first"; exit 1; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for scale in 0.25 0.5 0.75; do
    /usr/bin/env bash -c 'TIMEFORMAT="%R %U %S"; time "$@" 2>"$0"' "$folder/log" "$build/src/vr180-streaming" "$clip" \
        -o "$folder/out.mp4" --scale $scale --set output.format=green+matte --max-frames "$frames" --restart \
        --progress none 2>"$folder/time"
    rss=$(sed -n 's/.*"peak_rss_bytes": \([0-9]*\).*/\1/p' "$folder/out.mp4.report.json")
    awk -v scale=$scale -v n="$frames" -v cores="$(nproc)" -v rss="$rss" \
        '{cpu = ($2 + $3) / cores
          printf "scale %s: %.3f s a frame, wall / (CPU time / cores) = %.3f, peak RSS %d MB\n", scale, $1 / n, $1 / cpu, rss / 1048576}' \
        "$folder/time"
done
