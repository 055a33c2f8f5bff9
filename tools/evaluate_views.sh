#!/bin/sh
# Compares direct and turned views: flat footage placed into VR180 (tools/place_in_vr180), matted through each, against
# the flat matte placed likewise. Prints a Markdown table: how well two flat mattes agree, the second made of the mirrored
# clip; how well the flat matte agrees with the one of the flat picture that the eye shows, taken out of it again by
# another program (ffmpeg's v360): a view can hardly do better; J of these two flat mattes against the hand-drawn truth
# where there is one; then for each view J, mean absolute difference (SAD by pixel) * 10^3, J against that truth, and the
# processor seconds of the program. All with the network's default grid.
# usage: tools/evaluate_views.sh BUILD WORK [CASE...]     CASE = CLIP:YAW:PITCH:WIDTH[:EYE], WIDTH the clip's in degrees,
# or a scene of tools/make_stereo_truth: its left eye is scored, against the flat matte of what that shows in 100 by 100
# degrees round the people; the truth is exact there. The first pictures of all are used: with fewer people would run.
# Footage is looked for in ../shared/data or $VSM_SHARED/data. VSM_VIEWS: the values of matting.view to compare.
# VSM_SETTINGS: more arguments for the program. One eye is matted: both see the same. CLIP-body is the clip without the
# head, enlarged, with black around it; there views are found by the matte, and more pictures are needed.
set -eu
cd "$(dirname "$0")/.."
build=$1 work=$2
shift 2
data=${VSM_SHARED:-../shared}/data
views=${VSM_VIEWS:-direct auto}
[ -d "$data" ] || { echo "evaluate_views.sh: no footage at $data"; exit 77; }
mkdir -p "$work"

body() { # clip: the part of its 1280x720 without the head, as a filter
    case $1 in
    juggle-body) echo ",crop=440:350:500:150,scale=1280:-2" ;;
    hike-body) echo ",crop=480:360:500:275,scale=1280:-2" ;;
    tennis-body) echo ",crop=440:330:250:245,scale=1280:-2" ;;
    esac
}

flat() { # clip: $work/CLIP.flat.mp4, a few pictures of 1280 across; CLIP.hand.mkv, the hand-drawn truth if there is one
    case ${1%-body} in
    hike | tennis | rollerblade) set -- "$1" -framerate 24 -i "$data/davis/${1%-body}/frames/%05d.jpg" ;;
    juggle) set -- "$1" -i "$data/clips/05_default_juggle.mp4" ;;
    pingpong) set -- "$1" -i "$data/clips/06_pingpong.mp4" ;;
    snowboarder) set -- "$1" -i "$data/clips/07_snowboarder.mp4" ;;
    *) echo "evaluate_views.sh: no clip $1" >&2; return 1 ;;
    esac
    clip=$1
    shift
    filter="scale=1280:720$(body "$clip"),crop=trunc(iw/2)*2:trunc(ih/2)*2"
    for side in flat mirror; do
        ffmpeg -v error -y "$@" -vf "$filter,scale=out_color_matrix=bt709:out_range=tv" -frames:v $frames \
            -c:v libx264 -crf 6 -preset veryfast -pix_fmt yuv420p -colorspace bt709 "$work/$clip.$side.mp4"
        filter="$filter,hflip"
    done
    if [ -d "$data/davis/${clip%-body}" ]; then
        ffmpeg -v error -y -framerate 24 -i "$data/davis/${clip%-body}/masks/%05d.png" -vf \
            "lut=y='if(val,255,0)',format=gray,${filter%,hflip,hflip}" -frames:v $frames -c:v ffv1 -color_range pc \
            "$work/$clip.hand.mkv"
    fi
    matte "$work/$clip.flat.mp4" "$work/$clip.flat.mkv" --set matting.view=direct
    matte "$work/$clip.mirror.mp4" "$work/$clip.turned.mkv" --set matting.view=direct
    ffmpeg -v error -y -i "$work/$clip.turned.mkv" -vf hflip -c:v ffv1 "$work/$clip.mirror.mkv"
}

matte() { # input, output, arguments: leaves the program's processor seconds in $seconds
    input=$1 output=$2
    shift 2
    # shellcheck disable=SC2086
    (
        "$build/src/vr180-streaming" "$input" -o "$output" --set output.format=matte --set output.codec=ffv1 \
            --set input.layout=mono --set recovery.enable_checkpoints=false --progress none ${VSM_SETTINGS:-} "$@" \
            >"$output.log" 2>&1
        times >"$output.times"
    ) || { cat "$output.log"; return 1; }
    # The second line: minutes and seconds of children, user and system.
    seconds=$(tail -1 "$output.times" | tr 'ms' '  ' | awk '{printf "%.1f", 60 * $1 + $2 + 60 * $3 + $4}')
}

left() { # stereo video, its left eye, encoder arguments
    from=$1 to=$2
    shift 2
    ffmpeg -v error -y -i "$from" -vf crop=iw/2:ih:0:0 "$@" "$to"
}

rest() { # video: without the pictures in which recurrent state settles
    ffmpeg -v error -y -i "$1" -vf "select=gte(n\\,$settled),setpts=N/24/TB" -c:v ffv1 "$1.rest.mkv"
}

put() { # flat matte, kind: its settled pictures in the eye, $name.KIND.mkv.rest.mkv
    rest "$work/$1.mkv"
    # shellcheck disable=SC2086
    "$build/tools/place_in_vr180" --matte $place "$work/$1.mkv.rest.mkv" "$work/both.mkv"
    left "$work/both.mkv" "$work/$name.$2.mkv.rest.mkv" -c:v ffv1
    rm -f "$work/both.mkv"
}

score() { # matte, truth: J | MAD
    "$build/tools/evaluate" --brief --name x "$work/$name.$1.mkv.rest.mkv" "$work/$name.$2.mkv.rest.mkv" |
        awk -F'|' -v n=$((eye * eye)) '{printf "%.3f | %.2f", $4, $7 * 1e6 / n}'
}

hand() { # matte: J against the hand-drawn truth
    if [ -f "$work/$name.hand.mkv.rest.mkv" ]; then score "$1" hand | cut -d' ' -f1; else echo ""; fi
}

again() { # yaw pitch width size kind: the flat matte of what the eye shows, $name.KIND.mkv.rest.mkv in the eye
    height=$(echo "$3 $4" | tr , ' ' | awk '{a = $1 * atan2(0, -1) / 360; t = sin(a) / cos(a) * $3 / $2
        printf "%.4f", atan2(t, 1) * 360 / atan2(0, -1)}')
    ffmpeg -v error -y -i "$work/$name.mp4" -vf "v360=input=hequirect:output=flat:yaw=$1:pitch=$2:h_fov=$3:v_fov=$height:\
w=${4%,*}:h=${4#*,}:interp=lanczos" -c:v libx264 -crf 6 -preset veryfast "$work/$name.flat.mp4"
    matte "$work/$name.flat.mp4" "$work/$name.again.mkv" --set matting.view=direct
    put "$name.again" "$5"
}

case_of() { # clip yaw pitch width [eye]
    clip=$1 eye=${5:-1024} name=$1_$2_$3_$4_${5:-1024} frames=12 settled=6 fill=blur
    case $clip in *-body) frames=26 settled=20 fill=black ;; esac
    place="--yaw $2 --pitch $3 --fov $4 --eye $eye"
    row="| $1 | $2 | $3 | $4 | $eye |"
    [ -f "$work/$clip.mirror.mkv" ] || flat "$clip"
    if [ ! -f "$work/$name.mirror.mkv.rest.mkv" ]; then
        # shellcheck disable=SC2086
        "$build/tools/place_in_vr180" --fill $fill $place "$work/$clip.flat.mp4" "$work/both.mp4"
        left "$work/both.mp4" "$work/$name.mp4" -c:v libx264 -crf 8 -preset veryfast
        rm -f "$work/both.mp4"
        [ ! -f "$work/$clip.hand.mkv" ] || put "$clip.hand" hand
        put "$clip.flat" flat
        size=$(ffprobe -v error -select_streams v -show_entries stream=width,height -of csv=p=0 "$work/$clip.flat.mp4")
        again "$2" "$3" "$4" "$size" seen
        put "$clip.mirror" mirror
    fi
    row="$row $(score mirror flat | cut -d' ' -f1) | $(score seen flat | cut -d' ' -f1) | $(hand flat) | $(hand seen) |"
    for view in $views; do
        matte "$work/$name.mp4" "$work/$name.$view.mkv" --set input.projection=half_equirect --set "matting.view=$view"
        rest "$work/$name.$view.mkv"
        row="$row $(score "$view" flat) | $(hand "$view") | $seconds |"
    done
    echo "$row"
}

scene_of() { # scene
    name=$1 eye=1024 frames=12 settled=6
    if [ ! -f "$work/$name.hand.mkv.rest.mkv" ]; then
        "$build/tools/make_stereo_truth" --data "$data" --eye $eye "$name" "$work/$name"
        left "$work/$name.source.mkv" "$work/$name.mp4" -frames:v $frames -c:v libx264 -crf 8 -preset veryfast
        direction=$(grep -F "\"frame\": $settled," "$work/$name.json" | grep -oE '"left": \[[0-9., -]+' | cut -d'[' -f2 |
            awk -F, -v n=$eye '{u += $1; v += $2} END {print (u / NR / n - 0.5) * 180, (0.5 - v / NR / n) * 180}')
        place="--yaw ${direction% *} --pitch ${direction#* } --fov 100 --eye $eye"
        again "${direction% *}" "${direction#* }" 100 1280,1280 flat
        left "$work/$name.alpha.mkv" "$work/$name.hand.mkv" -frames:v $frames -c:v ffv1
        rest "$work/$name.hand.mkv"
    fi
    row="| $name | | | | $eye | | | $(hand flat) | |"
    for view in $views; do
        matte "$work/$name.source.mkv" "$work/both.mkv" --set input.layout=sbs --max-frames $frames --set "matting.view=$view"
        left "$work/both.mkv" "$work/$name.$view.mkv" -c:v ffv1
        rest "$work/$name.$view.mkv"
        row="$row $(score "$view" flat) | $(hand "$view") | $seconds |"
    done
    rm -f "$work"/both.mkv*
    echo "$row"
}

[ $# -gt 0 ] || set -- juggle:0:0:90 juggle:0:35:90 juggle:0:-35:90 juggle:50:0:90 juggle:-50:0:90 \
    pingpong:0:0:90 pingpong:0:35:90 pingpong:0:-35:90 pingpong:50:0:90 pingpong:-50:0:90 \
    hike:0:0:90 hike:0:35:90 hike:0:-35:90 hike:50:0:90 hike:-50:0:90 tennis:0:0:90 tennis:0:-35:90 tennis:-50:0:90 \
    rollerblade:0:0:90 rollerblade:0:35:90 snowboarder:0:0:90 hike:0:0:45 pingpong:0:0:45 hike:0:0:130 pingpong:0:0:130 \
    hike:0:0:45:2048 pingpong:50:0:90:2048 tennis:0:35:90:2048 \
    juggle-body:0:0:90 hike-body:0:-35:90 hike-body:50:0:90 tennis-body:0:0:90 \
    portrait-near portrait-1m portrait-off-axis walker-2m walker-4m skater-near two-crossing two-near-and-far
head="| clip | yaw | pitch | width | eye | flat agree | seen agree | flat truth | seen truth |" line="|---|---|---|---|---|---|---|---|---|"
for view in $views; do
    head="$head $view J | MAD*10^3 | truth | CPU s |" line="$line---|---|---|---|"
done
echo "$head"
echo "$line"
for wanted in "$@"; do
    # shellcheck disable=SC2046
    case $wanted in
    *:*) case_of $(echo "$wanted" | tr : ' ') ;;
    *) scene_of "$wanted" ;;
    esac
done
