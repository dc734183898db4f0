"""What Parquet files cost: bytes a row, CPU seconds per million rows, memory; beside pyarrow in the same run.

    make bench-parquet                                    all of it: some minutes; 2 GB of tables, made once
    .venv/bin/python Benchmarks/parquet.py --sets s100k60 --rounds 1 --steps write
    .venv/bin/python Benchmarks/parquet.py --rounds 1 --steps large,wide --check --limit 64

The tables are those of Tests/Independent/cluster.py: ten minutes of a Kubernetes cluster of 100,000 series, scraped
every 60 s (1 million rows) or 15 s (4 million). `write` makes one file from sorted series references; pyarrow
does the same from dictionaries that are made beforehand, its strings ready. `compact` takes a log of the rows in the
order they came, and makes verified files: reading, sorting, writing, reading back; `native` the same in that layout.
Memory is the peak above what the process had before it began. Rounds alternate; figures are the medians.
"""

import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "Tests/Independent"))
import cluster

SCRATCH = ROOT / ".build-bench"
BENCH = SCRATCH / "release/parquet-bench"
SETS = {"s100k60": (1_000_000, 10), "s100k15": (4_000_000, 40)}
LARGE_ROWS = 10_000_000
WIDE = (1_000_000, 1)
CHECK_FILE = ROOT / "Tests/Independent/check_file.py"
PEER = ROOT / "Benchmarks/parquet_peer.py"


def build():
    command = ["swift", "build", "--scratch-path", SCRATCH, "--configuration", "release", "--product", "parquet-bench"]
    command += ["--explicit-target-dependency-import-check", "error"]
    environment = {**os.environ, "CIRRUS_BENCH": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(done.stdout + "bench: cannot build parquet-bench")


def table(cache: Path, rows: int, per_series: int, order: str) -> Path:
    """The cluster's samples in this order of rows; made when missing."""
    prefix = cache / f"s{rows // per_series}x{per_series}"
    made = prefix.with_name(f"{prefix.name}.{order}.bin")
    if not made.exists():
        print(f"bench: making {made.name}", flush=True)
        if not prefix.with_name(prefix.name + ".samples.arrow").exists():
            cluster.make(rows // per_series, 600 // per_series, str(prefix))
        cluster.write_bin(str(prefix), order)
    return made


def measured(*command) -> dict:
    done = subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def pyarrow(cache: Path, rows: int, per_series: int) -> dict:
    """CPU and size of pyarrow with dictionary input."""
    return measured(sys.executable, PEER, cache / f"s{rows // per_series}x{per_series}", cache / "pyarrow.parquet")


def checked(file: Path) -> int:
    """How many checks of `check_file.py` the file passes: it reads it byte by byte, and with every reader."""
    command = [sys.executable, CHECK_FILE, file, "--strict", "--queries"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    lines = done.stdout.splitlines()
    if done.returncode:
        sys.exit("\n".join(["bench: check_file.py fails", *(line for line in lines if line.startswith("FAIL"))]))
    return int(lines[-1].split()[0])


def compact(cache: Path, arrival: Path, rows: int, layout: str = "cloudzero", check: bool = False) -> dict:
    """Compaction of a log of `rows` rows; the log is made anew, since compaction removes it."""
    volume = cache / "volume"
    shutil.rmtree(volume, ignore_errors=True)
    volume.mkdir()
    subprocess.run([BENCH, "log", arrival, volume, str(rows)], check=True)
    found = measured(BENCH, "compact", volume, rows, layout)
    if check:
        found["checks"] = sum(checked(file) for file in sorted((volume / "outbox").iterdir()))
    shutil.rmtree(volume)
    return found


def line(name: str, runs: list[dict], ratio: float | None = None):
    rows = runs[0]["rows"]
    cpu = statistics.median(run["cpu_s"] for run in runs) / rows * 1e6
    figures = [f"{rows:,}", f"{runs[0]['bytes'] / rows:.2f}", f"{cpu:.3f}"]
    figures.append(f"{cpu / ratio:.2f}" if ratio else "")
    memory = [run["above_mib"] for run in runs if "above_mib" in run]
    figures.append(f"{max(memory):.0f}" if memory else "")
    print(f"| {name} | " + " | ".join(figures) + " |", flush=True)
    return cpu


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--steps", default="write,compact,native,large")
    parser.add_argument("--profiles", default="compat", help="of `write`, comma-separated")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--check", action="store_true", help="what `large` and `wide` make")
    parser.add_argument("--limit", type=float, default=math.inf, help="MiB that `large` may take")
    parser.add_argument("--cache", type=Path, default=ROOT / ".payloads/parquet")
    arguments = parser.parse_args()
    build()
    cache = arguments.cache.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    steps = arguments.steps.split(",")
    print("| | rows | bytes/row | CPU s/M | × pyarrow | peak MiB above baseline |")
    print("|---|--:|--:|--:|--:|--:|")
    for name in arguments.sets.split(",") if {"write", "compact", "native"} & set(steps) else []:
        rows, per_series = SETS[name]
        sorted_table = table(cache, rows, per_series, "metric")
        runs: dict[str, list[dict]] = {}
        for _ in range(arguments.rounds):
            runs.setdefault("pyarrow", []).append(pyarrow(cache, rows, per_series))
            for profile in arguments.profiles.split(",") if "write" in steps else []:
                out = cache / f"own.{profile}.parquet"
                runs.setdefault(profile, []).append(measured(BENCH, "write", sorted_table, out, profile))
            for step, layout in [("compact", "cloudzero"), ("native", "native")]:
                if step in steps:
                    arrival = table(cache, rows, per_series, "arrival")
                    title = f"log to verified files, layout {layout}"
                    runs.setdefault(title, []).append(compact(cache, arrival, rows, layout))
        ratio = line(f"{name}, pyarrow, dictionary input", runs.pop("pyarrow"))
        for step, found in runs.items():
            title = step if step.startswith("log") else f"written, profile {step}"
            line(f"{name}, {title}", found, ratio)
    found = {}
    if "large" in steps:
        arrival = table(cache, *SETS["s100k15"], "arrival")
        found["100,000 series"] = compact(cache, arrival, LARGE_ROWS, check=arguments.check)
    if "wide" in steps:
        arrival = table(cache, *WIDE, "arrival")
        found["a million series"] = compact(cache, arrival, WIDE[0], check=arguments.check)
    for name, run in found.items():
        line(f"{name}, log to verified files", [run])
    if arguments.check:
        runs = (
            f"{run['rows']:,} rows of {name}: {run['above_mib']:.0f} MiB, {run['checks']} checks passed"
            for name, run in found.items()
        )
        print(f"parquet: {'; '.join(runs)}")
    if "large" in steps and found["100,000 series"]["above_mib"] > arguments.limit:
        sys.exit(f"bench: more than {arguments.limit:.0f} MiB above the baseline")


if __name__ == "__main__":
    main()
