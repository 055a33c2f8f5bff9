#!/bin/sh
# What checkpoints cost: CPU time, wall time and file size with checkpoint_interval 300 against none, on 600 frames of 2048x1024
# at a small grid (so that their share is largest). Without and with alternate, so that a machine that grows slower hits
# both alike; CPU time is what counts on a busy machine. Fails if CPU time grows by more than 3 % or the file by more than 2 %.
# The clip is the demonstration's, repeated (made if it is not there, 25 s); on two idle cores all takes about 5 minutes.
# usage: bench/checkpoints.sh BUILD [ROUNDS] [FRAMES]
set -eu
cd "$(dirname "$0")/.."
build=$1
rounds=${2:-2}
frames=${3:-600}
clip=demo/people_LR_180_SBS.mp4
photos=node_modules/@vladmandic/face-api/demo
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if [ ! -f "$clip" ]; then
    clip=$folder/people_LR_180_SBS.mp4
    ffmpeg -v error -f lavfi -i sine=duration=4 -c:a aac "$folder/tone.m4a"
    "$build/tools/make_demo_clip" "$folder/tone.m4a" "$clip" "$photos/sample6.jpg" "$photos/sample4.jpg"
fi
ffmpeg -v error -stream_loop 20 -i "$clip" -map 0:v -c copy -frames:v "$frames" "$folder/in_LR_180_SBS.mp4"

measure() { # NAME, true or false: appends "NAME CPU-SECONDS WALL-SECONDS BYTES"
    times >"$folder/before"
    begin=$(date +%s.%N)
    "$build/src/vr180-streaming" "$folder/in_LR_180_SBS.mp4" -o "$folder/$1.mp4" --scale 0.25 --restart --progress none \
        --set recovery.enable_checkpoints="$2" --set recovery.checkpoint_interval=300 --set logging.level=error
    end=$(date +%s.%N)
    times >"$folder/after"
    awk -v name="$1" -v a="$begin" -v b="$end" -v bytes="$(wc -c <"$folder/$1.mp4")" '
        FNR == 2 {for (i = 1; i <= 2; i++) {split($i, t, "m"); s[FILENAME] += 60 * t[1] + t[2]}; last = s[FILENAME] - first; first = s[FILENAME]}
        END {printf "%s %.2f %.2f %d\n", name, last, b - a, bytes}' "$folder/before" "$folder/after" | tee -a "$folder/all"
}

for round in $(seq "$rounds"); do
    if [ $((round % 2)) = 1 ]; then
        measure without false
        measure with true
    else
        measure with true
        measure without false
    fi
done
awk '{cpu[$1] += $2; wall[$1] += $3; size[$1] = $4}
    END {
        c = cpu["with"] / cpu["without"]; s = size["with"] / size["without"]
        printf "checkpoint_interval 300: CPU time x%.3f, wall time x%.3f, size x%.3f of the run without\n", c, wall["with"] / wall["without"], s
        exit c > 1.03 || s > 1.02
    }' "$folder/all"
