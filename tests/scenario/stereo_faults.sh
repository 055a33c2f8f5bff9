#!/bin/sh
# The real matter and the stereo manager when one eye fails for a while: black, frozen, out of focus, behind a finger for
# 30 frames, or with a poisoned state of the network.
# usage: stereo_faults.sh MEASURE_STEREO
. "$(dirname "$0")/program.sh"
needs_data

# In frames FIRST to LAST the failed eye's error is at most PART of what it is alone; the other eye's is never more than
# alone; from 10 frames after LAST both are as they are alone. The report has the line REPORT, in which S stands for the
# eye, and what it says was mended ends by then.
check() { # NAME, OPTION, VALUE, FIRST, LAST, PART, REPORT: for the left eye, which is the master, and for the right one
    for side in left right; do
        letter=L
        [ $side = left ] || letter=R
        value=$3
        [ $side = right ] || value=left:$3
        out=$("$program" --data "$data" --eye 192 --from 0 --count $(($5 + 13)) --each "$2" "$value" portrait-1m 2>&1)
        if echo "$out" | awk -v side=$side -v letter=$letter -v first="$4" -v last="$5" -v part="$6" '
            function worse(own, alone) { return own > 1.15 * alone + 0.015 }
            /^ +[0-9]+ +alone/ {
                frames++
                for (i = 1; i < NF; i++) {
                    if ($i == side) { bad_alone = $(i + 1); bad_mended = $(i + 3) }
                    else if ($i == "left" || $i == "right") { good_alone = $(i + 1); good_mended = $(i + 3) }
                }
                if (worse(good_mended, good_alone)) bad = 1
                if (($1 < first || $1 > last + 10) && worse(bad_mended, bad_alone)) bad = 1
                if ($1 >= first && $1 <= last && bad_mended > part * bad_alone + 0.015) bad = 1
            }
            $1 == "mended" && $2 == letter ":" { n = split($NF, range, "-"); if (range[n] > last + 10) bad = 1 }
            END { exit bad || frames != last + 13 }' && echo "$out" | grep -Eq "$(echo "$7" | sed "s/S:/$letter:/g")"; then
            ok "$side eye: $1"
        else
            not_ok "$side eye: $1" "see above"
            echo "$out" | sed 's/^/# /'
        fi
    done
}

check "finger over the lens for 30 frames" --fault finger:4:30 4 33 0.25 'mended S: 4-3[3-9]|mended S: 4-4'
check "black" --fault black:4:6 4 9 0.4 'black S: 4-9'
check "out of focus" --fault blurred:4:6 4 9 0.9 'blurred S: 4-9'
check "frozen while hardly anything moves" --fault frozen:4:6 4 9 1 'frozen S: 5-9'
# After ten frames out of focus the matter alone takes the wall beside the head for the man: the right eye's error 3 frames later.
if "$program" --data "$data" --eye 192 --from 0 --count 18 --each --fault blurred:4:10 portrait-near 2>&1 |
    awk '{ print } $1 == 17 { for (i = 1; i < NF; i++) if ($i == "right") good = $(i + 3) < 0.85 * $(i + 1) } END { exit !good }' >relapse; then
    ok "an eye that recovers goes on from what the other one remembers"
else
    not_ok "an eye that recovers goes on from what the other one remembers" "see above"
    sed 's/^/# /' relapse
fi
check "state that is not finite" --poison nan:5 5 8 1 '^portrait-1m'
check "state of another picture" --poison wrong:5 5 8 1 '^portrait-1m'
tap_done
