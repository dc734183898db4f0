"""What receiving costs: CPU seconds per million samples, latencies, memory and log bytes, beside a floor in C.

    make bench                                            all of it: up to 60 s a run; 5.6 GB of payload, made once
    make bench-grid                                       every payload and number of connections, receiving only
    .venv/bin/python Benchmarks/ingest.py --seconds 10 --samples 2000000 --proto v1,v2 --connections 1,4

2,000-sample requests by the load generator of ../shared/bench, whose floor is a durable receiver in C
(HTTP, inflate, walk, CRC, append, fdatasync, 204). Rounds alternate, so that all meet the same machine.
`cirrus` only receives: compaction is put off, so the data directory holds the log alone. `cirrus-full` also compacts
and ships to a directory, and its CPU counts to the end of a clean shutdown; a line says how many times its p99 is
that of `cirrus`. Ends with 1 when any request failed.
Needs root, for a network namespace that has only loopback.
"""

import argparse
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIG = """\
cluster_name: bench
server: {{address: 127.0.0.1, port: {port}, reconnect_frequency: 0}}
database: {{storage_path: {data}, cost_max_interval: {interval}, max_records: {records}}}
cloudzero: {{send_interval: 5s}}
destination: {{kind: directory, path: {data}/shipped}}
"""
ROLES = {"cirrus": ("24h", 100_000_000), "cirrus-full": ("10s", 1_000_000)}
P99_RATIO_AIM = 1.5
COLUMNS = [
    ("samples/s", "samples_per_s", "{:,.0f}"),
    ("CPU s/M", "cpu_load", "{:.2f}"),
    ("CPU s/M to exit", "cpu_exit", "{:.2f}"),
    ("p50 ms", "p50_ms", "{:.1f}"),
    ("p99 ms", "p99_ms", "{:.1f}"),
    ("peak RSS MB", "rss_peak_mb", "{:.0f}"),
    ("log bytes/sample", "log_bytes_per_sample", "{:.2f}"),
]


def prepare(bench: Path, payloads: Path):
    """The load generator and the floor, each only when missing."""
    if not (bench / "loadgen.c").exists():
        sys.exit(f"bench: cannot find {bench}/loadgen.c; give its folder with --bench")
    payloads.mkdir(exist_ok=True)
    for name, flags in {"loadgen": ["-O2"], "floor_srv": ["-O3", "-march=native"]}.items():
        if not (payloads / name).exists():
            libraries = ["-lsnappy"] if name == "floor_srv" else []
            source = bench / f"{name}.c"
            subprocess.run(["cc", *flags, "-pthread", "-o", payloads / name, source, *libraries], check=True)


def payload(bench: Path, payloads: Path, proto: str, series: str, samples: int) -> Path:
    """The requests of one cell, made when missing."""
    pack = payloads / f"{proto}_{series}_{samples}"
    if not pack.with_suffix(".json").exists():
        print(f"bench: making {pack.name}, 4 s and 140 MB a million samples", flush=True)
        generate = [sys.executable, bench / "gen_payloads.py", pack, "--proto", proto]
        generate += ["--series", series, "--samples", str(samples)]
        subprocess.run(generate, check=True, stdout=subprocess.DEVNULL)
    return pack


def serve(role: str, port: str, data: str):
    """Becomes `czctl run` with a configuration of its own: what measure.py starts."""
    interval, records = ROLES[role]
    Path(data).mkdir(parents=True)
    config = Path(data).parent / "config.yml"
    config.write_text(CONFIG.format(port=port, data=data, interval=interval, records=records))
    os.execv(os.environ["CZCTL"], ["czctl", "run", "--config", str(config)])


def measure(bench: Path, payloads: Path, pack: Path, connections: str, role: str, seconds: float) -> dict:
    """One run of `role` on a fresh data directory, as measure.py reports it."""
    out = payloads / f"{role}-{os.getpid()}.jsonl"
    command = [sys.executable, bench / "measure.py", "--pack", pack, "--conns", connections]
    command += ["--max-seconds", str(seconds), "--out", out, "--keep"]
    command += ["--data-root", payloads / "data"]
    if role == "floor-srv":
        command += ["--peer", role]
    else:
        start = f"{sys.executable} {Path(__file__).resolve()} --serve {role} {{port}} {{data}}"
        command += ["--cmd", start, "--name", role, "--ready", "/readyz", "--path", "/api/v1/write"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    result = json.loads(out.read_text())
    out.unlink()
    if "error" in result:
        sys.exit(f"bench: {role}: {result['error']}")
    log = Path(result["data"]) / ("wal" if role == "floor-srv" else "data/wal")
    files = [log] if log.is_file() else list(log.glob("*.wal"))
    result["log_bytes_per_sample"] = sum(file.stat().st_size for file in files) / max(result["samples"], 1)
    shutil.rmtree(result["data"])
    return result


def errors(result: dict) -> list[str]:
    found = [f"{count} answers {code}" for code, count in result["codes"].items() if str(code) != "204"]
    found += [f"{result[key]} {key}" for key in ("io_errors", "dropped", "retries") if result[key]]
    return found


def table(cells: dict[tuple[str, str, str], dict[str, list[dict]]]):
    """One line a cell and role: medians over the rounds, and the CPU as a multiple of the floor's in the cell."""
    print("| payload | connections | | " + " | ".join(title for title, _, _ in COLUMNS) + " | × floor |")
    print("|---|--:|---|" + "--:|" * (len(COLUMNS) + 1))
    for (proto, series, connections), results in cells.items():
        for role, runs in results.items():
            median = {key: statistics.median(run[key] for run in runs) for _, key, _ in COLUMNS}
            figures = [form.format(median[key]) for _, key, form in COLUMNS]
            if role == "cirrus-full":
                figures[-1] = ""  # compacted: no log is left to count
            floors = [run["cpu_exit"] for run in results.get("floor-srv", [])]
            figures.append(f"{median['cpu_exit'] / statistics.median(floors):.2f}" if floors else "")
            print(f"| {proto} {int(series):,} | {connections} | {role} | " + " | ".join(figures) + " |")


def beside_compaction(cells: dict[tuple[str, str, str], dict[str, list[dict]]]):
    """A line a cell: how much longer the slowest requests wait while files are made of the log and shipped."""
    for (proto, series, connections), results in cells.items():
        if results.get("cirrus") and results.get("cirrus-full"):
            alone, beside = (
                statistics.median(run["p99_ms"] for run in results[role]) for role in ("cirrus", "cirrus-full")
            )
            print(
                f"bench: {proto}, {int(series):,} series, {connections} connections: p99 {beside:.1f} ms beside "
                f"compaction, {alone:.1f} ms without: {beside / alone:.2f} times (aim: at most {P99_RATIO_AIM})"
            )


def main():
    if sys.argv[1:2] == ["--serve"]:
        serve(*sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--samples", type=int, default=40_000_000, help="of the payload; each is sent once")
    parser.add_argument("--series", default="10000", help="comma-separated")
    parser.add_argument("--proto", default="v1", help="comma-separated: v1, v2")
    parser.add_argument("--connections", default="16", help="comma-separated")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--roles", default="floor-srv,cirrus,cirrus-full")
    parser.add_argument("--bench", type=Path, default=ROOT.parent / "shared/bench")
    parser.add_argument("--payloads", type=Path, default=ROOT / ".payloads")
    arguments = parser.parse_args()
    payloads = arguments.payloads.resolve()
    os.environ["PAYLOADS"] = str(payloads)
    os.environ.setdefault("CZCTL", str(ROOT / ".build/release/czctl"))
    prepare(arguments.bench, payloads)
    cells: dict[tuple[str, str, str], dict[str, list[dict]]] = {}
    failures = []
    lists = (arguments.proto.split(","), arguments.series.split(","), arguments.connections.split(","))
    for cell in itertools.product(*lists):
        proto, series, connections = cell
        pack = payload(arguments.bench, payloads, proto, series, arguments.samples)
        results = cells[cell] = {role: [] for role in arguments.roles.split(",")}
        for number in range(arguments.rounds):
            for role, runs in results.items():
                runs.append(measure(arguments.bench, payloads, pack, connections, role, arguments.seconds))
                said = f"{role}, {proto}, {int(series):,} series, {connections} connections, round {number + 1}"
                print(f"bench: {said}: {runs[-1]['samples']:,} samples in {runs[-1]['seconds']:.1f} s", flush=True)
                failures += [f"{said}: {error}" for error in errors(runs[-1])]
    table(cells)
    beside_compaction(cells)
    if failures:
        sys.exit("bench: " + "; ".join(failures))
    print("bench: zero errors")


if __name__ == "__main__":
    main()
