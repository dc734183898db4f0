#!/bin/bash
# Fails when czctl links full Foundation or ICU: 17 MB compressed that nothing of ours needs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
czctl=$(swift build --show-bin-path)/czctl
if ldd "$czctl" | grep -E 'libFoundation\.so|FoundationInternationalization|FoundationICU|libicu'; then
    echo "check: $czctl links the libraries above; find the import of Foundation that brings them" >&2
    exit 1
fi
echo "check: czctl links neither Foundation nor ICU"
