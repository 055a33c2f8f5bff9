#!/bin/sh
# Compares direct and turned views: flat footage placed into VR180 (tools/place_in_vr180), matted through each, against
# the flat matte placed likewise. Prints a Markdown table: J and mean absolute difference (SAD by pixel) * 10^3 of each
# way, and the processor seconds of the program.
# usage: tools/evaluate_views.sh BUILD WORK [CASE...]     CASE = CLIP:YAW:PITCH:FOV, FOV the clip's width in degrees
# Footage is looked for in ../shared/data or $VSM_SHARED/data. VSM_VIEWS: the values of matting.view to compare.
# VSM_SETTINGS: more arguments for the program. One eye is matted: both see the same.
set -eu
cd "$(dirname "$0")/.."
build=$1 work=$2
shift 2
data=${VSM_SHARED:-../shared}/data
views=${VSM_VIEWS:-direct auto}
frames=8 settled=3 eye=${VSM_EYE:-1024}
[ -d "$data" ] || { echo "evaluate_views.sh: no footage at $data"; exit 77; }
mkdir -p "$work"

flat() { # clip: $work/CLIP.flat.mp4, a few pictures of at most 1280 across
    case $1 in
    hike | tennis | rollerblade) set -- "$1" -framerate 24 -i "$data/davis/$1/frames/%05d.jpg" "scale=1280:-2" ;;
    juggle) set -- "$1" -i "$data/clips/05_default_juggle.mp4" null ;;
    pingpong) set -- "$1" -i "$data/clips/06_pingpong.mp4" null ;;
    snowboarder) set -- "$1" -i "$data/clips/07_snowboarder.mp4" null ;;
    # Without the head: what hangs over a table.
    headless) set -- "$1" -i "$data/clips/06_pingpong.mp4" "crop=iw*0.55:ih*0.55:iw*0.2:ih*0.45,scale=1280:-2" ;;
    *) echo "evaluate_views.sh: no clip $1" >&2; return 1 ;;
    esac
    clip=$1
    eval "filter=\${$#}"
    shift
    inputs=
    while [ $# -gt 1 ]; do inputs="$inputs $1"; shift; done
    # shellcheck disable=SC2086
    ffmpeg -v error -y $inputs -vf "$filter,crop=trunc(iw/2)*2:trunc(ih/2)*2,scale=out_color_matrix=bt709:out_range=tv" \
        -frames:v $frames -c:v libx264 -crf 6 -preset veryfast -pix_fmt yuv420p -colorspace bt709 "$work/$clip.flat.mp4"
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

case_of() { # clip yaw pitch fov
    name=$1_$2_$3_$4
    [ -f "$work/$1.flat.mp4" ] || flat "$1"
    [ -f "$work/$1.flat.mkv" ] ||
        matte "$work/$1.flat.mp4" "$work/$1.flat.mkv" --set processing.scale_factor=0.375 --set matting.view=direct
    if [ ! -f "$work/$name.truth.mkv.rest.mkv" ]; then
        place="--yaw $2 --pitch $3 --fov $4 --eye $eye"
        # shellcheck disable=SC2086
        "$build/tools/place_in_vr180" $place "$work/$1.flat.mp4" "$work/both.mp4"
        left "$work/both.mp4" "$work/$name.mp4" -c:v libx264 -crf 8 -preset veryfast
        # shellcheck disable=SC2086
        "$build/tools/place_in_vr180" --matte $place "$work/$1.flat.mkv" "$work/both.mkv"
        left "$work/both.mkv" "$work/$name.truth.mkv" -c:v ffv1
        rest "$work/$name.truth.mkv"
        rm -f "$work/both.mp4" "$work/both.mkv"
    fi
    row="| $1 | $2 | $3 | $4 |"
    for view in $views; do
        matte "$work/$name.mp4" "$work/$name.$view.mkv" --set input.projection=half_equirect --set "matting.view=$view"
        rest "$work/$name.$view.mkv"
        row="$row $("$build/tools/evaluate" --brief --name x "$work/$name.$view.mkv.rest.mkv" "$work/$name.truth.mkv.rest.mkv" |
            awk -F'|' -v n=$((eye * eye)) '{printf "%.3f | %.2f |", $4, $7 * 1e6 / n}') $seconds |"
    done
    echo "$row"
}

[ $# -gt 0 ] || set -- juggle:0:0:90 juggle:0:35:90 juggle:0:-35:90 juggle:50:0:90 juggle:-50:0:90 \
    pingpong:0:0:90 pingpong:0:35:90 pingpong:0:-35:90 pingpong:50:0:90 pingpong:-50:0:90 \
    snowboarder:0:0:90 snowboarder:0:35:90 snowboarder:50:0:90 \
    hike:0:0:90 hike:0:35:90 hike:0:-35:90 hike:50:0:90 tennis:0:0:90 tennis:0:-35:90 tennis:-50:0:90 \
    hike:0:0:45 pingpong:0:0:45 hike:0:0:130 pingpong:0:0:130 headless:0:0:90 headless:0:-35:90
head="| clip | yaw | pitch | width |" line="|---|---|---|---|"
for view in $views; do
    head="$head $view J | MAD*10^3 | CPU s |" line="$line---|---|---|"
done
echo "$head"
echo "$line"
for wanted in "$@"; do
    # shellcheck disable=SC2046
    case_of $(echo "$wanted" | tr : ' ')
done
