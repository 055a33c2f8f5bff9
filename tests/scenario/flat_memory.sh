#!/bin/sh
# Memory does not grow with length: the resident set at the end of 2,200 frames against that after 200, with
# checkpoints on.
# usage: flat_memory.sh PROGRAM
. "$(dirname "$0")/program.sh"

ffmpeg -v error -f lavfi -i testsrc2=size=128x64:rate=60 -f lavfi -i sine -frames:v 2200 -shortest -c:v libx264 \
    -preset ultrafast -g 60 -pix_fmt yuv420p -c:a aac in.mp4
"$program" in.mp4 -o out.mp4 --set output.format=green+matte --set input.layout=mono --set recovery.checkpoint_interval=100 \
    --progress json --set logging.progress_file=progress 2>stderr || {
    not_ok "flat memory" "$(tail -n 2 stderr)"
    tap_done
    exit 1
}
check_flat_memory 200 2200
tap_done
