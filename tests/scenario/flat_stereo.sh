#!/bin/sh
# Memory does not grow with length while both eyes are compared and mended: a person in both eyes, a finger over one of
# them for 8 frames of every 60, checkpoints on. The mean resident set of the last 100 of 400 frames, with VSM_SLOW_TESTS
# of 2,200, against that of frames 100 to 199: single values differ by up to 8 MB, with the pictures on their way and trimmed heaps.
# usage: flat_stereo.sh PROGRAM MAKE_STEREO_TRUTH
here=$(cd "$(dirname "$0")" && pwd)
truth=$(realpath "$2")
. "$here/program.sh"
shared=${VSM_SHARED:-$here/../../../shared}
[ -n "${VSM_SHARED:-}" ] || [ -d "$shared" ] || shared=$here/../../../../shared
if [ ! -d "$shared/data" ]; then
    skip "all" "no shared data"
    tap_done
    exit 0
fi
frames=400
[ -n "${VSM_SLOW_TESTS:-}" ] && frames=2200

"$truth" --data "$(realpath "$shared/data")" --frames 60 --eye 256 --fault finger:30:8 portrait-near a >/dev/null 2>stderr &&
    ffmpeg -v error -stream_loop 100 -i a.source.mkv -frames:v $frames -c:v libx264 \
        -preset ultrafast -g 60 in.mkv || { not_ok "clip" "$(cat stderr)"; tap_done; exit 1; }
"$program" in.mkv -o out.mkv --set output.format=green+matte --set input.layout=sbs --set input.projection=half_equirect \
    --set stereo.mode=master_slave --set recovery.checkpoint_interval=100 --set logging.report=report --progress json \
    --set logging.progress_file=progress 2>stderr || { not_ok "job" "$(tail -n 2 stderr)"; tap_done; exit 1; }

tr -d ' \n' <report | sed 's/.*"stereo":{//; s/"scaling":.*//' >stereo
compared=$(sed 's/"frames":\([0-9]*\).*/\1/' stereo)
mended=$(grep -Eo '"mended":\{"left":\{"frames":[0-9]*,"ranges":[^}]*\},"right":\{"frames":[0-9]*' stereo |
    sed 's/.*"left":{"frames":\([0-9]*\),.*"frames":\([0-9]*\)$/\1 \2/')
echo "# $compared frames compared, left and right mattes mended in $mended"
if [ "$compared" = $frames ] && [ -n "$mended" ] && [ "$mended" != "0 0" ]; then
    ok "both eyes are compared in every frame, and mended"
else
    not_ok "both eyes are compared in every frame, and mended" "$(cat stereo)"
fi

growth=$(sed -n 's/.*"frame":\([0-9]*\),.*"rss_bytes":\([0-9]*\).*/\1 \2/p' progress |
    awk -v end=$frames '$1 >= 100 && $1 < 200 {a += $2; n++} $1 >= end - 100 {b += $2; m++}
        END {if (n && m) printf "%d", b / m - a / n; else print "none"}')
echo "# mean RSS grew by $growth bytes from frames 100 to 199 to the last 100 of $frames"
if [ "$growth" != none ] && [ "$growth" -lt 4194304 ]; then
    ok "resident memory grows by less than 4 MB"
else
    not_ok "resident memory grows by less than 4 MB" "$growth bytes"
fi
tap_done
