#!/bin/bash
# Sends remote_write bodies (protobuf, snappy-compressed) to a running collector; without files, 1,000 made-up samples.
#   test/sendfiles.sh [FILE.snappy ...]        URL=http://127.0.0.1:8080/collector
set -euo pipefail
czctl=${CZCTL:-$(dirname "${BASH_SOURCE[0]}")/../.build/release/czctl}
url=${URL:-http://127.0.0.1:8080/collector}
[ -x "$czctl" ] || {
    echo "sendfiles: $czctl is missing; run make build, or set CZCTL" >&2
    exit 1
}
if [ $# -gt 0 ]; then
    exec "$czctl" send --url "$url" "$@"
else
    exec "$czctl" send --url "$url" --generate 1000 --series 100
fi
