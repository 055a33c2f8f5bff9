#!/bin/sh
# What inputs say of their eyes in ways that ffmpeg cannot write: mesh projections, circles, two coded layers.
# usage: inputs.sh PROGRAM MESH_CLIP
mesh_clip=$(realpath "$2")
. "$(dirname "$0")/program.sh"

run() { # ARGS...
    timeout 100 "$program" "$@" --set processing.threads=2 --progress none >stdout 2>stderr
}

# Mesh projections.
ffmpeg -v error -f lavfi -i testsrc2=size=256x128:rate=30 -frames:v 2 -c:v libx264 -pix_fmt yuv420p plain.mp4
for kind in equirect fisheye bent; do
    "$mesh_clip" plain.mp4 $kind.mp4 $kind || not_ok "a clip with a mesh" "$kind"
done
run equirect.mp4 --dry-run && grep -q '^projection  half-equirectangular, 180 degrees: mesh' stdout && ok "half-equirect mesh" ||
    not_ok "half-equirect mesh" "$(tail -n 1 stderr)$(grep '^projection' stdout)"
run equirect.mp4 -o want.mp4 && ffprobe -v error -show_streams want.mp4 | grep -q 'side_data_type=Spherical Mapping' &&
    ok "its output has VR180 boxes" || not_ok "its output has VR180 boxes" "$(tail -n 1 stderr)"
run fisheye.mp4 --dry-run --set input.swap_eyes=false && grep -q '^projection  fisheye, 180 degrees: mesh' stdout &&
    grep -q 'left circle round 65.3, 62.7, radius 57.6: by the mesh' stdout &&
    grep -q 'right circle round 62.7, 64.0, radius 57.6' stdout && ok "fisheye mesh" ||
    not_ok "fisheye mesh" "$(tail -n 1 stderr)$(grep -A 4 '^projection' stdout)"
run fisheye.mp4 -o circles.mkv --set output.format=alpha_packed &&
    [ "$(ffprobe -v error -count_frames -select_streams v -show_entries stream=width,nb_read_frames -of csv=p=0 circles.mkv)" = 256,2 ] &&
    ok "circles from a mesh" || not_ok "circles from a mesh" "$(tail -n 1 stderr) $(ffprobe -v error -show_entries stream=width circles.mkv)"
run bent.mp4 --dry-run
[ $? = 2 ] && grep -q 'mesh (mshp box) that is nearest to an equidistant fisheye of 180.0 degrees, but up to .* set input.projection to fisheye' stderr &&
    ok "another mesh is refused" || not_ok "another mesh is refused" "$(tail -n 1 stderr)"
run bent.mp4 --dry-run --set input.projection=fisheye --set input.circles=64,64,60 && ok "unless the user knows better" ||
    not_ok "unless the user knows better" "$(tail -n 1 stderr)"

# Fisheye circles by the black round them: in both eyes, in one, in none.
circle() { # X, Y, RADIUS
    echo "128*lt(hypot(X-$1\\,Y-$2)\\,$3)+16"
}
draw() { # FILE, EXPRESSIONS OF LUMA OF THE EYES
    ffmpeg -v error -f lavfi -i color=black:size=128x128:rate=30 -frames:v 1 -filter_complex \
        "[0]format=yuv420p,split[a][b];[a]geq=lum='$2':cb=128:cr=128[l];[b]geq=lum='$3':cb=128:cr=128[r];[l][r]hstack" \
        -c:v ffv1 "$1"
}
draw both_FISHEYE190_LR.mkv "$(circle 66 62 56)" "$(circle 61 64 56)"
draw one_FISHEYE190_LR.mkv "$(circle 66 62 56)" 200
draw none_FISHEYE190_LR.mkv 200 200
run both_FISHEYE190_LR.mkv --dry-run --set input.swap_eyes=false
grep -q 'left circle round 6[56]\..*, 6[12]\.' stdout && grep -q 'right circle round 6[01]\..*, 6[34]\..*: found by the black' stdout && ! grep -q mirror stderr &&
    ok "circles of both eyes" || not_ok "circles of both eyes" "$(tail -n 1 stderr)$(grep circle stdout)"
run one_FISHEYE190_LR.mkv --dry-run --set input.swap_eyes=false
grep -q 'left circle round 6[56]\..*, 6[12]\..*, radius 5[56]' stdout && grep -q 'right circle round 6[12]\..*, 6[12]\..*, radius 5[56].*: found in the left eye' stdout &&
    grep -q 'only the left eye shows its fisheye circle.*set input.circles' stderr && ok "one eye's circle is mirrored, with a warning" ||
    not_ok "one eye's circle is mirrored, with a warning" "$(tail -n 1 stderr)$(grep circle stdout)"
run none_FISHEYE190_LR.mkv --dry-run --set input.swap_eyes=false
grep -q 'circle as wide as the eye: in neither eye' stdout && ok "no circle: as wide as the eye" ||
    not_ok "no circle: as wide as the eye" "$(tail -n 1 stderr)$(grep circle stdout)"
tap_done
