#!/bin/sh
# One quantiser for all of libx264's pictures, which is what the program sets, against libx264's own rate control by crf
# with the same preset: bytes and luma PSNR of a green-screen video of VIDEO, clean and with noise, and of its matte. Both
# encode the same pictures, those of a job that stores them without loss.
# usage: bench/quantiser.sh BUILD VIDEO [FRAMES]
set -eu
build=$1 video=$(realpath "$2") frames=${3:-30}
program=$(realpath "$build/src/vr180-streaming")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

matte() { # VIDEO FORMAT
    rm -f stored.* ours.*
    "$program" "$1" --max-frames "$frames" --progress none --set logging.level=error \
        --set processing.scale_factor=0.25 --set recovery.enable_checkpoints=false --set input.layout=sbs \
        --set input.projection=half_equirect \
        --set output.list="$2, codec=ffv1, path=stored.mkv, audio=none; $2, codec=libx264, path=ours.mkv, audio=none"
}

row() { # NAME FILE
    bytes=$(ffprobe -v error -select_streams v -show_entries packet=size -of csv=p=0 "$2" | awk -F , '{s += $1} END {print s}')
    psnr=$(ffmpeg -nostats -i "$2" -i stored.mkv -lavfi '[0:v]format=yuv420p[a];[1:v]format=yuv420p[b];[a][b]psnr' -f null - 2>&1 |
        sed -n 's/.*PSNR y:\([0-9.]*\).*/\1/p')
    printf '%-30s %9d bytes  %s dB\n' "$1" "$bytes" "$psnr"
}

compare() { # NAME VIDEO FORMAT OPTIONS...
    name=$1
    matte "$2" "$3"
    shift 3
    row "$name, ours" ours.mkv
    for crf in 14 17; do
        ffmpeg -v error -y -i stored.mkv -c:v libx264 -preset fast -crf "$crf" -threads 2 -pix_fmt yuv420p "$@" crf.mkv
        row "$name, crf $crf" crf.mkv
    done
}

ffmpeg -v error -i "$video" -frames:v "$frames" -vf noise=alls=14:allf=t -c:v ffv1 noisy.mkv
shared=sync-lookahead=0:open-gop=0:b-pyramid=none:sliced-threads=1:keyint=60
compare green "$video" green -x264-params "$shared:rc-lookahead=4:bframes=3:ref=2"
compare 'noisy green' noisy.mkv green -x264-params "$shared:rc-lookahead=4:bframes=3:ref=2"
compare matte "$video" matte -x264-params "$shared:rc-lookahead=1:bframes=1:ref=1"
