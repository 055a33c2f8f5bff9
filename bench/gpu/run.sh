#!/bin/sh
# Runs on the machine with the GPU, in the folder that carry.sh made (VSM_MODELS_DIR of the build must be
# /tmp/vsm-models). Usage: run.sh tests|bench|drift|sanitize
set -eu
here=$(cd "$(dirname "$0")" && pwd)
export LD_LIBRARY_PATH="$here/lib" VSM_SHARED="$here/shared"
ln -sfn "$here/models" /tmp/vsm-models
for what; do
    case $what in
    tests) "$here/oracle_gpu" ;;
    drift) VSM_GPU_FRAMES=2000 "$here/oracle_gpu" ;;
    bench)
        nvidia-smi --query-gpu=name,driver_version,clocks.sm,clocks.mem,temperature.gpu --format=csv
        date -u
        "$here/bench_gpu_frame" /tmp/vsm-models/rvm.json --profile
        nvidia-smi --query-gpu=clocks.sm,clocks.mem,power.draw --format=csv,noheader
        ;;
    sanitize)
        for tool in memcheck racecheck initcheck synccheck; do
            echo "# compute-sanitizer --tool $tool"
            compute-sanitizer --tool $tool --error-exitcode 9 "$here/oracle_gpu" 2>&1 | tail -12
        done
        ;;
    esac
done
