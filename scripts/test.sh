#!/bin/bash
# Runs every test with one debug build and ends with a line that counts them. Arguments go to `swift build`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ -d .build/debug ] || echo "test: first build, some minutes"
swift build --build-tests "$@"
czctl=$(swift build --show-bin-path)/czctl
log=$(mktemp)
evidence=$(mktemp -d)
trap 'rm -rf "$log" "$evidence"' EXIT

CIRRUS_EVIDENCE=$evidence swift test --skip-build "$@" 2>&1 | tee "$log"
swift_tests=$(sed -n 's/.*Test run with \([0-9]*\) tests.* passed.*/\1/p' "$log" | tail -1)
[ "${swift_tests:-0}" -gt 0 ] || { echo "test: no Swift test ran" >&2; exit 1; }
durability=$(grep -aE '^(crash states|cuts during recovery|failing operations|seeds): ' "$log")

readers=$(.venv/bin/python Tests/Independent/compare.py "$evidence") || { echo "$readers" >&2; exit 1; }

parquet=$(.venv/bin/python Tests/Independent/parquet_readers.py "$evidence") || { echo "$parquet" >&2; exit 1; }

FUZZ_SECONDS=9 scripts/fuzz.sh "$@" | tee "$log"
fuzzed=$(grep -a '^fuzz: .* executions' "$log")

CZCTL=$czctl .venv/bin/python -m pytest -q Tests/EndToEnd 2>&1 | tee "$log"
end_to_end=$(sed -n 's/^\([0-9]*\) passed.*/\1/p' "$log" | tail -1)
[ "${end_to_end:-0}" -gt 0 ] || { echo "test: no end-to-end test ran" >&2; exit 1; }

printf '%s\n' "$durability" "$readers" "$parquet" "$fuzzed"
echo "test: all passed: $swift_tests Swift tests, $end_to_end end-to-end tests"
