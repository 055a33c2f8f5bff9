#!/bin/sh
# Peak resident memory of a whole job at the size and grid that most videos have, with default settings: 2048x1024, both
# eyes, 768x768 an eye, green screen. The limit lies a tenth above what doc/performance.md says.
# usage: peak_memory.sh PROGRAM
. "$(dirname "$0")/program.sh"
limit=570000000

ffmpeg -v error -f lavfi -i testsrc2=size=2048x1024:rate=30 -frames:v 24 -c:v libx264 -preset veryfast \
    -pix_fmt yuv420p in_LR_180_SBS.mp4
"$program" in_LR_180_SBS.mp4 -o out.mp4 --progress none --set processing.device=cpu 2>stderr || {
    not_ok "peak memory" "$(tail -n 2 stderr)"
    tap_done
    exit 1
}
peak=$(sed -n 's/.*"peak_rss_bytes": \([0-9]*\).*/\1/p' out.mp4.report.json)
echo "# peak of $peak bytes over 24 frames"
if [ -n "$peak" ] && [ "$peak" -lt "$limit" ]; then
    ok "a job of 2048x1024 stays below $limit bytes"
else
    not_ok "a job of 2048x1024 stays below $limit bytes" "${peak:-no report}"
fi
tap_done
