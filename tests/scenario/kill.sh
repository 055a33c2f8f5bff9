#!/bin/sh
# Killed anywhere and resumed equals the undisturbed run, byte for byte: kill -9 at every named fault point and at
# random times, also during resumes and during the end of the job.
# usage: kill.sh PROGRAM [ROUNDS]
. "$(dirname "$0")/program.sh"
rounds=${2:-60}

# B-frames, audio, and a frame count that is no multiple of the checkpoint interval.
ffmpeg -v error -f lavfi -i testsrc2=size=128x64:rate=30 -f lavfi -i sine=sample_rate=44100 -t 0.8 \
    -c:v libx264 -bf 2 -g 7 -pix_fmt yuv420p -c:a aac in.mp4

run() { # OUTPUT, environment's fault point
    VSM_FAULT=${2:-} "$program" in.mp4 -o "$1" --set output.format=green+matte \
        --set recovery.checkpoint_interval=5 --set input.layout=sbs --progress none --set logging.level=warn \
        >stdout 2>stderr
}

# Resumes until the job is complete; a run may be killed again.
finish() {
    for _ in 1 2 3 4 5; do
        run got.mp4 "${1:-}"
        code=$?
        [ $code = 0 ] && return 0
        [ $code = 137 ] || return 1
        killed=$((killed + 1))
        set -- ""
    done
    return 1
}

run want.mp4 "" || { not_ok "undisturbed run" "$(cat stderr)"; tap_done; exit 1; }
ok "undisturbed run"

killed=0
for point in $(strings -a "$program" | grep -xE '(file|mux|ckpt|index|output)\.[a-z_]+' | sort -u); do
    bad= hits=0
    for n in 1 2 3 6 11; do
        rm -rf got*
        run got.mp4 "$point:$n:kill"
        [ $? = 137 ] || break
        hits=$((hits + 1))
        finish "$point:1:kill" && same_outputs || bad="$bad $n($(tail -n 1 stderr))"
    done
    killed=$((killed + hits))
    [ -z "$bad" ] && ok "killed at $point, $hits times" || not_ok "killed at $point" "$bad"
done

[ $killed -ge 10 ] && ok "$killed kills at fault points" ||
    not_ok "kills at fault points" "only $killed: the points were not found in the program"

# Uniform in time: the whole run takes $total ms.
start=$(date +%s%N)
rm -rf got*
run got.mp4 ""
total=$((($(date +%s%N) - start) / 1000000))
bad=
for i in $(seq "$rounds"); do
    rm -rf got*
    ms=$((total * (i * 37 % rounds) / rounds + 5))
    VSM_FAULT= timeout -s KILL "$((ms / 1000)).$(printf %03d $((ms % 1000)))" "$program" in.mp4 -o got.mp4 \
        --set output.format=green+matte --set recovery.checkpoint_interval=5 --set input.layout=sbs \
        --progress none --set logging.level=warn >stdout 2>stderr
    [ $? = 0 ] || killed=$((killed + 1))
    finish && same_outputs || bad="$bad ${ms}ms($(tail -n 1 stderr))"
done
[ -z "$bad" ] && ok "killed at $rounds moments of a run" || not_ok "killed at random moments" "$bad"
echo "# $killed kills"
tap_done
