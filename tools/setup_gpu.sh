#!/bin/sh
# Fetches ONNX Runtime with its CUDA provider, once, pinned by integrity hash, into setup/gpu. A build configured afterwards
# links this ONNX Runtime instead of the CPU one. CUDA 13's cuBLAS and cuDNN 9 must be on the machine that runs it.
set -eu
cd "$(dirname "$0")/../setup/gpu"
if ! cmp -s package-lock.json node_modules/.installed-lock 2>/dev/null; then
    echo "Fetching ONNX Runtime 1.29 with the CUDA 13 provider from the npm registry: 290 MB to download (and 150 MB that"
    echo "make setup fetched, where npm's cache has lost them), 890 MB on disk."
    npm ci --ignore-scripts --no-audit --no-fund
    cp package-lock.json node_modules/.installed-lock
fi
