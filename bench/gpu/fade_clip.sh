#!/bin/sh
# Makes a small clip whose people make matting.view auto change views twice: the juggler comes in from the left until frame
# 5, the snowboarder from the right in frames 10 to 15. Half-equirect eyes of 640x640 side by side, 48 frames.
# Usage: bench/gpu/fade_clip.sh CLIPS OUT.mp4     CLIPS: folder with 05_default_juggle.mp4 and 07_snowboarder.mp4
set -eu
ffmpeg -v error -y -i "$1/05_default_juggle.mp4" -i "$1/07_snowboarder.mp4" -filter_complex "
    [0]split[c][d];[c]crop=100:100:20:20,scale=640:640,gblur=40[wall];
    [d]crop=600:720:340:0,scale=220:264[a];[1]crop=720:720:100:0,scale=220:264[b];
    [wall][a]overlay=x='min(16,-220+48*n)':y=192:eval=frame[one];
    [one][b]overlay=x='max(404,640-48*(n-10))':y=184:eval=frame,split[l][r];
    [r]crop=632:640:8:0,pad=640:640[s];[l][s]hstack" -frames:v 48 -an -c:v libx264 -crf 14 -pix_fmt yuv420p "$2"
