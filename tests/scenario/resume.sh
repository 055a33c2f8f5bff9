#!/bin/sh
# Killed and resumed equals the undisturbed run for every kind of input, part and output: files byte for byte, and
# what the report counts. Each job is killed at random calls to the outside, at a random moment, behind a checkpoint
# and again while resuming, and stopped by SIGTERM.
# usage: resume.sh PROGRAM (built with fault points)
. "$(dirname "$0")/program.sh"

tone='-f lavfi -i sine=sample_rate=44100'
ffmpeg -v error -f lavfi -i testsrc2=size=256x64:rate=30 $tone -t 0.5 -c:v libx264 -bf 3 -g 9 -x264-params open-gop=1 \
    -pix_fmt yuv420p -c:a aac sbs.mp4
ffmpeg -v error -f lavfi -i testsrc2=size=128x128:rate=30 -t 0.5 -c:v libx265 -x265-params log-level=error:bframes=4 \
    -pix_fmt yuv420p10le tb.mp4
ffmpeg -v error -f lavfi -i testsrc2=size=256x16:rate=30 $tone -t 1.5 -vf 'select=not(mod(n\,3))+gt(n\,15)' -fps_mode vfr \
    -c:v libx264 -bf 2 -g 12 -pix_fmt yuv420p -c:a libmp3lame vfr.mkv

counts() { # REPORT: what must not depend on kills
    sed -n '/"scene_cuts"/p; /"state_resets"/p; /"repeated"/p; /"stereo": {/,/^  }/p; /"views": {/,/^  }/p' "$1"
}

# resumes NAME, OUTPUT'S EXTENSION, INPUT, ARGUMENT...
killed=0
resumes() {
    name=$1 extension=$2 input=$3
    shift 3
    rm -rf want* got*
    run() { # OUTPUT, fault, COMMAND before the program's...
        out=$1 armed=$2
        shift 2
        VSM_FAULT=$armed "$@" --progress none --set logging.level=warn --set recovery.checkpoint_interval=4 \
            --set processing.threads=2 -o "$out.$extension" >stdout 2>stderr
    }
    begin=$(date +%s%N)
    run want "" "$program" "$input" "$@" || { not_ok "$name" "undisturbed: $(cat stderr)"; return; }
    total=$((($(date +%s%N) - begin) / 1000000))
    bad=
    for fault in mux.write:$((5 + tap_count * 3)):kill ckpt.done:2:kill ckpt.rename:2:kill moment term; do
        rm -rf got*
        code=137
        case $fault in
        moment) run got "" timeout -s KILL "$(awk -v t=$total -v n=$tap_count 'BEGIN {printf "%.3f", t * (0.4 + n % 5 / 9) / 1000}')" \
            "$program" "$input" "$@" || code=$? ;;
        term) start_and_wait_for got.$extension.vsmjob/ckpt-1 "$program" "$input" "$@" --progress none \
            --set logging.level=warn --set recovery.checkpoint_interval=4 --set processing.threads=2 -o got.$extension
            kill -TERM $pid 2>/dev/null
            wait $pid
            code=$? ;;
        *) run got $fault "$program" "$input" "$@"
            code=$? ;;
        esac
        [ $code != 137 ] || killed=$((killed + 1))
        [ $code = 137 ] || [ $code = 0 ] || [ $fault:$code = term:5 ] || bad="$bad $fault:exit$code"
        # The first resume is killed too, if it comes so far.
        run got mux.fsync:1:kill "$program" "$input" "$@"
        code=$?
        [ $code != 137 ] || killed=$((killed + 1))
        [ $code = 0 ] || run got "" "$program" "$input" "$@" || bad="$bad $fault:$(tail -n 1 stderr)"
        same_outputs || bad="$bad $fault:differs"
        [ "$(counts want.$extension.report.json)" = "$(counts got.$extension.report.json)" ] || bad="$bad $fault:report"
    done
    [ -z "$bad" ] && ok "$name" || not_ok "$name" "$bad"
}

resumes "a part of a video with B-frames and audio" mp4 sbs.mp4 --set input.layout=mono --start-frame 2 --max-frames 11
resumes "four outputs of two eyes" mp4 sbs.mp4 --set input.layout=sbs --set input.projection=half_equirect \
    --set output.format=green+matte+alpha_packed+ffv1_alpha --max-frames 10
resumes "top and bottom, 10 bit HEVC" mp4 tb.mp4 --set input.layout=tb --set output.codec=libx265 --max-frames 10
resumes "a variable frame rate" mkv vfr.mkv --set input.layout=mono
resumes "a variable frame rate from a frame on" mp4 vfr.mkv --set input.layout=mono --start-frame 7
# Killed behind a checkpoint that the last picture made.
rm -rf want* got*
to_the_end() { # OUTPUT, fault
    VSM_FAULT=$2 "$program" vfr.mkv -o "$1.mp4" --set input.layout=mono --start-frame 7 --set recovery.checkpoint_interval=$last \
        --set processing.threads=2 --progress none --set logging.level=warn >stdout 2>stderr
}
last=$(($(ffprobe -v error -count_packets -show_entries stream=nb_read_packets -select_streams v -of csv=p=0 vfr.mkv | tr -d ,) - 7))
to_the_end want ''
to_the_end got ckpt.done:1:kill
[ $? = 137 ] && to_the_end got '' && same_outputs && ok "killed behind the last picture's checkpoint" ||
    not_ok "killed behind the last picture's checkpoint" "$(tail -n 1 stderr)"

resumes "one eye to ProRes and matte" mov sbs.mp4 --set input.layout=mono --set output.format=prores4444 --max-frames 10
resumes "VP9 in WebM" webm vfr.mkv --set input.layout=mono --set output.codec=libvpx-vp9 --set output.audio=none --max-frames 10
resumes "off-centre fisheye circles seen through turned views, alpha-packed" mp4 sbs.mp4 --set input.layout=sbs \
    --set input.projection=fisheye --set "input.circles=64,32,30;65.5,31,30.2" --set matting.view=rectilinear \
    --set output.format=green+alpha_packed --max-frames 10
grep -q '"frames_turned": 10' want.mp4.report.json && ok "the report counts turned views" ||
    not_ok "the report counts turned views" "$(sed -n '/"views": {/,/^  }/p' want.mp4.report.json)"

# The file is that of the number of threads the job began with, whatever goes on with it.
bad=
for codec in libx264 libx265 libvpx-vp9; do
    rm -rf want* got*
    with() { # OUTPUT, threads, fault
        VSM_FAULT=$3 "$program" sbs.mp4 -o "$1.mp4" --set input.layout=mono --set output.codec=$codec --progress none \
            --set logging.level=warn --set recovery.checkpoint_interval=4 --set processing.threads=$2 >stdout 2>stderr
    }
    with want 3 ''
    with got 3 ckpt.done:1:kill
    [ $? = 137 ] && killed=$((killed + 1)) || bad="$bad $codec:not killed"
    with got 1 ckpt.done:1:kill
    [ $? = 137 ] && killed=$((killed + 1)) || bad="$bad $codec:not killed while resuming"
    with got 2 '' && same_outputs || bad="$bad $codec:$(tail -n 1 stderr)"
done
[ -z "$bad" ] && ok "begun with three threads, resumed with one, then two" || not_ok "another number of threads" "$bad"
echo "# $killed kills"
[ $killed -ge 40 ] && ok "$killed kills" || not_ok "enough kills" "only $killed"
tap_done
