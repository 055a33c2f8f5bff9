#!/bin/sh
# Runs the program on footage with known truth and prints a Markdown table of its errors (tools/evaluate.c).
# usage: tools/evaluate.sh BUILD WORK [SEQUENCE...]
# WORK keeps the clips, the mattes and a contact sheet of each sequence (source, matte, truth). Footage is looked for in
# ../shared/data or $VSM_SHARED/data. VSM_SETTINGS holds more arguments for the program.
set -eu
cd "$(dirname "$0")/.."
build=$1 work=$2
shift 2
data=${VSM_SHARED:-../shared}/data
settings=${VSM_SETTINGS:-}
[ -d "$data" ] || { echo "evaluate.sh: no footage at $data"; exit 77; }
mkdir -p "$work"

encode() { # arguments of the ffmpeg program
    ffmpeg -v error -y "$@"
}

lossless="-c:v libx264 -crf 6 -preset veryfast -pix_fmt yuv420p -colorspace bt709 -color_primaries bt709
    -color_trc bt709"
to_bt709=scale=out_color_matrix=bt709:out_range=tv
even="crop=trunc(iw/2)*2:trunc(ih/2)*2"

# DAVIS: frames and hand-drawn binary masks of one target.
prepare_davis() {
    # shellcheck disable=SC2086
    encode -framerate 24 -i "$data/davis/$1/frames/%05d.jpg" -vf "$even,$to_bt709" $lossless "$work/$1.source.mp4"
    encode -framerate 24 -i "$data/davis/$1/masks/%05d.png" -vf "$even,format=gray" -c:v ffv1 "$work/$1.truth.mkv"
}

# A still with alpha, for a second in front of a museum, so that recurrent state can settle.
prepare_still() { # name, file with alpha
    size=$(ffprobe -v error -select_streams v -show_entries stream=width,height -of csv=p=0:s=x "$2")
    # shellcheck disable=SC2086
    encode -loop 1 -framerate 12 -i "$data/plates_vr180/crop180_whale-right_230_SBS_4096x2048.jpg" \
        -loop 1 -framerate 12 -i "$2" -filter_complex "[0:v]crop=1200:800:400:560,scale=${size%x*}:${size#*x}[b];
            [b][1:v]overlay=format=rgb,$even,$to_bt709" -frames:v 12 $lossless "$work/$1.source.mp4"
    encode -loop 1 -framerate 12 -i "$2" -vf "$even,format=rgba,alphaextract,format=gray" -frames:v 12 -c:v ffv1 \
        "$work/$1.truth.mkv"
}

prepare_scene() {
    "$build/tools/make_stereo_truth" --data "$data" --frames 30 "$1" "$work/$1"
    mv "$work/$1.alpha.mkv" "$work/$1.truth.mkv"
}

score() { # name, source, layout, arguments for evaluate
    # shellcheck disable=SC2086
    "$build/src/vr180-streaming" "$2" -o "$work/$1.matte.mkv" --set output.format=matte --set output.codec=ffv1 \
        --set "input.layout=$3" --set recovery.enable_checkpoints=false --progress none $settings \
        >"$work/$1.log" 2>&1 || { cat "$work/$1.log"; return 1; }
    # shellcheck disable=SC2086
    "$build/tools/evaluate" --name "$1" $4 "$work/$1.matte.mkv" "$work/$1.truth.mkv"
    "$build/tools/contact_sheet" --rows 3 --width 600 "$2" "$work/$1.matte.mkv" "$work/$1.truth.mkv" "$work/$1.png"
}

[ $# -gt 0 ] || set -- hike rollerblade tennis ck2 woman curly knight portrait-near portrait-1m walker-2m \
    walker-coming two-crossing three-in-a-row
"$build/tools/evaluate" --header
for name in "$@"; do
    case $name in
    hike | rollerblade | tennis)
        [ -f "$work/$name.truth.mkv" ] || prepare_davis "$name"
        score "$name" "$work/$name.source.mp4" mono ""
        ;;
    ck1 | ck2 | woman)
        [ -f "$work/$name.truth.mkv" ] || prepare_still "$name" "$data/greenscreen_stills/$name.rgba.png"
        score "$name" "$work/$name.source.mp4" mono ""
        ;;
    curly)
        [ -f "$work/$name.truth.mkv" ] || prepare_still "$name" "$data/rgba_stills/man_curly_1024.png"
        score "$name" "$work/$name.source.mp4" mono ""
        ;;
    knight)
        [ -f "$work/$name.truth.mkv" ] || prepare_still "$name" "$data/rgba_stills/armored_beard_512.png"
        score "$name" "$work/$name.source.mp4" mono ""
        ;;
    *)
        [ -f "$work/$name.truth.mkv" ] || prepare_scene "$name"
        score "$name" "$work/$name.source.mkv" sbs --eyes
        ;;
    esac
done
