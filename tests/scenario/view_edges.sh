#!/bin/sh
# Turned views where they end, in the whole program and both eyes, against exact alpha: somebody who crosses the seam of two
# views, and people at the edge of what an eye sees; nobody is cut by a view of a given width; and somebody unknown to
# the detector, whom a view cuts, widens it, also in a job that is killed in the midst of that.
# usage: view_edges.sh PROGRAM (built with fault points, for the kill) MAKE_STEREO_TRUTH EVALUATE
truth=$(realpath "$2")
evaluate=$(realpath "$3")
. "$(dirname "$0")/program.sh"
needs_data

film() { # NAME, FRAMES, EYE, CAST
    "$truth" --data "$data" --frames "$2" --eye "$3" --codec ffv1 --cast "$4" walker-2m "$1" >/dev/null 2>stderr ||
        { not_ok "clip $1" "$(cat stderr)"; tap_done; exit 1; }
}

run() { # NAME, fault, option...
    name=$1 fault=$2
    shift 2
    VSM_FAULT=$fault timeout 200 "$program" "$name.source.mkv" -o "$name.mkv" --set output.format=matte --set output.codec=ffv1 \
        --set matting.view=auto --set recovery.checkpoint_interval=12 --progress none "$@" >stdout 2>stderr
}

views() { # NAME: the report's "views" without white space
    tr -d ' \n' <"$1.mkv.report.json" | grep -Eo '"views":\{.*"track"'
}

lowest() { # NAME, part of a picture (a filter): the lowest J of any frame of either eye
    for file in "$1.mkv" "$1.alpha.mkv"; do
        ffmpeg -v error -y -i "$file" -vf "$2" -c:v ffv1 -pix_fmt gray "part.$file"
    done
    "$evaluate" --brief --eyes "part.$1.mkv" "part.$1.alpha.mkv" | awk -F'|' 'NR == 1 || $5 < j {j = $5} END {printf "%.3f", j}'
}

check() { # NAME, WHAT, LEAST, part of a picture, words of the report
    j=$(lowest "$1" "$4")
    echo "# $2: J of the worst frame and eye $j; $(views "$1" | cut -c1-110)"
    views "$1" | grep -q "$5" && awk "BEGIN {exit !($j >= $3)}" && ok "$2" || not_ok "$2" "$j: $(cat stderr)"
}

whole=crop=iw:ih:0:0

# The detector knows all three throughout; 110 degrees and more need two views, which both see the one in the middle.
film seam 9 320 woman:-62:-62:1.4,hiker:-20:25:1.8,woman:64:64:1.4
run seam ""
check seam "somebody crosses the seam of two views" 0.80 $whole '"changes":0,"people_outside":{"frames":0'

film left 4 320 woman:-80:-80:1.4
run left ""
check left "somebody at 80 degrees to the left" 0.85 $whole '"frames_turned":4,"changes":0,"people_outside":{"frames":0'
film right 4 320 woman:80:80:1.4
run right ""
check right "somebody at 80 degrees to the right" 0.85 $whole '"frames_turned":4,"changes":0,"people_outside":{"frames":0'

# 60 degrees high.
film near 4 256 officer:0:0:0.7
run near "" --set matting.view_fov=45
check near "nobody is cut by a given width" 0.93 $whole '"frames_turned":4,"changes":0,"people_outside":{"frames":0'

# In frame 10 a man stands across the right side of the view that is placed for a woman. The detector looks in frame 0 and,
# on this grid, in frame 28.
film alone 10 256 woman:-8:-8:1.4
film both 12 256 woman:-8:-8:1.4,manager:34:34:1.4
for kind in source alpha; do
    ffmpeg -v error -i alone.$kind.mkv -i both.$kind.mkv -filter_complex "[0][1]concat" -c:v ffv1 border.$kind.mkv
done
interval="--set recovery.checkpoint_interval=4"
run border "" $interval
check border "a view that cuts somebody unknown to the detector becomes wider" 0.70 "trim=start_frame=20,$whole" \
    '"frames_turned":22,"changes":1,'
# Behind frame 11 wider views are waited for, behind 15 they fade in.
mv border.mkv want.mkv
want=$(views border)
run border ckpt.done:3:kill $interval
if [ $? != 137 ]; then
    skip "killed while it becomes wider" "this program has no fault points"
else
    run border ckpt.done:1:kill $interval
    [ $? = 137 ] && run border "" $interval && cmp -s want.mkv border.mkv && [ "$want" = "$(views border)" ] &&
        ok "killed while it becomes wider" || not_ok "killed while it becomes wider" "$(cat stderr)"
fi
tap_done
