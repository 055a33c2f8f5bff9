#!/bin/sh
# Memory does not grow with length: the resident set at the end of 2,200 frames against that at frame 200, with
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
growth=$(sed -n 's/.*"frame":\([0-9]*\),.*"rss_bytes":\([0-9]*\).*/\1 \2/p' progress |
    awk '$1 >= 200 && !first {first = $2} {last = $2} END {print first ? last - first : "none"}')
echo "# RSS grew by $growth bytes from frame 200 to the end"
if [ "$growth" != none ] && [ "$growth" -lt 4194304 ]; then
    ok "resident memory grows by less than 4 MB over 2,000 frames"
else
    not_ok "resident memory grows by less than 4 MB over 2,000 frames" "$growth bytes"
fi
tap_done
