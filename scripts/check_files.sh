#!/bin/bash
# Judges every file of the hostile logs, and of every kind and layout that services make in the tests, by all readers: those
# of .venv-readers too. FILES=DIRECTORY adds what is there. Arguments go to `swift build`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${FILES:=}"

swift build --build-tests "$@"
files=$(mktemp -d)
trap 'rm -rf "$files"' EXIT
if [ -n "$FILES" ]; then find "$FILES" -name '*.parquet' -exec cp -t "$files" {} +; fi
CIRRUS_EVIDENCE=$files swift test --skip-build "$@" --filter ReaderEvidenceTests
CIRRUS_FILES=$files CZCTL=$(swift build --show-bin-path)/czctl .venv/bin/python -m pytest -q Tests/EndToEnd
.venv/bin/python Tests/Independent/judge_files.py "$files" --every-kind \
    --reader-python .venv-readers/bin/python
