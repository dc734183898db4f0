"""Judges many Parquet files as `check_file.py --strict --queries` judges one, with one process a reader.

    python Tests/Independent/judge_files.py DIRECTORY [--reader-python PYTHON]     exit 1 when one is wrong

DIRECTORY has files as Tests/EndToEnd/made_files.py keeps them: of any kind and layout, which names and roots tell.
`--reader-python` adds the readers of another environment. `--every-kind`: a kind of which there is no file is wrong.
"""

import argparse
import concurrent.futures
import multiprocessing
import os
import sys
import time
from collections import Counter
from pathlib import Path

import check_file
import engines
import native_rows

OTHERS = ["pyarrow"]  # what another environment has only to hand over what its readers read
# One that is not there reads nothing: it must not pass for that. Of this environment, and of another.
REQUIRED = {"pyarrow", "duckdb", "polars", "fastparquet", "datafusion"}
REQUIRED_ELSEWHERE = {"chdb", "daft"}
KINDS = {"metrics cloudzero", "observability cloudzero"} | {
    f"{kind} native" for kind in ("metrics", "observability", "histograms", "exemplars", "metadata")
}

# As check_file.py has them; the schema is judged by kind, below.
OPTIONS = argparse.Namespace(
    any_schema=True, root=None, require={"crc", "page_index", "statistics"}, strict=True
)


def structure(path: Path) -> dict:
    """What the file's own bytes say: part 1, and the answers that every reader must give."""
    check_file.ok.clear(), check_file.failed.clear(), check_file.notes.clear()
    report = {"asked": []}
    try:
        report |= check_file.part1(str(path), OPTIONS)
        wrong = native_rows.wrong_schema(path.name.split("_")[0], report)
        check_file.check("schema of its kind and layout", wrong is None, wrong)
        report["asked"] = check_file.conditions(str(path))
        check_file.later_rows(str(path))
    except Exception as error:
        check_file.check("structure", False, f"{type(error).__name__}: {error}")
    problems = [f"{name}: {detail}" for name, detail in check_file.failed]
    kept = ("asked", "rows", "root", "leaves", "hash", "nan_or_null")
    return {name: report.get(name) for name in kept} | {
        "problems": problems, "checks": len(check_file.ok), "notes": [],
    }  # fmt: skip


def judge(paths: list[Path], pythons: list[str]) -> tuple[dict[Path, dict], list[str], list[str]]:
    """A report a file, the readers, and what is wrong."""
    cores = os.cpu_count() or 1
    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        reports = dict(zip(paths, pool.map(structure, paths, chunksize=8)))
    wrong = [f"{path}: {problem}" for path, report in reports.items() for problem in report["problems"]]
    readable = {path: report for path, report in reports.items() if report["hash"]}
    requests = [
        {"path": str(path), "leaves": report["leaves"], "conditions": [one[:2] for one in report["asked"]]}
        for path, report in readable.items()
    ]
    readers = [
        (python, name) for python in pythons for name in engines.here(python)
        if python == pythons[0] or name not in OTHERS
    ]  # fmt: skip
    there = {name for _, name in readers}
    required = REQUIRED | (REQUIRED_ELSEWHERE if len(pythons) > 1 else set())
    wrong += [f"the reader {name} is not installed" for name in sorted(required - there)]
    with concurrent.futures.ThreadPoolExecutor(cores) as pool:
        answers = list(pool.map(lambda reader: engines.ask(*reader, requests), readers))
    for of_reader in answers:
        for (path, report), answer in zip(readable.items(), of_reader, strict=True):
            check_file.ok.clear(), check_file.failed.clear(), check_file.notes.clear()
            check_file.compare(report, report["asked"], answer)
            wrong += [f"{path}: {name}: {detail}" for name, detail in check_file.failed]
            report["checks"] += len(check_file.ok)
            report["notes"] += check_file.notes
    return reports, [name for _, name in readers], wrong


def layout(report: dict) -> str:
    return "cloudzero" if report["root"] == "ParquetMetric" else "native"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--reader-python", action="append", default=[])
    parser.add_argument("--every-kind", action="store_true")
    arguments = parser.parse_args()
    start = time.monotonic()
    paths = sorted(arguments.directory.rglob("*.parquet"))
    reports, readers, wrong = judge(paths, [sys.executable, *arguments.reader_python])
    kinds = Counter(f"{path.name.split('_')[0]} {layout(report)}" for path, report in reports.items())
    if arguments.every_kind:
        wrong += [f"there is no file of {kind}" for kind in sorted(KINDS - kinds.keys())]
    print(
        f"parquet files: {len(paths):,} that services made in tests ("
        f"{', '.join(f'{kind} {count:,}' for kind, count in sorted(kinds.items()))}), "
        f"{sum(report['rows'] or 0 for report in reports.values()):,} rows, {', '.join(readers)}: "
        f"{sum(report['checks'] for report in reports.values()):,} checks passed, {len(wrong)} failed, "
        f"{time.monotonic() - start:.0f} s"
    )
    for problem in wrong[:20]:
        print(f"  {problem}")
    notes = Counter(note for report in reports.values() for note in report["notes"])
    for note, count in notes.most_common(5):
        print(f"  note on {count:,} files: {note}")
    return 1 if wrong or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
