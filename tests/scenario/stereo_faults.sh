#!/bin/sh
# The real matter and the stereo manager when one eye fails for a while. Arguments: measure_stereo. Prints TAP.
set -u
tool=$1
here=$(cd "$(dirname "$0")" && pwd)
shared=${VSM_SHARED:-$here/../../../shared}
data=$shared/data
if [ ! -d "$data" ]; then
    echo "1..0 # SKIP no shared data"
    exit 0
fi
n=0 failed=0

# The person's error in the failed eye must be under a third of what it is alone, and the report must name the frames.
check() { # fault, line of the report
    n=$((n + 1))
    out=$("$tool" --data "$data" --eye 256 --from 0 --count 12 --each --fault "$1" portrait-1m 2>&1)
    if echo "$out" | awk '/^portrait-1m/ { for (i = 1; i < NF; i++) if ($i == "right") good = $(i + 3) < $(i + 1) / 3 }
            END { exit !good }' && echo "$out" | grep -q "$2"; then
        echo "ok $n - $1"
    else
        failed=1
        echo "$out" | sed 's/^/# /'
        echo "not ok $n - $1"
    fi
}

check black:4:5 'black R: 4-8'
check finger:4:5 'mended R: 4-'
echo "1..$n"
exit $failed
