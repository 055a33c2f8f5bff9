#!/bin/sh
# Makes a VR180 clip of real photographs of people, mattes it, and shows where the results are.
# usage: tools/demo.sh BUILD
set -eu
cd "$(dirname "$0")/.."
build=$1
photos=node_modules/@vladmandic/face-api/demo
clip=demo/people_LR_180_SBS.mp4
green=demo/people_green_LR_180_SBS.mp4
matte=demo/people_green_matte_LR_180_SBS.mp4
sheet=demo/contact_sheet.png
mkdir -p demo

if [ ! -f "$clip" ]; then
    echo "Making the demo clip (2048x1024, both eyes, 4 seconds) ..."
    ffmpeg -v error -y -f lavfi -i 'sine=frequency=440:sample_rate=48000:duration=4' -c:a aac -b:a 96k demo/tone.m4a
    "$build/tools/make_demo_clip" demo/tone.m4a "$clip" "$photos/sample6.jpg" "$photos/sample4.jpg"
    rm -f demo/tone.m4a
fi
rm -f "$green" "$matte" "$sheet"
echo "Matting it ..."
"$build/src/vr180-streaming" "$clip" -o "$green" --set output.format=green+matte
"$build/tools/contact_sheet" --rows 4 "$clip" "$matte" "$green" "$sheet"

echo
echo "Source         $clip"
echo "Green screen   $green"
echo "Matte          $matte"
echo "Contact sheet  $sheet (rows: pictures; columns: source, matte, green screen; both eyes)"
