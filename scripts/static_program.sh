#!/bin/bash
# Builds czctl for the image: one file, no shared libraries.
#   scripts/static_program.sh SCRATCH [arguments of swift build]      makes SCRATCH/release/czctl
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scratch=$(realpath -m "$1")
shift
scripts/static_curl.sh "$scratch/curl"
export PKG_CONFIG_PATH=$scratch/curl/lib/pkgconfig
# Debian's brotlidec.a does not say that it needs brotlicommon.a.
swift build "$@" --configuration release --product czctl --scratch-path "$scratch" --static-swift-stdlib \
    -Xswiftc -static-executable -Xswiftc -use-ld=lld -Xlinker -lbrotlicommon
