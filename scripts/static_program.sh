#!/bin/bash
# Builds czctl for the image: one file, no shared libraries, and nothing twice that one library can do.
#   scripts/static_program.sh SCRATCH [arguments of swift build]      makes SCRATCH/release/czctl
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scratch=$(realpath -m "$1")
shift
swift package --scratch-path "$scratch" resolve
boringssl=$scratch/checkouts/swift-nio-ssl/Sources/CNIOBoringSSL/include
# libcurl and czctl use the BoringSSL that the receiver's TLS brings: by its headers under their usual names.
mkdir -p "$scratch"/boringssl/{include/openssl,lib} "$scratch/foundation"
for header in "$boringssl"/CNIOBoringSSL_*.h; do
    name=${header##*/}
    echo "#include <$name>" >"$scratch/boringssl/include/openssl/${name#CNIOBoringSSL_}"
done
scripts/static_curl.sh "$scratch/curl" "$scratch/boringssl" "$boringssl"
swiftc -O -wmo -parse-as-library -static -emit-library -emit-module -module-name FoundationEssentials \
    -emit-module-path "$scratch/foundation/FoundationEssentials.swiftmodule" \
    -o "$scratch/foundation/libFoundationEssentials.a" scripts/image/FoundationEssentials.swift
export PKG_CONFIG_PATH=$scratch/curl/lib/pkgconfig
# Debian's brotlidec.a does not say that it needs brotlicommon.a.
swift build "$@" --configuration release --product czctl --scratch-path "$scratch" --static-swift-stdlib \
    -Xcc "-I$scratch/boringssl/include" -Xcc "-I$boringssl" -Xswiftc "-I$scratch/foundation" \
    -Xlinker "$scratch/foundation/libFoundationEssentials.a" -Xswiftc -static-executable -Xswiftc -use-ld=lld \
    -Xlinker -lbrotlicommon -Xlinker -T -Xlinker scripts/image/no_unwind_tables.ld
