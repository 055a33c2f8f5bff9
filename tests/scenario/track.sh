#!/bin/sh
# People followed by a tracker with synthetic weights: what the job does, not how well. Resumed equals undisturbed.
# usage: track.sh PROGRAM SAM2_WEIGHTS
weights=$(realpath "$2")
. "$(dirname "$0")/program.sh"
export XDG_DATA_HOME="$folder/data" XDG_CACHE_HOME="$folder/cache"

"$weights" golden/sam2/weights/edgetam.json edgetam.safetensors
if [ $? = 77 ]; then
    skip "all" "no reference data"
    tap_done
    exit 0
fi
ffmpeg -v error -f lavfi -i testsrc2=size=256x128:rate=30 -t 0.34 -c:v libx264 -bf 0 -g 5 -pix_fmt yuv420p in.mp4
# Ten frames. A box in both eyes, a second person on a later frame, more points, and one who leaves.
prompts='0 left 1 box 20 20 90 110; 0 right 1 box 18 20 88 110; 3 left 2 points +100,40 -10,10;
 6 left 1 points +50,60; 7 both 2 remove'
prompts=$(echo "$prompts" | tr -d '\n')

run() { # OUTPUT, fault point, further arguments
    out=$1 fault=$2
    shift 2
    VSM_FAULT=$fault timeout 100 "$program" in.mp4 -o "$out" --set input.layout=sbs --set matting.tracker_size=256 \
        --set matting.model=sam2 --set matting.tracker=edgetam.safetensors --set "matting.prompts=$prompts" \
        --set output.format=matte --set recovery.checkpoint_interval=4 --progress none --set logging.level=warn "$@" \
        >stdout 2>stderr
}

refuses() { # what, essential words, arguments
    what=$1 words=$2
    shift 2
    run refused.mp4 "" "$@"
    code=$?
    if [ $code -ge 1 ] && [ $code -le 4 ] && grep -q "$words" stderr; then
        ok "$what is refused"
    else
        not_ok "$what is refused" "exit $code: $(cat stderr)"
    fi
    rm -rf refused*
}

run want.mp4 "" && ok "sam2 alone" || { not_ok "sam2 alone" "$(cat stderr)"; tap_done; exit 1; }
frames=$(sed -n '/"track": {/,/"corrections"/p' want.mp4.report.json | tr -d ' \n')
case $frames in
*'"frames":10,"frames_without_anybody":0'*) ok "the report counts the followed frames" ;;
*) not_ok "the report counts the followed frames" "$frames" ;;
esac

# The optimised networks are stored; with them, with damaged ones and without any the output is the same.
entry=$(ls -d cache/vr180-streaming/graphs/*/)
[ -s "$entry/list" ] && run got.mp4 "" && cmp -s want.mp4 got.mp4 && ! grep -q stored stderr && ok "from stored networks" ||
    not_ok "from stored networks" "$entry: $(cat stderr)"
rm -rf got*
for file in "$entry"/encoder*.weights; do
    printf x | dd of="$file" bs=1 seek=5000 conv=notrunc 2>/dev/null
done
run got.mp4 "" && cmp -s want.mp4 got.mp4 && [ "$(grep -c damaged stderr)" = 1 ] && [ -s "$entry/list" ] &&
    ok "damaged stored networks are made again" || not_ok "damaged stored networks" "$(cat stderr)"
"$program" models clear-cache | grep -q "[1-9][0-9.]* MB of optimised networks deleted" && [ ! -e "$entry" ] &&
    ok "models clear-cache" || not_ok "models clear-cache" "$(ls -l "$entry")"
rm -rf got*
run got.mp4 "" --set models.graph_cache=false && cmp -s want.mp4 got.mp4 && [ ! -e "$entry" ] &&
    ok "without storing networks" || not_ok "without storing networks" "$(cat stderr)"

# A limit of file sizes, 4 to 8 MB, stands for a disk that becomes full: nothing half is left, and the job goes on.
rm -rf got* cache
(ulimit -f 8192 && run got.mp4 "") && cmp -s want.mp4 got.mp4 && [ -z "$(find cache -type f)" ] &&
    [ "$(grep -c 'cannot be stored' stderr)" = 1 ] && ok "no room for the stored networks" ||
    not_ok "no room for the stored networks" "$(find cache -type f) $(cat stderr)"

# Killed behind a checkpoint and at a bad moment of the next one.
if strings -a "$program" | grep -qx ckpt.rename; then
    for point in ckpt.done:1:kill ckpt.rename:2:kill; do
        rm -rf got*
        run got.mp4 $point
        [ $? = 137 ] && [ -e got.mp4.vsmjob ] && run got.mp4 "" && cmp -s want.mp4 got.mp4 &&
            [ "$(grep '"consistency_m' want.mp4.report.json)" = "$(grep '"consistency_m' got.mp4.report.json)" ] &&
            ok "killed at $point and resumed equals the undisturbed run" ||
            not_ok "killed at $point and resumed" "$(tail -n 1 stderr)"
    done
    rm -rf got*
    run got.mp4 ckpt.done:1:kill
    prompts="$prompts; 9 both 1 remove"
    run got.mp4 ""
    [ $? = 1 ] && grep -q settings stderr && ok "other prompts are not resumed" ||
        not_ok "other prompts are not resumed" "$(tail -n 1 stderr)"
    prompts=${prompts%; 9*}
else
    skip "killed and resumed" "built without fault points"
fi

# Fused with the matter: gated, so never more than the matter alone sees, but for what is filled.
run both.mp4 "" --set matting.model=sam2+rvm --set matting.max_conditioning_frames=2 && ok "sam2+rvm" ||
    not_ok "sam2+rvm" "$(cat stderr)"

# Through a turned view of 90 degrees: the left half of the eye, as far as the view shows it. The mask alone has no view.
ffmpeg -v error -f lavfi -i color=black:size=64x64 -vf drawbox=0:0:32:64:white:fill -frames:v 1 left.png
saved=$prompts
prompts='0 both 1 mask left.png'
run turned.mp4 "" --set matting.model=sam2+rvm --set matting.view=rectilinear --set matting.view_fov=90 \
    --set input.projection=half_equirect || not_ok "a turned view" "$(cat stderr)"
luma=
for x in 10 48 80 176 208; do
    luma="$luma $(ffmpeg -v error -i turned.mp4 -frames:v 1 -vf "crop=2:2:$x:64" -f rawvideo -pix_fmt gray - |
        od -An -v -tu1 -w1 | head -n 1 | tr -d ' ')"
done
set -- $luma
[ $# = 5 ] && [ "$1" -le 17 ] && [ "$2" -ge 230 ] && [ "$3" -le 17 ] && [ "$4" -ge 230 ] && [ "$5" -le 17 ] &&
    ok "masks through a turned view" || not_ok "masks through a turned view" "$luma"
refuses "a turned view of masks alone" "need a matter" --set matting.view=rectilinear
prompts=$saved

# A mask for the left eye alone; the right eye sees everything 6 pixels further left.
mv in.mp4 unrelated.mp4
ffmpeg -v error -f lavfi -i testsrc2=size=134x128:rate=30 -t 0.1 -vf "split[a][b];[a]crop=128:128:0:0[l];[b]crop=128:128:6:0[r];[l][r]hstack" \
    -c:v libx264 -qp 10 -pix_fmt yuv420p in.mp4
prompts='0 left 1 mask left.png'
run carried.mp4 "" --set input.projection=half_equirect --set logging.stereo_list=alike.list
luma=$(for x in 58 70 178 190; do
    ffmpeg -v error -i carried.mp4 -frames:v 1 -vf "crop=2:2:$x:64" -f rawvideo -pix_fmt gray - |
        od -An -v -tu1 -w1 | head -n 1
done | tr -d ' ' | tr '\n' ' ')
set -- $luma
[ $# = 4 ] && [ "$1" -ge 200 ] && [ "$2" -le 40 ] && [ "$3" -ge 200 ] && [ "$4" -le 60 ] &&
    grep -q '"prompts_carried": 1' carried.mp4.report.json && ok "a prompt goes to the other eye by disparity" ||
    not_ok "a prompt goes to the other eye by disparity" "$luma $(grep carried carried.mp4.report.json)"

# How well masks alone agree is measured: the same person in both eyes, and somebody in one eye only.
ffmpeg -v error -f lavfi -i color=black:size=64x64 -vf drawbox=32:0:32:64:white:fill -frames:v 1 right.png
prompts='0 left 1 mask left.png; 0 right 1 mask right.png'
run unlike.mp4 "" --set input.projection=half_equirect --set logging.stereo_list=unlike.list --max-frames 1
agree() { sed -n '1s/.*"people":true,"consistency":\([0-9.]*\),.*/\1/p' "$1"; }
echo "$(agree alike.list) $(agree unlike.list)" | awk 'NF == 2 && $1 > 0.7 && $2 < 0.3 { good = 1 } END { exit !good }' &&
    grep -q '"consistency_mean": 0' carried.mp4.report.json && ok "the agreement of masks alone is measured" ||
    not_ok "the agreement of masks alone is measured" "$(cat alike.list unlike.list stderr)"
mv unrelated.mp4 in.mp4
prompts=$saved

# Nobody: an empty matte and a warning, no failure.
prompts='5 left 1 box 20 20 90 110'
run nobody.mp4 "" && grep -q 'nobody to follow in frame 0' stderr && ok "frames without anybody" ||
    not_ok "frames without anybody" "$(cat stderr)"
brightest=$(ffmpeg -v error -i nobody.mp4 -frames:v 4 -vf scale=256:128 -f rawvideo -pix_fmt gray - | od -An -v -tu1 -w1 |
    sort -n | tail -n 1 | tr -d ' ')
[ "$brightest" -le 17 ] && ok "their mattes are empty" || not_ok "their mattes are empty" "brightest $brightest"

# A prompt that shows nobody: a warning that names it, and an empty matte.
ffmpeg -v error -f lavfi -i color=black:size=64x64 -frames:v 1 black.png
prompts='0 both 1 mask black.png'
run empty.mp4 "" --max-frames 1 && [ "$(grep -c 'prompt 1: the tracker sees nobody there' stderr)" = 2 ] &&
    ok "a prompt on nobody" || not_ok "a prompt on nobody" "$(cat stderr)"
brightest=$(ffmpeg -v error -i empty.mp4 -f rawvideo -pix_fmt gray - | od -An -v -tu1 -w1 | sort -n | tail -n 1 | tr -d ' ')
[ "$brightest" -le 17 ] && ok "its matte is empty" || not_ok "its matte is empty" "brightest $brightest"

prompts='0 left 1 box 20 20 200 110'
refuses "a box outside the eye" "prompt 1: 200,110 is outside the eye's picture of 128 x 128"
prompts='0 left 1 box 2 2 20 11; 10 left 1 points +1,1'
refuses "a frame behind the end" "prompt 2: frame 10 is not among those to be made, 0 to 9"
prompts='0 right 1 box 20 20 100 110'
refuses "an eye that is not there" "no right eye" --set input.layout=mono
prompts='0 left 1 mask nowhere.png'
refuses "a mask that is not there" "nowhere.png"
prompts='0 left 1 box 20 20 90 110'
refuses "a size that does not fit" "multiple of 256" --set matting.tracker_size=128
refuses "a checkpoint that is not installed" "models pull edgetam" --set matting.tracker=edgetam
refuses "an unknown checkpoint" "unknown model" --set matting.tracker=sam7
refuses "a missing file" "./x.pt" --set matting.tracker=./x.pt
refuses "another file" "in.mp4" --set matting.tracker=in.mp4
refuses "no checkpoint at all" "no checkpoint of SAM 2 is installed" --set matting.tracker=
refuses "a correction without a tracker" "has none" --set matting.model=rvm --set matting.continuous_correction=true
prompts=
refuses "prompts and detector both missing" "there is no detector" --set models.dir="$folder"

# Everybody whom the detector finds, which is nobody in a test picture; and the plan.
run all.mp4 "" --set matting.continuous_correction=true --set matting.correction_interval=3 && ok "by the detector" ||
    not_ok "by the detector" "$(cat stderr)"
"$program" models clear-cache >clear-out
run dry.mp4 "" --dry-run --set matting.model=sam2+rvm && grep -q 'tracker     edgetam (weights of unknown licence)' stdout &&
    grep -q 'everybody whom the detector finds' stdout && [ ! -e dry.mp4 ] && ok "the plan tells of the tracker" ||
    not_ok "the plan tells of the tracker" "$(cat stdout stderr)"
grep -q "[1-9][0-9.]* MB" clear-out && [ -z "$(find cache -type f)" ] && ok "the plan stores no networks" ||
    not_ok "the plan stores no networks" "$(find cache -type f) $(cat clear-out)"
if command -v nvidia-smi >/dev/null 2>&1; then
    skip "CUDA without a GPU" "there may be one"
else
    refuses "CUDA without a GPU" "processing.device: cuda cannot be used (.*); use cpu or auto" --set processing.device=cuda
fi
tap_done
