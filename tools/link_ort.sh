#!/bin/sh
# Fills FOLDER anew with links to ONNX Runtime's libraries in the other folders, under the two names that linker and loader
# look for; meson.build calls it. Usage: link_ort.sh FOLDER LIBRARIES...
set -eu
folder=$1
shift
rm -rf "$folder"
mkdir -p "$folder"
for from; do
    for library in "$from"/*.so "$from"/*.so.1; do
        [ ! -e "$library" ] || ln -sf "$library" "$folder"
    done
done
cd "$folder"
[ -e libonnxruntime.so ] || ln -s libonnxruntime.so.1 libonnxruntime.so
[ -e libonnxruntime.so.1 ] || ln -s libonnxruntime.so libonnxruntime.so.1
