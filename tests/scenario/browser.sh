#!/bin/sh
# What a browser shows of the outputs: through a VP9 file with alpha the page behind, and of a green one flat green.
# usage: browser.sh PROGRAM TOOLS
check=$(realpath "$2/browser_check.sh")
. "$(dirname "$0")/program.sh"
needs_data clips/05_default_juggle.mp4
clip=$data/clips/05_default_juggle.mp4
if ! command -v chromium >/dev/null 2>&1; then
    skip "all" "no Chromium"
    tap_done
    exit 0
fi

ffmpeg -v error -i "$clip" -frames:v 3 -vf scale=1024:512,loop=2:1 -c:v ffv1 -pix_fmt yuv420p -color_primaries bt709 -color_trc bt709 \
    -colorspace bt709 -color_range tv in.mkv
timeout 200 "$program" in.mkv --set input.layout=mono --set input.projection=rectilinear --set processing.threads=2 --progress none \
    --set output.list='vp9_alpha, path=v.webm; green, codec=libx264, crf=12, path=g.mp4' >stdout 2>stderr ||
    not_ok "outputs" "$(tail -n 1 stderr)"
"$check" v.webm g.mp4 shot.png >stdout 2>stderr && [ -s shot.png ] && ok "a page with both" || not_ok "a page with both" "$(cat stdout stderr)"

# The same page by FFmpeg, from the last frame, with alpha and without it.
frame="select='eq(n,2)',setpts=0,scale=1024:512:in_color_matrix=bt709"
page="geq=r=204:g='if(eq(mod(floor(X/32)+floor(Y/32),2),0),204,0)':b='if(eq(mod(floor(X/32)+floor(Y/32),2),0),0,204)',format=gbrp"
ffmpeg -v error -f lavfi -i color=black:size=1024x512,format=gbrp -c:v libvpx-vp9 -i v.webm -frames:v 1 -filter_complex \
    "[0]$page[p];[1]$frame,format=gbrap[v];[p][v]overlay=format=gbrp" behind.png 2>stderr || not_ok "behind" "$(tail -n 1 stderr)"
ffmpeg -v error -i v.webm -vf "$frame,format=gbrp" -frames:v 1 opaque.png
ffmpeg -v error -i g.mp4 -vf "$frame,format=gbrp" -frames:v 1 green.png
decibel() { # PICTURE, Y
    ffmpeg -hide_banner -i "$1" -i shot.png -lavfi "[0]format=gbrp[a];[1]crop=1024:512:0:$2,format=gbrp[b];[a][b]psnr" -f null - 2>&1 |
        sed -n 's/.*average:\([0-9]*\).*/\1/p'
}
behind=$(decibel behind.png 0) opaque=$(decibel opaque.png 0) green=$(decibel green.png 512)
echo "# $behind dB with the page behind, $opaque dB without, $green dB green"
[ "${behind:-0}" -ge 28 ] && [ "${opaque:-99}" -le $((${behind:-0} - 10)) ] && ok "vp9_alpha: the page behind" ||
    not_ok "vp9_alpha: the page behind" "$behind and $opaque dB"
[ "${green:-0}" -ge 28 ] && ok "green as it is decoded" || not_ok "green as it is decoded" "$green dB"
[ -z "${VSM_KEEP:-}" ] || cp shot.png behind.png "$VSM_KEEP"
tap_done
