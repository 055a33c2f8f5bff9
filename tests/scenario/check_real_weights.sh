#!/bin/sh
# What a user with a checkpoint runs to see whether it is the real thing: what it prints, and what it says of what is no checkpoint.
# usage: check_real_weights.sh CHECK_REAL_WEIGHTS SAM2_WEIGHTS
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../tap.sh"
check=$(realpath "$1")
weights=$(realpath "$2")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1

refuses() { # what, essential words, arguments
    what=$1 words=$2
    shift 2
    timeout 60 "$check" "$@" >stdout 2>stderr
    code=$?
    [ $code = 1 ] && grep -q "$words" stderr && [ "$(wc -l <stderr)" = 1 ] && ok "$what" ||
        not_ok "$what" "exit $code: $(cat stdout stderr)"
}

refuses "without arguments" "usage: check_real_weights CHECKPOINT"
refuses "no file" "x.pt: cannot be opened: No such file" x.pt
refuses "a folder" "not a regular file" .
refuses "another kind of file" "neither a torch .pt archive nor a safetensors file" "$check"
printf '\100\0\0\0\0\0\0\0{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}          \0\0\0\0' >other.safetensors
refuses "another family" "neither SAM 2, SAM 2.1 nor EdgeTAM" other.safetensors
: >empty.pt
refuses "an empty file" "empty.pt" empty.pt

"$weights" golden/sam2/weights/edgetam.json edgetam.safetensors
if [ $? = 77 ]; then
    skip "with a checkpoint" "no reference data"
    tap_done
    exit
fi
timeout 60 "$check" edgetam.safetensors >stdout 2>stderr && grep -q "edgetam.safetensors: edgetam, intact, all tensors there" stdout &&
    [ ! -s stderr ] && ok "a file alone" || not_ok "a file alone" "$(cat stdout stderr)"
head -c 30000000 edgetam.safetensors >cut.safetensors
refuses "a download cut short" "cut.safetensors.*cut" cut.safetensors
rm cut.safetensors
refuses "a picture without a click" "usage" edgetam.safetensors car.png
refuses "no picture" "car.png" edgetam.safetensors car.png 10 20
refuses "a click that is no number" "usage" edgetam.safetensors car.png ten 20
if ! command -v ffmpeg >/dev/null 2>&1; then
    skip "with a picture" "the ffmpeg command is not installed"
    tap_done
    exit
fi
ffmpeg -v error -f lavfi -i testsrc2=size=180x120 -frames:v 1 -pix_fmt rgb24 car.png
ffmpeg -v error -f lavfi -i testsrc2=size=180x120 -frames:v 1 -pix_fmt rgb48be deep.png
refuses "a picture of 16 bits" "deep.png: not 8 bits" edgetam.safetensors deep.png 10 20
refuses "a click outside the picture" "outside" edgetam.safetensors car.png 181 60
timeout 60 "$check" edgetam.safetensors car.png 100 60 1 >stdout 2>stderr &&
    grep -q "^predicted IoU: [01]\.[0-9]* [01]\.[0-9]* [01]\.[0-9]*; object score" stdout &&
    grep -q "^for car.png, 1000 600:  0.0356 0.2141 0.9707 (edgetam)" stdout && ok "the known qualities stand beside" ||
    not_ok "the known qualities stand beside" "$(cat stdout stderr)"
tap_done
