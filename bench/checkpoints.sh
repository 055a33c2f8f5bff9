#!/bin/sh
# What checkpoints cost: time and file size with checkpoint_interval 300 against none, on 600 frames of 2048x1024 at a
# small grid (so that their share is largest). The clip is the demonstration's (make demo), repeated.
# usage: bench/checkpoints.sh BUILD
set -eu
cd "$(dirname "$0")/.."
build=$1
clip=demo/people_LR_180_SBS.mp4
[ -f "$clip" ] || { echo "$clip is missing: run make demo first"; exit 1; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
ffmpeg -v error -stream_loop 4 -i "$clip" -map 0:v -c copy "$folder/in.mp4"

measure() { # NAME, setting
    "$build/src/vr180-streaming" "$folder/in.mp4" -o "$folder/$1.mp4" --scale 0.25 --set "$2" --set recovery.checkpoint_interval=300 \
        --progress none 2>/dev/null
    sed -n 's/.*"wall_ns": \([0-9]*\).*/\1/p' "$folder/$1.mp4.report.json"
}

without=$(measure without recovery.enable_checkpoints=false)
with=$(measure with recovery.enable_checkpoints=true)
awk -v a="$with" -v b="$without" -v c="$(wc -c <"$folder/with.mp4")" -v d="$(wc -c <"$folder/without.mp4")" 'BEGIN {
    printf "checkpoint_interval 300: time x%.3f, size x%.3f of the run without\n", a / b, c / d}'
