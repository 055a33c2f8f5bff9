#!/bin/sh
# Memory does not grow with length while both eyes are compared and mended: a person in both eyes, a finger over one of
# them for 8 frames of every 60, checkpoints on. 400 frames, with VSM_SLOW_TESTS 2,200.
# usage: flat_stereo.sh PROGRAM MAKE_STEREO_TRUTH
truth=$(realpath "$2")
. "$(dirname "$0")/program.sh"
needs_data
frames=400
[ -n "${VSM_SLOW_TESTS:-}" ] && frames=2200

"$truth" --data "$data" --frames 60 --eye 256 --fault finger:30:8 portrait-near a >/dev/null 2>stderr &&
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

check_flat_memory 100 $frames
tap_done
