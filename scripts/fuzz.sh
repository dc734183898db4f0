#!/bin/bash
# Builds the fuzz targets in .build-fuzz and runs them; one line a target, exit 1 when any found something.
#   TARGET="v1 v2" FUZZ_SECONDS=60 RUNS=1000000 FUZZ_SEED=1 scripts/fuzz.sh [flags of swift build]
# With neither FUZZ_SECONDS nor RUNS each target gets a minute. What is new and covers more stays in .build-fuzz/corpus.
# With FUZZ_SEED a run on the same corpus repeats itself, as far as it gets.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

targets=${TARGET:-snappy v1 v2 http configuration batch segment parquet}
runs=${RUNS:--1}
seconds=${FUZZ_SECONDS:-$([ "$runs" = -1 ] && echo 60 || echo 0)}
scratch=.build-fuzz

runtime=$(dirname "$(dirname "$(readlink -f "$(command -v swiftc)")")")/lib/clang
if ! ls "$runtime"/*/lib/*/libclang_rt.fuzzer-*.a >/dev/null 2>&1; then
    echo "fuzz: this toolchain has no libFuzzer below $runtime; install Swift from https://www.swift.org/install/linux/debian/12/" >&2
    exit 1
fi
[ -d $scratch ] || echo "fuzz: first build, some minutes"
CIRRUS_FUZZ=1 swift build --scratch-path $scratch --configuration release --product fuzz \
    --sanitize=fuzzer --sanitize=address -Xswiftc -sanitize=fuzzer -Xcc -fsanitize=fuzzer-no-link "$@" 2>&1 |
    { grep -aE 'error|warning: unre|Compiling|Build' || true; } | tail -20
program=$scratch/release/fuzz
[ -x $program ] || { echo "fuzz: the build left no $program" >&2; exit 1; }

failed=0
fuzz() {
    local target=$1 committed=Fuzz/Corpus/$1 corpus=$scratch/corpus/$1 found=$scratch/findings/$1 log=$scratch/$1.log
    [ -d "$committed" ] || { echo "fuzz: $target is no target: Fuzz/Corpus has $(ls Fuzz/Corpus | xargs)" >&2; return 1; }
    mkdir -p "$corpus" "$found"
    local dictionary=Fuzz/Dictionaries/$target.dict arguments=(-seed="${FUZZ_SEED:-0}")
    [ ! -e "$dictionary" ] || arguments+=(-dict="$dictionary")
    # A deep stack of instrumented frames, and inputs of many requests: 4 KiB is enough for every shape.
    FUZZ_TARGET=$target SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=16 \
        $program -runs="$runs" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 -malloc_limit_mb=64 \
        -max_len=4096 -print_final_stats=1 -artifact_prefix="$found/" "${arguments[@]}" "$corpus" "$committed" \
        >"$log" 2>&1 || { failed=1; tail -40 "$log" >&2; }
    awk -v target="$target" -v findings="$(ls "$found" | wc -l)" '
        /^stat::number_of_executed_units/ { executions = $2 }
        / in [0-9]+ second/ { seconds = $(NF - 1) }
        / cov: / { for (i = 1; i < NF; i++) { if ($i == "cov:") edges = $(i + 1); if ($i == "ft:") features = $(i + 1); if ($i == "corp:") { split($(i + 1), parts, "/"); files = parts[1] } } }
        END { printf "fuzz: %-13s %11d executions, %6d s, corpus %5d, %6d edges, %6d features, %d findings\n", target, executions, seconds, files, edges, features, findings }' "$log"
}
for target in $targets; do fuzz "$target" || failed=1; done
exit $failed
