#!/bin/sh
# What a careless or hostile user does to files around a job: strange names, links where outputs go, two jobs on one
# file, outputs that would overwrite the input, folders without room or without the right to write.
# usage: hostile.sh PROGRAM [its optimization level]
. "$(dirname "$0")/program.sh"

ffmpeg -v error -f lavfi -i testsrc2=size=256x16:rate=30 -t 0.5 -c:v libx264 -bf 2 -pix_fmt yuv420p in.mp4
cp in.mp4 saved

run() { # ARGUMENT...
    timeout 100 "$program" "$@" --set input.layout=mono --set recovery.checkpoint_interval=4 --progress none \
        --set logging.level=warn --set processing.threads=2 >stdout 2>stderr
}

run in.mp4 -o want.mp4 || { not_ok "undisturbed run" "$(cat stderr)"; tap_done; exit 1; }

# Names are names.
mkdir names
for name in 'a b.mp4' 'grün 猫.mp4' "$(printf 'new\nline.mp4')" "quote'\".mp4" '%s%n.mp4' '$(touch pwned).mp4' './-dash.mp4'; do
    run in.mp4 -o "names/$name" && cmp -s want.mp4 "names/$name" && ok "an output named $(printf %s "$name" | tr '\n' ' ')" ||
        not_ok "an output named $name" "$(tail -n 1 stderr)"
done
run in.mp4 -o -dash.mp4 && cmp -s want.mp4 ./-dash.mp4 && [ ! -e pwned ] && ok "an output that begins with a dash" ||
    not_ok "an output that begins with a dash" "$(tail -n 1 stderr)"

# Nothing that is written may be the input.
refused() { # NAME, ARGUMENT...
    name=$1
    shift
    run "$@"
    code=$?
    cmp -s saved "$1" || { cp saved "$1"; code="$code, input changed"; }
    [ "$code" = 1 ] && ok "$name" || not_ok "$name" "exit $code: $(tail -n 1 stderr)"
}
cp in.mp4 grows.mp4.part
refused "an input with the name under which the output grows" grows.mp4.part -o grows.mp4
refused "the report over the input" in.mp4 -o o.mp4 --set logging.report=./in.mp4
refused "the progress over the input" in.mp4 -o o.mp4 --set logging.progress_file="$PWD/in.mp4"
refused "the report over the output" in.mp4 -o o.mp4 --set logging.report=./o.mp4
refused "the progress over the output's beginning" in.mp4 -o o.mp4 --set logging.progress_file=o.mp4.part
mkdir -p folder.mp4 taken_matte.mp4
for output in folder.mp4 taken.mp4; do
    refused "a folder in the place of an output of $output" in.mp4 -o $output --set output.format=green+matte
    grep -q 'is a folder' stderr && [ -z "$(ls -d $output.* taken.mp4* 2>/dev/null)" ] && ok "and nothing is begun" ||
        not_ok "and nothing is begun" "$(ls -d $output.*) $(tail -n 1 stderr)"
done

# Links where files go are replaced or refused, never followed.
mkdir elsewhere
echo precious >victim
for link in l.mp4 l.mp4.part l.mp4.part.index l.mp4.report.json; do
    rm -f l.mp4*
    ln -s "$PWD/victim" $link
    run in.mp4 -o l.mp4
    code=$?
    [ "$(cat victim)" = precious ] && { [ $code = 3 ] || cmp -s want.mp4 l.mp4; } && ok "a link at $link: exit $code" ||
        not_ok "a link at $link" "exit $code, victim: $(head -c 20 victim): $(tail -n 1 stderr)"
    echo precious >victim
done
rm -rf l.mp4*
ln -s "$PWD/elsewhere" l.mp4.vsmjob
run in.mp4 -o l.mp4
[ $? = 3 ] && [ -z "$(ls elsewhere)" ] && ok "a link in place of the job folder" ||
    not_ok "a link in place of the job folder" "$(tail -n 1 stderr) $(ls elsewhere)"
rm -rf l.mp4*

# While it runs, nobody else may read what grows, and nobody else may write it.
ffmpeg -v error -stream_loop 60 -i in.mp4 -c copy long.mp4
start_and_wait_for long_out.mp4.vsmjob/ckpt-1 "$program" long.mp4 -o long_out.mp4 --set output.format=green+matte \
    --set input.layout=mono --set recovery.checkpoint_interval=4 --progress none --set logging.level=warn
modes=$(stat -c %a long_out.mp4.part long_out.mp4.part.index long_out.mp4.vsmjob long_out.mp4.vsmjob/lock | tr '\n' ' ')
[ "$modes" = "600 600 700 600 " ] && ok "growing files are private" || not_ok "growing files are private" "$modes"
run long.mp4 -o ./names/../long_out.mp4 --set output.format=green+matte
[ $? = 3 ] && grep -q "process $pid" stderr && ok "a second process on the output names the first" ||
    not_ok "a second process on the output names the first" "$(tail -n 1 stderr)"
run in.mp4 -o long_out_matte.mp4
[ $? = 3 ] && grep -q 'another process is writing' stderr && ok "a second process on another of its files" ||
    not_ok "a second process on another of its files" "$(tail -n 1 stderr)"
kill -TERM $pid
kill -TERM $pid
wait $pid
code=$?
[ $code = 5 ] && ok "stopped twice: exit 5" || not_ok "stopped twice" "exit $code: $(tail -n 1 stderr)"

# Folders without room, and without the right to write.
mkdir small
if mount -t tmpfs -o size=40k none small 2>/dev/null; then
    ffmpeg -v error -f lavfi -i testsrc2=size=256x16:rate=30 -t 2 -c:v libx264 -pix_fmt yuv420p two.mp4
    run two.mp4 -o two_want.mp4 --set output.codec=ffv1 -o two_want.mkv
    run two.mp4 --set output.codec=ffv1 -o small/out.mkv
    code=$?
    [ $code = 3 ] && grep -qi space stderr && [ ! -e small/out.mkv ] && ok "a full disk" ||
        not_ok "a full disk" "exit $code: $(tail -n 1 stderr)"
    mount -o remount,size=4m small
    run two.mp4 --set output.codec=ffv1 -o small/out.mkv && cmp -s two_want.mkv small/out.mkv && ok "goes on after room is made" ||
        not_ok "goes on after room is made" "$(tail -n 1 stderr)"
    mount -o remount,ro small
    run in.mp4 -o small/other.mp4
    code=$?
    [ $code = 3 ] && grep -qi 'read-only' stderr && ok "a folder that cannot be written" ||
        not_ok "a folder that cannot be written" "exit $code: $(tail -n 1 stderr)"
    umount small
else
    skip "full disk and read-only folder" "tmpfs cannot be mounted here"
fi

# What doc/security.md says about the binary; sanitizers bring their own calls.
if ! command -v readelf >/dev/null 2>&1 || nm -D "$program" | grep -q '__asan_init\|__tsan_init'; then
    skip "hardening" "no readelf, or a sanitizer build"
else
    calls=$(nm -D --undefined-only "$program" | grep -E ' (system|popen|exec[a-z]*|posix_spawnp?|v?fork)(@|$)')
    [ -z "$calls" ] && ok "no shell and no other program can be started" || not_ok "no shell can be started" "$calls"
    readelf -hdlW "$program" >elf
    grep -q 'Type: *DYN' elf && grep -q BIND_NOW elf && grep -q GNU_RELRO elf && grep -q 'GNU_STACK.* RW ' elf &&
        nm -D "$program" | grep -q __stack_chk_fail && ok "PIE, immediate binding, RELRO, stack protector" ||
        not_ok "hardening" "$(grep -E 'Type:|FLAGS|GNU_' elf)"
    checked=$(nm -D --undefined-only "$program" | grep -cE ' __(memset|memcpy|snprintf|pread(64)?)_chk(@|$)')
    case ${2:-} in
    0 | g | plain) skip "_FORTIFY_SOURCE" "a build without optimization" ;;
    *) [ "$checked" -ge 3 ] && ok "_FORTIFY_SOURCE: memset, memcpy, snprintf and pread are checked" ||
        not_ok "_FORTIFY_SOURCE" "$checked of 4 checked functions are called" ;;
    esac
fi

# The job folder of a machine whose clock is ahead.
sed -i 's/^updated .*/updated 9999999999/' long_out.mp4.vsmjob/status
"$program" status long_out.mp4 >stdout 2>stderr && grep -q 'last news  *0 s ago' stdout && ok "news from the future" ||
    not_ok "news from the future" "$(cat stdout stderr)"
tap_done
