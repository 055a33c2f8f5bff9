#!/bin/sh
# Bad input of every kind: one clear message, the documented exit code, and nothing that looks like a finished file.
# usage: bad_input.sh PROGRAM
. "$(dirname "$0")/program.sh"

# expect NAME EXIT WORDS ARGUMENT...: runs the program; the message must have the words; no output may exist.
expect() {
    name=$1 code=$2 words=$3
    shift 3
    timeout 120 "$program" "$@" --progress none >stdout 2>stderr
    got=$?
    if [ $got != "$code" ]; then
        not_ok "$name" "exit $got, expected $code: $(tail -n 3 stderr)"
    elif ! grep -qi -- "$words" stderr; then
        not_ok "$name" "message without \"$words\": $(tail -n 3 stderr)"
    elif [ -e out.mp4 ] || [ -e out.mp4.part ]; then
        not_ok "$name" "left a file behind: $(ls -d out.mp4*)"
    else
        ok "$name"
    fi
    rm -rf out.mp4 out.mp4.*
}

ffmpeg -v error -f lavfi -i testsrc2=size=512x256:rate=30 -frames:v 6 -c:v libx264 -g 3 -pix_fmt yuv420p good.mp4
ffmpeg -v error -f lavfi -i sine=duration=1 -c:a aac audio.mp4
ffmpeg -v error -f lavfi -i testsrc=size=257x129:rate=30 -frames:v 2 -c:v ffv1 -pix_fmt yuv444p odd.mkv
: >empty.mp4
head -c 5000 /dev/urandom >noise.mp4
echo 'not a video' >text.mp4

expect "missing input" 2 "no such file" missing.mp4 -o out.mp4
expect "empty input" 2 "empty.mp4" empty.mp4 -o out.mp4
expect "noise" 2 "noise.mp4" noise.mp4 -o out.mp4
expect "text" 2 "text.mp4" text.mp4 -o out.mp4
expect "a folder" 2 "$folder" "$folder" -o out.mp4
expect "audio only" 2 "no video" audio.mp4 -o out.mp4
expect "odd width claimed side by side" 2 "odd" odd.mkv -o out.mp4 --set input.layout=sbs
expect "start behind the end" 2 "6 frames" good.mp4 -o out.mp4 --start-frame 6
expect "output is the input" 1 "input" good.mp4 -o ./good.mp4
expect "output folder missing" 3 "nowhere" good.mp4 -o nowhere/out.mp4
expect "unknown container" 1 "out.xyz" good.mp4 -o out.xyz
expect "unknown codec" 1 "libnothing" good.mp4 -o out.mp4 --set output.codec=libnothing
expect "unknown key" 1 "output.crf" good.mp4 -o out.mp4 --set output.crff=18
expect "value out of range" 1 "crf" good.mp4 -o out.mp4 --set output.crf=99
expect "model missing" 4 "rvm.json" good.mp4 -o out.mp4 --set models.dir=.
printf '{"a": 1}' >rvm.json
: >rvm.bin
expect "model altered" 4 "rvm" good.mp4 -o out.mp4 --set models.dir=.
[ -s good.mp4 ] && ffprobe -v error good.mp4 && ok "the input is untouched" || not_ok "the input is untouched" ""

# A file cut anywhere either fails clearly or gives the frames before the cut.
size=$(wc -c <good.mp4)
cut=0
bad=
for i in 1 2 3 4 5 6 7 8 9 10; do
    cut=$((size * i / 11))
    head -c $cut good.mp4 >cut.mp4
    timeout 60 "$program" cut.mp4 -o out.mp4 --progress none >stdout 2>stderr
    code=$?
    case $code in
    0) ffprobe -v error out.mp4 || bad="$bad $cut:unreadable" ;;
    2) [ -s stderr ] && [ ! -e out.mp4 ] || bad="$bad $cut:silent" ;;
    *) bad="$bad $cut:exit$code" ;;
    esac
    rm -rf out.mp4*
done
[ -z "$bad" ] && ok "cut anywhere" || not_ok "cut anywhere" "$bad"

# A name that is not UTF-8 is a name.
name=$(printf 'out\377.mp4')
if ! timeout 60 "$program" good.mp4 -o "$name" --progress none >stdout 2>stderr; then
    not_ok "a name that is not UTF-8" "$(tail -n 2 stderr)"
elif [ -s "$name" ] && grep -q '"path": "out?.mp4"' "$name.report.json"; then
    ok "a name that is not UTF-8"
else
    not_ok "a name that is not UTF-8" "$(cat "$name.report.json")"
fi
rm -f out*

# A disk that is really full.
mkdir small
if mount -t tmpfs -o size=8k none small 2>/dev/null; then
    timeout 60 "$program" good.mp4 -o small/out.mp4 --set output.crf=0 --progress none >stdout 2>stderr
    code=$?
    if [ $code = 3 ] && grep -qi 'space' stderr && [ ! -e small/out.mp4 ]; then
        ok "full disk"
    else
        not_ok "full disk" "exit $code: $(tail -n 2 stderr)"
    fi
    umount small
else
    skip "full disk" "tmpfs cannot be mounted here"
fi
tap_done
