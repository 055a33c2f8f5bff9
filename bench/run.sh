#!/bin/sh
# Runs every benchmark and prints its table. Ratios are taken within one run; absolute times are this machine's.
# usage: bench/run.sh BUILD
set -eu
cd "$(dirname "$0")/.."
build=$1
sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1
nproc | sed 's/$/ cores/'
for name in preprocess fullres infer encoder_memory; do
    echo "== bench_$name"
    "$build/bench/bench_$name"
done
if [ -d ../shared/data ]; then
    echo "== bench_stereo"
    "$build/bench/bench_stereo" ../shared/data
fi
echo "== pipeline"
bench/pipeline.sh "$build"
echo "== checkpoints"
bench/checkpoints.sh "$build"
