#!/bin/sh
# Processor time a frame that each kind of output costs more than none of them: whole jobs of a VR180 video with that
# output beside a small green one, less the small green one alone.
# usage: bench/outputs.sh BUILD VIDEO [FRAMES]
set -eu
build=$1 video=$(realpath "$2") frames=${3:-10}
program=$(realpath "$build/src/vr180-streaming")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

seconds() { # LIST
    rm -rf job && mkdir job
    (cd job && command time -f '%U %S' "$program" "$video" --max-frames "$frames" --progress none \
        --set logging.level=error --set processing.scale_factor=0.25 --set recovery.enable_checkpoints=false \
        --set input.layout=sbs --set input.projection=half_equirect --set output.list="$1" 2>&1 | tail -n 1 | awk '{print $1 + $2}')
}
small='green, resize=0.0625, path=small.mp4, audio=none'
base=$(seconds "$small")
for item in 'green, codec=libx264, path=o.mp4' 'green, codec=libx265, path=o.mp4' 'matte, codec=libx264, path=o.mp4' \
    'matte, codec=ffv1, path=o.mkv' 'alpha_packed, codec=libx265, path=o.mp4' 'green, projection=fisheye, codec=libx264, path=o.mp4' \
    'green, resize=0.5, codec=libx264, path=o.mp4' 'prores4444, path=o.mov' 'ffv1_alpha, path=o.mkv' 'vp9_alpha, path=o.webm' \
    'png, path=o' 'exr, path=o'; do
    seconds "$small; $item" | awk -v name="$item" -v base="$base" -v n="$frames" \
        '{printf "%-55s %.3f s a frame\n", name, ($1 - base) / n}'
done
