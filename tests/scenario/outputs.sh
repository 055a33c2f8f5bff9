#!/bin/sh
# A job with a list of outputs that differ in codec, size and projection: what each file says of itself to an
# independent reader, the same bytes however often the job is killed, and one failing output.
# usage: outputs.sh PROGRAM [built with fault points: also kills and faults]
. "$(dirname "$0")/program.sh"

# HDR10: 10 bits, PQ, BT.2020, mastering display and light levels.
hdr='colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400'
ffmpeg -v error -f lavfi -i testsrc2=size=256x128:rate=30 -f lavfi -i sine -t 0.3 -c:v libx265 -x265-params "$hdr:log-level=none" \
    -pix_fmt yuv420p10le -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc -color_range tv -c:a aac in.mp4

list='alpha_packed, fisheye_fov=190, codec=libx265, path=packed.mp4; green, resize=0.5, crf=28, audio=none, path=half.mp4;
    vp9_alpha, path=v.webm; png, path=frames; exr, path=linear; matte, codec=ffv1, path=m.mkv;
    green, projection=fisheye, path=circles.mkv; green, vr_boxes=apmp, path=apple.mov'

run() { # FOLDER, fault, threads
    mkdir -p "$1"
    (cd "$1" && VSM_FAULT=${2:-} timeout 100 "$program" ../in.mp4 --set output.list="$list" --set input.layout=sbs \
        --set input.projection=half_equirect --set processing.threads=${3:-2} --set recovery.checkpoint_interval=4 \
        --progress none --set logging.level=warn >../stdout 2>../stderr)
}

same() {
    diff -rq -x '*.report.json' want got >/dev/null
}

run want || { not_ok "a list of outputs" "$(cat stderr)"; tap_done; exit 1; }
ok "a list of outputs"

# is FILE, STREAM'S ENTRIES, WANTED
is() {
    found=$(ffprobe -v error -count_frames -select_streams v -show_entries "stream=$2" -of csv=p=0 "want/$1" | head -n 1 | sed "s/,*$//")
    [ "$found" = "$3" ] && ok "$1: $3" || not_ok "$1: $3" "$found"
}
is packed.mp4 codec_name,width,height,pix_fmt,nb_read_frames hevc,256,128,yuv420p10le,9
is half.mp4 codec_name,width,height,pix_fmt,nb_read_frames hevc,128,64,yuv420p10le,9
is v.webm codec_name,width,height,nb_read_frames vp9,256,128,9
is m.mkv codec_name,width,height,pix_fmt,nb_read_frames ffv1,256,128,gray16le,9
is circles.mkv codec_name,width,height,pix_fmt,nb_read_frames hevc,256,128,yuv420p10le,9
is apple.mov codec_name,width,height,pix_fmt,nb_read_frames hevc,256,128,yuv420p10le,9
is frames/00000008.png codec_name,width,height,pix_fmt png,256,128,rgba64be
is linear/00000008.exr codec_name,width,height,pix_fmt exr,256,128,gbrapf32le
[ "$(ls want/frames want/linear | grep -c 0000)" = 18 ] && ok "a file a frame" || not_ok "a file a frame" "$(ls want/frames)"

# When each picture is shown, to the millisecond that Matroska keeps.
shown() { # FILE
    ffprobe -v error -select_streams v -show_entries packet=pts_time -of csv=p=0 "$1" | awk 'NF {printf "%.3f\n", $1}' | sort -n
}
shown in.mp4 >shown
[ "$(wc -l <shown)" = 9 ] || not_ok "times of the input" "$(cat shown)"
for file in packed.mp4 half.mp4 v.webm m.mkv circles.mkv apple.mov; do
    shown want/$file | cmp -s - shown && ok "$file: the input's times" || not_ok "$file: the input's times" "$(shown want/$file | tr '\n' ' ')"
done

# Colour and HDR in every file that can hold them.
for file in packed.mp4 half.mp4 circles.mkv apple.mov; do
    is $file color_space,color_transfer,color_primaries bt2020nc,smpte2084,bt2020
    facts=$(ffprobe -v error -select_streams v -show_frames -read_intervals %+#1 "want/$file")
    case $facts in
    *max_luminance=10000000/10000*max_content=1000*) ok "$file: mastering display and light levels" ;;
    *) not_ok "$file: mastering display and light levels" "" ;;
    esac
done
is v.webm color_space,color_transfer,color_primaries bt2020nc,smpte2084,bt2020

# The VR boxes: Google's, Apple's alone, and none where circles are drawn.
boxes() { strings -a -n 4 "want/$1" | grep -oE 'sv3d|st3d|vexu|hfov|pkin' | sort -u | tr '\n' ' '; }
[ "$(boxes apple.mov)" = "hfov pkin vexu " ] && ok "vexu without sv3d" || not_ok "vexu without sv3d" "$(boxes apple.mov)"
[ "$(boxes half.mp4)" = "st3d sv3d " ] && ok "sv3d without vexu" || not_ok "sv3d without vexu" "$(boxes half.mp4)"
[ "$(boxes packed.mp4)" = "" ] && ok "no boxes on circles" || not_ok "no boxes on circles" "$(boxes packed.mp4)"

audio=$(for f in packed.mp4 circles.mkv apple.mov half.mp4 m.mkv; do
    ffprobe -v error -select_streams a -show_entries stream=codec_name -of csv=p=0 "want/$f" | tr '\n' ' '
done)
[ "$audio" = "aac aac aac aac " ] && ok "audio where it is wanted" || not_ok "audio where it is wanted" "$audio"

# The VP9 file's alpha picture is the matte.
if ffmpeg -v error -y -c:v libvpx-vp9 -i want/v.webm -vf alphaextract,format=gray -f rawvideo alpha.raw 2>stderr &&
    ffmpeg -v error -y -i want/m.mkv -vf scale=in_range=tv:out_range=pc,format=gray -f rawvideo matte.raw 2>>stderr; then
    [ "$(wc -c <alpha.raw)" = "$(wc -c <matte.raw)" ] && ok "vp9_alpha has an alpha picture a frame" ||
        not_ok "vp9_alpha has an alpha picture a frame" "$(wc -c <alpha.raw) bytes"
else
    skip "vp9_alpha's alpha" "$(tail -n 1 stderr)"
fi

# HLG in every kind of file.
ffmpeg -v error -f lavfi -i testsrc2=size=128x64:rate=30 -frames:v 2 -c:v ffv1 -pix_fmt yuv420p10le -color_primaries bt2020 \
    -color_trc arib-std-b67 -colorspace bt2020nc -color_range tv hlg.mkv
mkdir -p hlg
timeout 100 "$program" hlg.mkv -o hlg/out.mp4 --set output.list='green, codec=libx265, path=hlg/green.mp4;
    alpha_packed, codec=libx265, path=hlg/packed.mp4; prores4444, path=hlg/p.mov; ffv1_alpha, path=hlg/f.mkv;
    vp9_alpha, path=hlg/v.webm' --set input.layout=sbs --set input.projection=half_equirect --progress none >stdout 2>stderr ||
    not_ok "HLG" "$(tail -n 1 stderr)"
for file in green.mp4 packed.mp4 p.mov f.mkv v.webm; do
    is ../hlg/$file color_space,color_transfer,color_primaries bt2020nc,arib-std-b67,bt2020
done

# HDR10 in the files with alpha too, whose containers write it in other words; and a matte of 10 bits.
mkdir -p hdr
timeout 100 "$program" in.mp4 --max-frames 2 --set output.list='prores4444, path=hdr/p.mov; ffv1_alpha, path=hdr/f.mkv;
    vp9_alpha, path=hdr/v.webm; matte, codec=libx265, path=hdr/m.mp4' --set input.layout=sbs --set input.projection=half_equirect \
    --progress none >stdout 2>stderr || not_ok "HDR10" "$(tail -n 1 stderr)"
for file in p.mov f.mkv v.webm; do
    facts=$(ffprobe -v error -select_streams v -show_streams hdr/$file | tr '\n' ' ')
    case $facts in
    *smpte2084*max_luminance=1000*max_content=1000* | *smpte2084*max_content=1000*max_luminance=1000*) ok "$file: HDR10" ;;
    *) not_ok "$file: HDR10" "$facts" ;;
    esac
done
is ../hdr/m.mp4 codec_name,pix_fmt hevc,yuv420p10le

# Fisheye eyes side by side, exchanged, and one above the other: the same circles come of them.
eyes="[0]split[a][b];[a]crop=64:64:0:0[l];[b]crop=64:64:64:0[r]"
small='-f lavfi -i testsrc2=size=128x64:rate=30 -frames:v 3'
ffmpeg -v error $small -c:v ffv1 -pix_fmt yuv420p a_FISHEYE190_LR.mkv
ffmpeg -v error -i a_FISHEYE190_LR.mkv -filter_complex "$eyes;[r][l]hstack" -c:v ffv1 a_FISHEYE190_RL.mkv
ffmpeg -v error -i a_FISHEYE190_LR.mkv -filter_complex "$eyes;[l][r]vstack" -c:v ffv1 a_FISHEYE190_TB.mkv
for order in LR RL TB; do
    timeout 100 "$program" a_FISHEYE190_$order.mkv -o $order.mkv --set output.projection=fisheye --set output.codec=ffv1 \
        --set input.circles=32,32,32 \
        --set stereo.mode=independent --progress none >stdout 2>stderr || not_ok "fisheye $order" "$(tail -n 1 stderr)"
    ffmpeg -v error -i $order.mkv -f framemd5 - 2>&1 | grep -v '^#' >$order.md5
done
[ -s LR.md5 ] && cmp -s LR.md5 RL.md5 && cmp -s LR.md5 TB.md5 && ok "fisheye eyes in any order" ||
    not_ok "fisheye eyes in any order" "$(cat ./*.md5)"

# Fisheye eyes as half-equirect ones, with the boxes and the name of those; half-equirect ones stay as they are.
ffmpeg -v error -i a_FISHEYE190_LR.mkv -c:v libx264 -qp 0 a_FISHEYE190_RL.mp4
timeout 100 "$program" a_FISHEYE190_RL.mp4 --set output.projection=half_equirect --set output.codec=libx264 --set input.circles=32,32,32 \
    --set stereo.mode=independent --progress none >stdout 2>stderr || not_ok "half-equirect" "$(tail -n 1 stderr)"
facts=$(ffprobe -v error -select_streams v -show_streams a_LR_180_SBS.mp4 2>&1 | tr '\n' ' ')
case $facts in
*width=128*height=64*side_data_type=Stereo*"side by side"*inverted=0*Spherical*) ok "fisheye eyes become half-equirect" ;;
*) not_ok "fisheye eyes become half-equirect" "$(ls *.mp4) $facts" ;;
esac
timeout 100 "$program" in.mp4 --dry-run --set output.projection=half_equirect --set input.layout=sbs --set input.projection=half_equirect >stdout 2>stderr
grep -A 1 '^output' stdout | grep -q '256x128, [^h]' && ! grep -A 1 '^output' stdout | grep -q half-equirect && ok "half-equirect stays" || not_ok "half-equirect stays" "$(grep -A 2 '^output' stdout; tail -n 1 stderr)"

timeout 100 "$program" a_FISHEYE190_LR.mkv -o flat.mkv --set input.projection=rectilinear --set output.format=alpha_packed \
    --progress none >stdout 2>stderr
[ $? = 1 ] && grep -q 'alpha_packed.*two half-equirect or fisheye eyes' stderr && ok "no circles from flat eyes" ||
    not_ok "no circles from flat eyes" "$(tail -n 1 stderr)"

# Outputs encoded side by side.
run got "" 5 && same && ok "encoders side by side: the same bytes" || not_ok "encoders side by side: the same bytes" "$(tail -n 1 stderr)"

if ! strings -a "$program" | grep -qx VSM_FAULT; then
    skip "kills and faults" "built without fault points"
    tap_done
    exit $?
fi

killed=0 bad=
for threads in 2 5; do
    for fault in mux.write:30:kill file.rename:12:kill file.write:25:kill ckpt.done:1:kill ckpt.rename:2:kill; do
        rm -rf got
        run got $fault $threads
        [ $? = 137 ] && killed=$((killed + 1))
        run got "" $threads && same || bad="$bad $threads threads, $fault($(tail -n 1 stderr))"
    done
done
[ -z "$bad" ] && [ $killed -ge 6 ] && ok "killed $killed times: the same bytes" || not_ok "killed $killed times" "$bad"

# One output's disk is full behind the first checkpoint: the job ends with 3, the others go on from there.
for threads in 2 5; do
    rm -rf got
    run got file.write:20:28:sticky $threads
    code=$?
    [ $code = 3 ] && grep -q 'error:.*[Nn]o space left' stderr && [ ! -e got/frames ] && ok "a failing output ends the job" ||
        not_ok "a failing output ends the job" "$threads threads, exit $code, $(tail -n 1 stderr)"
    run got "" $threads && same && ok "and the next run completes all" || not_ok "and the next run completes all" "$(tail -n 1 stderr)"
done
tap_done
