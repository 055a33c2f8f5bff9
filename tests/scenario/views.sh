#!/bin/sh
# matting.view auto in the whole program: views turn to who comes in, in both eyes alike, one becomes two for a second person
# far away as soon as the detector finds him; and a job that is killed behind either change, while it fades
# in, goes on to the undisturbed result.
# usage: views.sh PROGRAM (built with fault points, for the kills)
. "$(dirname "$0")/program.sh"

# A grid may move under views of any kind, on any device.
ffmpeg -v error -f lavfi -i testsrc=size=640x320:rate=10 -frames:v 2 -c:v ffv1 -pix_fmt yuv420p plan.mkv || not_ok "clip" "ffmpeg"
for view in auto rectilinear fisheye direct; do
    "$program" plan.mkv -o plan.mp4 --dry-run --set input.layout=sbs --set input.projection=half_equirect \
        --set processing.adaptive_scaling=true --set processing.target_fps=5 --set matting.view=$view >stdout 2>stderr &&
        grep -q "^provider  " stdout && ! grep -q "adaptive scaling does not" stdout && ok "$view: its grid may move" ||
        not_ok "$view: its grid may move" "$(cat stdout stderr)"
done

# auto turns views where it can, and else says why not.
"$program" plan.mkv -o plan.mp4 --set matting.view=auto --set input.layout=mono --set input.projection=rectilinear --max-frames 1 \
    --progress none >stdout 2>stderr &&
    grep -q "views: the network sees whole eyes: the picture is flat" stderr && grep -q '"views": null' plan.mp4.report.json &&
    ok "whole eyes of flat pictures, and why" || not_ok "whole eyes of flat pictures, and why" "$(cat stdout stderr)"

needs_data clips/07_snowboarder.mp4
clips=$data/clips

# Each eye, half-equirect: the juggler comes in from the left until frame 5, the snowboarder from the right, frames 10 to 15.
# The right eye sees both 4 pixels further left.
ffmpeg -v error -i "$clips/05_default_juggle.mp4" -i "$clips/07_snowboarder.mp4" -filter_complex "
    [0]split[c][d];[c]crop=100:100:20:20,scale=320:320,gblur=20[wall];
    [d]crop=600:720:340:0,scale=110:132[a];[1]crop=720:720:100:0,scale=110:132[b];
    [wall][a]overlay=x='min(8,-110+24*n)':y=96:eval=frame[one];
    [one][b]overlay=x='max(202,320-24*(n-10))':y=92:eval=frame,split[l][r];
    [r]crop=316:320:4:0,pad=320:320[s];[l][s]hstack" -frames:v 36 -an -c:v libx264 -crf 14 -pix_fmt yuv420p in.mp4 ||
    { not_ok "clip" "ffmpeg"; tap_done; exit 1; }

run() { # OUTPUT, fault
    VSM_FAULT=$2 timeout 200 "$program" in.mp4 -o "$1" --set output.format=matte --set matting.view=auto \
        --set recovery.checkpoint_interval=4 --set input.layout=sbs --set input.projection=half_equirect --progress none \
        >stdout 2>stderr
}

views() { # REPORT: its "views" without white space
    tr -d ' \n' <"$1" | grep -Eo '"views":\{.*"track"'
}

run want.mp4 "" || { not_ok "undisturbed" "$(cat stderr)"; tap_done; exit 1; }
echo "# $(views want.mp4.report.json)"
views want.mp4.report.json | grep -q '"changes":2,"people_outside":{"frames":0,' &&
    ok "one view, then two, and nobody who is known is outside them" ||
    not_ok "one view, then two, and nobody who is known is outside them" "$(cat stderr)"

mean() { # left edge of a quarter of the picture: mean luma of the matte there at the end, above black
    ffmpeg -v error -i want.mp4 -vf "select=gte(n\,33),crop=160:320:$1:0,signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=-" \
        -f null - | awk -F= '/YAVG/ {sum += $2; n++} END {printf "%d", sum / n - 16 + 0.5}'
}
set -- "$(mean 0)" "$(mean 160)" "$(mean 320)" "$(mean 480)"
echo "# matte of the juggler and the snowboarder, left eye $1 and $2, right eye $3 and $4"
[ "$1" -ge 8 ] && [ "$2" -ge 6 ] && [ $(($1 - $3)) -le 2 ] && [ $(($3 - $1)) -le 2 ] && [ $(($2 - $4)) -le 2 ] &&
    [ $(($4 - $2)) -le 2 ] && ok "both people in both eyes" || not_ok "both people in both eyes" "$*"

# Behind frame 11 the first view fades in, from 10 to 17, and behind 19, quickly, from 18 to 20, the second.
run got.mp4 ckpt.done:3:kill
if [ $? != 137 ]; then
    skip "killed while views change" "this program has no fault points"
else
    run got.mp4 ckpt.done:2:kill
    [ $? = 137 ] && run got.mp4 "" && cmp -s want.mp4 got.mp4 &&
        [ "$(views want.mp4.report.json)" = "$(views got.mp4.report.json)" ] && ok "killed while views change" ||
        not_ok "killed while views change" "$(cat stderr)"
fi
tap_done
