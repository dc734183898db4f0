#!/bin/bash
# Runs every test with one debug build and ends with a line that counts them. Arguments go to `swift build`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ -d .build/debug ] || echo "test: first build, some minutes"
swift build --build-tests "$@"
czctl=$(swift build --show-bin-path)/czctl
log=$(mktemp)
evidence=$(mktemp -d)
made=$(mktemp -d)
trap 'rm -rf "$log" "$evidence" "$made"' EXIT

# The simulated lives come after the tests on sockets: beside them, which take every core for minutes, a client that
# means to speak at once speaks a minute later, and the server's timeouts are right to end it.
swift_tests=0
for part in --skip --filter; do
    CIRRUS_EVIDENCE=$evidence swift test --skip-build "$@" $part SimulationTests 2>&1 | tee -a "$log" || {
        # Again at the end, where who reads only a log's last lines finds them.
        echo "test: what failed:" >&2
        grep -aE '^(✘|↳)|^[^ ]* *error:|Fatal error|unexpected signal' "$log" | head -60 >&2
        exit 1
    }
    passed=$(sed -n 's/.*Test run with \([0-9]*\) tests.* passed.*/\1/p' "$log" | tail -1)
    [ "${passed:-0}" -gt 0 ] || { echo "test: no Swift test ran" >&2; exit 1; }
    swift_tests=$((swift_tests + passed))
done
# Keys and tokens of the tests say canary, as Tests/EndToEnd/conftest.py wants it. A case's name may hold its input.
if grep -aiE 'canary|X-Amz-(Signature|Credential|Security-Token)=' "$log" | grep -av 'Test case passing'; then
    echo "test: a secret was printed, above" >&2
    exit 1
fi
durability=$(grep -aE '^(crash states|cuts during recovery|failing operations|seeds): ' "$log")

readers=$(.venv/bin/python Tests/Independent/compare.py "$evidence") || { echo "$readers" >&2; exit 1; }

parquet=$(.venv/bin/python Tests/Independent/parquet_readers.py "$evidence") || { echo "$parquet" >&2; exit 1; }

# Of one seed: a change is judged by what it changed. `make fuzz` takes a new one each time.
FUZZ_SEED=1 FUZZ_SECONDS=9 scripts/fuzz.sh "$@" | tee "$log"
fuzzed=$(grep -a '^fuzz: .* executions' "$log")

CIRRUS_FILES=$made CZCTL=$czctl .venv/bin/python -m pytest -q Tests/EndToEnd 2>&1 | tee "$log"
end_to_end=$(sed -n 's/^\([0-9]*\) passed.*/\1/p' "$log" | tail -1)
[ "${end_to_end:-0}" -gt 0 ] || { echo "test: no end-to-end test ran" >&2; exit 1; }

files=$(.venv/bin/python Tests/Independent/judge_files.py "$made" --every-kind) || { echo "$files" >&2; exit 1; }

printf '%s\n' "$durability" "$readers" "$parquet" "$files" "$fuzzed"
echo "test: all passed: $swift_tests Swift tests, $end_to_end end-to-end tests"
