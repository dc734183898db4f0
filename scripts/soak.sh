#!/bin/bash
# The durability suites at length, one summary line each. Again and again until the minutes are over, if any are given,
# each round with seeds of its own.
#   make soak SEEDS=50000 KILLS=500 CUTS=1000 FILLS=50 INJECTIONS=450 SERIES=5000000 PROMETHEUS_MINUTES=10 MINUTES=0
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${SEEDS:=50000}" "${FIRST_SEED:=1}" "${KILLS:=500}" "${CUTS:=1000}" "${FILLS:=50}" "${INJECTIONS:=450}"
: "${MINUTES:=0}" "${SERIES:=5000000}" "${PROMETHEUS_MINUTES:=10}"

swift build --build-tests "$@"
log=$(mktemp)
summary=$(mktemp)
made=$(mktemp -d)
trap 'rm -rf "$log" "$summary" "$made"' EXIT
SECONDS=0

# The lines that a suite ends with; everything it said when it fails.
run() {
    local lines=$1
    shift
    echo "soak: $* (log: $log)"
    if ! "$@" >"$log" 2>&1; then
        tail -100 "$log" >&2
        echo "soak: failed after $SECONDS s: $*" >&2
        exit 1
    fi
    grep -aE "$lines" "$log" | tee -a "$summary"
}

while :; do
    run '^seeds: ' env CIRRUS_FIRST_SEED="$FIRST_SEED" CIRRUS_SEEDS="$SEEDS" \
        swift test --skip-build --filter SeedTests/seeds "$@"
    export CZCTL=.build/release/czctl
    # What the services of these make is judged below; larger files are with the step of Benchmarks/parquet.py.
    export CIRRUS_FILES=$made
    run '^kills: ' env CIRRUS_KILLS="$KILLS" .venv/bin/python -m pytest -q Tests/EndToEnd/test_kill.py
    run '^power cuts: ' env CIRRUS_CUTS="$CUTS" .venv/bin/python -m pytest -q Tests/EndToEnd/test_power_cut.py
    run '^(full disk|backlog|started)' env CIRRUS_FILLS="$FILLS" .venv/bin/python -m pytest -q Tests/EndToEnd/test_disk_full.py
    run '^(failing|slow)' env CIRRUS_INJECTIONS="$INJECTIONS" .venv/bin/python -m pytest -q Tests/EndToEnd/test_system_calls.py
    unset CIRRUS_FILES
    run '^hostile: ' env CIRRUS_SERIES="$SERIES" .venv/bin/python -m pytest -q Tests/EndToEnd/test_hostile.py
    run '^(prometheus|opentelemetry)' env CIRRUS_PROMETHEUS_MINUTES="$PROMETHEUS_MINUTES" \
        .venv/bin/python -m pytest -q Tests/EndToEnd/test_senders.py
    run '^parquet: ' .venv/bin/python Benchmarks/parquet.py --rounds 1 --steps large,wide --check --limit 64
    run '^parquet files: ' env FILES="$made" scripts/check_files.sh "$@"
    rm -rf "${made:?}"/*
    [ "$SECONDS" -lt $((MINUTES * 60)) ] || break
    FIRST_SEED=$((FIRST_SEED + SEEDS))
done
echo "soak: $SECONDS s, every line:"
cat "$summary"
