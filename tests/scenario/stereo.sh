#!/bin/sh
# Both eyes in the whole program: exchanged eyes are put right, unrelated ones recognised and left alone; and what is
# compared and mended through turned views is so after a kill too, as is what the report says of each scene.
# usage: stereo.sh PROGRAM (built with fault points, for the kills) MAKE_STEREO_TRUTH
truth=$(realpath "$2")
. "$(dirname "$0")/program.sh"
needs_data

film() { # NAME, FRAMES, SCENE, option...
    name=$1 frames=$2 scene=$3
    shift 3
    "$truth" --data "$data" --frames "$frames" --eye 256 --codec ffv1 "$@" "$scene" "$name" >/dev/null 2>stderr ||
        { not_ok "scene $scene" "$(cat stderr)"; tap_done; exit 1; }
}
film a 18 portrait-1m --fault finger:5:6
film b 8 walker-2m
film d 14 portrait-1m --fault left:finger:5:6

run() { # INPUT, OUTPUT, fault, option...
    input=$1 output=$2 fault=$3
    shift 3
    VSM_FAULT=$fault timeout 200 "$program" "$input" -o "$output" --set output.format=matte --progress none \
        --set recovery.checkpoint_interval=7 --set logging.report=report --set logging.stereo_list="$output.list" \
        "$@" >stdout 2>stderr
}

# A part of the report's "stereo", without white space.
stereo() {
    tr -d ' \n' <report | sed 's/.*"stereo":{//; s/"scaling":.*//' | grep -Eo "$1"
}

# The report's "eyes", likewise.
eyes() {
    tr -d ' \n' <report | grep -Eo '"eyes":\{[^}]*\}' | cut -d: -f2-
}

# How the eyes stand to each other is told before the job and in its report: of the true eyes, also if they were exchanged.
told() { # NAME, SCENE, "eyes" OF THE REPORT, WORDS...
    told=$1 reported=$3
    film e 4 "$2" --eye 512
    shift 3
    "$program" e.source.mkv -o out.mkv --dry-run >dry 2>&1
    for words in "$@"; do
        grep -Eq "$words" dry || { not_ok "$told" "no \"$words\": $(grep -A1 ^eyes dry)"; return; }
    done
    ok "$told"
    run e.source.mkv told.mkv "" --max-frames 1 && eyes | grep -Eq "^.\"unrelated\":false,$reported" &&
        ok "$told, in the report" ||
        not_ok "$told, in the report" "$(eyes) $(cat stderr)"
}
low='"right_too_low_pixels":' degrees='[0-9.]*,"right_too_low_degrees":' gain=',"right_gain":\['
told "exchanged eyes and their offset" two-swapped "\"order\":\"swapped\",\"exchanged\":true,$low${degrees}0\.(1[89]|2)[0-9]*$gain" \
    "^eyes +the wrong way round, exchanged" "\(0\.(19|2.) degrees\) too low"
told "offset and exposure" two-crossing-tilted "\"order\":\"straight\",\"exchanged\":false,$low-${degrees}-0\.(3[89]|4)[0-9]*${gain}1\.(09|1)[0-9]*," \
    "^eyes +the right way round" "\(0\.(39|4.) degrees\) too high, its light 1\.(09|1.) "

# Half a picture of one video beside half of the other.
ffmpeg -v error -i a.source.mkv -i b.source.mkv \
    -filter_complex "[0]crop=256:256:0:0[l];[1]crop=256:256:256:0[r];[l][r]hstack" -frames:v 5 -c:v libx264 -crf 12 \
    strangers.mkv
strangers="--set input.layout=sbs --set input.projection=half_equirect"
"$program" strangers.mkv -o out.mkv --dry-run $strangers >dry 2>&1
grep -q "show different things" dry && ok "unrelated eyes are told before the job" ||
    not_ok "unrelated eyes are told before the job" "$(grep eyes dry)"
if run strangers.mkv out.mkv "" $strangers && grep -q "the eyes show different things in 5 frames" stderr &&
    stereo '"unrelated":5' >/dev/null && [ "$(eyes)" = '{"unrelated":true}' ] &&
    stereo '"consistency_mean":null,"consistency_mean_after":null,"consistency_min":null' >/dev/null &&
    grep -q "agree: not measured" stderr &&
    run strangers.mkv alone.mkv "" $strangers --set stereo.disparity_correction=false --set matting.view=direct && cmp -s out.mkv alone.mkv; then
    ok "unrelated eyes are told in the report and left alone"
else
    not_ok "unrelated eyes are told in the report and left alone" "$(cat stderr)"
fi
ffmpeg -v error -f lavfi -i testsrc=size=2048x64 -frames:v 1 -c:v ffv1 flat.mkv
"$program" flat.mkv -o out.mkv --dry-run $strangers >dry 2>&1 && ok "eyes too flat to be compared are accepted" ||
    not_ok "eyes too flat to be compared are accepted" "$(tail -n 2 dry)"

# The finger is there in frames 5 to 10, the checkpoint is in the midst of it.
for view in direct rectilinear; do
    rm -f want* got*
    run a.source.mkv want.mkv "" --set matting.view=$view
    found=$(stereo '"right":\{"frames":[0-9]*,"ranges":\[\[5,1[0-9]\]\]' | head -n 1)
    [ -n "$found" ] && ok "$view: a finger is told and mended" || not_ok "$view: a finger is told and mended" "$(cat stderr)"
    run a.source.mkv got.mkv ckpt.rename:1:kill --set matting.view=$view
    if [ $? != 137 ]; then
        skip "$view: killed and resumed" "this program has no fault points"
    elif run a.source.mkv got.mkv "" --set matting.view=$view && cmp -s want.mkv got.mkv && cmp -s want.mkv.list got.mkv.list; then
        ok "$view: killed and resumed"
    else
        not_ok "$view: killed and resumed" "$(cat stderr)"
    fi
done

# Two scenes whose cameras stood differently, the second in a mirror and other colours for the cut to be seen; killed in
# the first and in the second.
film f 9 two-crossing-tilted --eye 320
film g 9 standing-swapped --eye 320
ffmpeg -v error -i f.source.mkv -i g.source.mkv -filter_complex "[1]hflip,hue=h=120:s=2[b];[0][b]concat" \
    -c:v libx264 -crf 8 two.mkv
both="--set input.layout=sbs --set input.projection=half_equirect --set input.swap_eyes=false --set matting.view=direct"
run two.mkv two_want.mkv "" $both
stereo '"scenes":.*' >want.scenes
first="^\"scenes\":.\"count\":2,\"list\":\[.\"first_frame\":0,\"frames\":9,\"unrelated\":false,\"order\":\"straight\",$low-${degrees}-0\.(3|4)[0-9]*${gain}1\.(0[5-9]|1)[0-9]*,"
grep -Eq "$first" want.scenes && grep -Eq '"first_frame":9,"frames":9,"unrelated":false,"order":"swapped"' want.scenes &&
    ok "order, offset and light of each scene" || not_ok "order, offset and light of each scene" "$(cat want.scenes stderr)"
killed() {
    run two.mkv two_got.mkv ckpt.rename:1:kill $both
    [ $? = 137 ]
}
if ! killed; then
    skip "scenes of a killed and resumed job" "this program has no fault points"
elif killed && run two.mkv two_got.mkv "" $both && stereo '"scenes":.*' >got.scenes && cmp -s want.scenes got.scenes; then
    ok "scenes of a killed and resumed job"
else
    not_ok "scenes of a killed and resumed job" "$(cat got.scenes stderr)"
fi

# The master eye's finger.
for view in direct rectilinear; do
    run d.source.mkv left.mkv "" --set matting.view=$view
    found=$(stereo '"mended":\{"left":\{"frames":[0-9]*,"ranges":\[\[5,1[0-9]\]\]\},"right":\{"frames":0' | head -n 1)
    [ -n "$found" ] && ok "$view: a finger over the master eye is told and mended" ||
        not_ok "$view: a finger over the master eye is told and mended" "$(stereo '"mended".*' | cut -c1-200; cat stderr)"
done

# The same as fisheyes whose circles lie in different places.
eye="v360=hequirect:fisheye:ih_fov=180:iv_fov=180:h_fov=180:v_fov=180:w=240:h=240,pad=256:256"
ffmpeg -v error -i a.source.mkv -filter_complex \
    "[0]crop=256:256:0:0,$eye:8:8[l];[0]crop=256:256:256:0,$eye:12:4[r];[l][r]hstack" -frames:v 9 -c:v libx264 -crf 8 fish.mkv
run fish.mkv fish_out.mkv "" --set input.layout=sbs --set input.projection=fisheye --set input.field_of_view=180 \
    --set "input.circles=128,128,120;132,124,120"
agreement=$(stereo '"consistency_mean_after":[0-9.]*' | cut -d: -f2)
echo "# eyes of fisheyes with unlike circles agree by $agreement, with a finger in 4 of 9 frames"
awk "BEGIN {exit !(\"$agreement\" + 0 > 0.9)}" && ok "fisheyes with unlike circles" ||
    not_ok "fisheyes with unlike circles" "$(cat stderr)"

# The grid shrinks behind the finger.
film c 44 portrait-1m --fault finger:22:14 --eye 320
run c.source.mkv small.mkv "" --set processing.adaptive_scaling=true --set processing.target_fps=1000
frames=$(stereo '"frames":44' | head -n 1)
mended=$(stereo '"right":\{"frames":[0-9]*,"ranges":\[\[22,3[5-9]\]\]' | head -n 1)
tr -d ' \n' <report | grep -q '"change_count":[1-9]' && [ -n "$frames" ] && [ -n "$mended" ] &&
    ok "compared and mended while the grid adapts" ||
    not_ok "compared and mended while the grid adapts" "$(stereo '"frames":.*'; cat stderr)"
tap_done
