#!/bin/sh
# Shows a VP9 file with alpha and a green one in a headless Chromium, over a checkerboard, as a picture to look at.
# usage: browser_check.sh ALPHA.webm GREEN.mp4 SCREENSHOT.png
set -eu
[ $# = 3 ] || { echo "usage: $0 ALPHA.webm GREEN.mp4 SCREENSHOT.png" >&2; exit 1; }
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
[ -n "$browser" ] || { echo "skipped: no Chromium here"; exit 0; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/page.html" <<PAGE
<style>body { margin: 0; background: repeating-conic-gradient(#c0c 0 25%, #cc0 0 50%) 0 0/64px 64px }
video { display: block; width: 1024px }</style>
<video src="file://$(realpath "$1")" muted autoplay></video>
<video src="file://$(realpath "$2")" muted autoplay></video>
PAGE
timeout 120 "$browser" --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$folder/profile" \
    --autoplay-policy=no-user-gesture-required --virtual-time-budget=8000 --window-size=1024,1024 \
    --screenshot="$3" "file://$folder/page.html" >/dev/null 2>&1
echo "look at $3"
