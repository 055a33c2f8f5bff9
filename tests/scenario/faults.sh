#!/bin/sh
# Faults of the outside world in the whole program: a full disk, I/O errors, interrupted calls and failing allocations
# end in a clear error and the documented exit code, and the job goes on afterwards to the undisturbed result.
# usage: faults.sh PROGRAM (built with fault points)
. "$(dirname "$0")/program.sh"

ffmpeg -v error -f lavfi -i testsrc2=size=128x64:rate=30 -f lavfi -i sine -t 0.5 -c:v libx264 -bf 2 -g 7 \
    -pix_fmt yuv420p -c:a aac in.mp4

run() { # OUTPUT, fault
    VSM_FAULT=${2:-} timeout 100 "$program" in.mp4 -o "$1" --set output.format=green+matte \
        --set recovery.checkpoint_interval=4 --set input.layout=mono --progress none --set logging.level=warn \
        >stdout 2>stderr
}

resumes() {
    run got.mp4 "" && cmp -s want.mp4 got.mp4 && cmp -s want_matte.mp4 got_matte.mp4
}

run want.mp4 "" || { not_ok "undisturbed run" "$(cat stderr)"; tap_done; exit 1; }
ok "undisturbed run"

# errno 28 is ENOSPC, 5 is EIO. A fault either ends the run with exit 3 (output; 1, 2 or 4 for files read at the
# start) and a message, or it was harmless and the result is right.
for fault in mux.write:2:28:sticky mux.write:9:28:sticky mux.write:9:5 mux.fsync:3:5 mux.truncate:1:5 mux.open:1:28 \
    ckpt.write:3:28:sticky ckpt.fsync:2:5 ckpt.rename:2:5 ckpt.fsync_folder:2:5 ckpt.create:2:28 file.write:3:28 \
    file.rename:2:28 file.read:1:5 file.read:60:5 file.open:1:13 file.open:2:13 file.open:4:13; do
    rm -rf got*
    run got.mp4 $fault
    code=$?
    case $code in
    0) resumes && ok "$fault is harmless" || not_ok "$fault" "exit 0, wrong result" ;;
    [1-4])
        if ! grep -q 'error:' stderr; then
            not_ok "$fault" "exit $code without a message"
        elif [ -e got.mp4 ] && [ -e got_matte.mp4 ] && ! resumes; then
            not_ok "$fault" "left files that look whole"
        elif resumes; then
            ok "$fault: exit $code, and the next run completes it"
        else
            not_ok "$fault" "cannot go on: $(tail -n 1 stderr)"
        fi
        ;;
    *) not_ok "$fault" "exit $code: $(tail -n 1 stderr)" ;;
    esac
done

# Files beside the outputs: the report, and the progress in a file.
rm -rf got*
for fault in progress.open:1:28 report; do
    armed=$fault
    [ $fault != report ] || mkdir r.json
    VSM_FAULT=$armed "$program" in.mp4 -o got.mp4 --set input.layout=mono --progress json --set logging.level=warn \
        --set logging.progress_file=p.json --set logging.report=r.json --max-frames 2 >stdout 2>stderr
    code=$?
    [ $code = 3 ] && grep -q 'error: .*[pr].json' stderr && [ -z "$(ls -- *.tmp 2>/dev/null)" ] && ok "$fault: exit 3" ||
        not_ok "$fault" "exit $code: $(tail -n 1 stderr) $(ls)"
    rm -rf got* r.json
done

# EINTR is not an error.
for fault in mux.write:3:4 file.write:2:4 file.read:1:4; do
    rm -rf got*
    run got.mp4 $fault && cmp -s want.mp4 got.mp4 && ok "$fault" || not_ok "$fault" "$(tail -n 1 stderr)"
done

# The n-th allocation fails: an error and no crash, whichever it is.
bad=
n=1
while [ $n -lt 6000 ]; do
    rm -rf got*
    run got.mp4 mem.alloc:$n:12
    code=$?
    case $code in
    0) break ;;
    [1-4] | 70) grep -q 'error:' stderr || bad="$bad $n:silent" ;;
    *) bad="$bad $n:exit$code" ;;
    esac
    n=$((n * 3 / 2 + 1))
done
[ -z "$bad" ] && ok "failing allocations" || not_ok "failing allocations" "$bad"

# Stopped on request: exit 5 at a checkpoint, then the same file.
rm -rf got*
start_and_wait_for got.mp4.part "$program" in.mp4 -o got.mp4 --set output.format=green+matte \
    --set recovery.checkpoint_interval=4 --set input.layout=mono --progress none --set logging.level=warn
kill -INT $pid
wait $pid
code=$?
if [ $code = 5 ] && [ ! -e got.mp4 ] && resumes; then
    ok "interrupted: exit 5, and the next run completes it"
elif [ $code = 0 ]; then
    skip "interrupted" "the job was done before the signal came"
else
    not_ok "interrupted" "exit $code: $(tail -n 1 stderr)"
fi

# Without checkpoints: what was made is closed properly under the temporary rules, exit 5.
rm -rf got*
start_and_wait_for got.mp4.part "$program" in.mp4 -o got.mp4 --set recovery.enable_checkpoints=false \
    --set input.layout=mono --progress none --set logging.level=warn
kill -INT $pid
wait $pid
code=$?
[ $code = 5 ] || [ $code = 0 ] && ok "interrupted without checkpoints: exit $code" ||
    not_ok "interrupted without checkpoints" "exit $code: $(tail -n 1 stderr)"

# Another process at work, another input, other settings.
rm -rf got*
run got.mp4 ckpt.done:1:kill
cp in.mp4 in.saved
printf 'x' >>in.mp4
run got.mp4 ""
[ $? = 2 ] && grep -q 'input' stderr && ok "a changed input is refused" || not_ok "a changed input is refused" "$(tail -n 1 stderr)"
mv in.saved in.mp4
"$program" in.mp4 -o got.mp4 --set output.format=green+matte --set recovery.checkpoint_interval=4 \
    --set input.layout=mono --set output.crf=30 --progress none >stdout 2>stderr
[ $? = 1 ] && grep -q 'settings' stderr && ok "changed settings are refused" || not_ok "changed settings are refused" "$(tail -n 1 stderr)"
"$program" status got.mp4 >stdout 2>stderr && grep -q stopped stdout && ok "status of a stopped job" || not_ok "status" "$(cat stdout stderr)"
resumes && ok "and the job still goes on" || not_ok "and the job still goes on" "$(tail -n 1 stderr)"
tap_done
