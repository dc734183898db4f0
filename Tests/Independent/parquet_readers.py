"""Compares Parquet files with the log that they were made of, through readers that are not ours.

    python Tests/Independent/parquet_readers.py DIRECTORY      as CIRRUS_EVIDENCE left it; exit 1 when anything differs

DIRECTORY/parquet has a folder a case: `wal/` is the log before compaction, beside it stand the files that came out;
DIRECTORY/native has the same of layout `native`.
The rows they must hold are computed here, from the log as `wal_reader.py` reads it. Each file is then judged by
`judge_files.py`: byte by byte, and by every reader.
"""

import hashlib
import json
import math
import struct
import sys
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import judge_files
import native_rows
import wal_reader

HOUR = 3_600_000
COST = 1
# cluster_name and cloud_account_id of the tests that leave evidence.
CONSTANTS = ["c1", "123"]
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def go_json(labels: dict[str, str]) -> str:
    """As Go's encoding/json: keys sorted by bytes, these characters escaped."""
    ordered = dict(sorted(labels.items(), key=lambda item: item[0].encode()))
    text = json.dumps(ordered, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def decimal_text(bits: int) -> str:
    """The shortest decimal that reads back to the same double, without an exponent."""
    (value,) = struct.unpack("<d", struct.pack("<Q", bits))
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = format(Decimal(repr(value)), "f")
    return text[:-2] if text.endswith(".0") else text


def rows_of(log: Path) -> dict[int, list[tuple]]:
    """What the files hold, by hour: metric, node, created, timestamp, labels, value; in the order of their rows. Behind
    these stand the labels, the value's bits and the start as they were sent."""
    hours: dict[int, list[tuple]] = {}
    seen = set()
    texts: dict[tuple, tuple] = {}
    for segment in wal_reader.read_log(log).values():
        series: dict[int, tuple] = {}
        for record in segment.records:
            if wal_reader.KINDS.get(record.kind) != "batch":
                continue
            batch = wal_reader.read_batch(record.payload(), series)
            for reference, timestamp, start, bits in batch.samples:
                streams, labels = series[reference]
                assert streams == COST, "the evidence is of one stream"
                if (labels, timestamp, bits) in seen:
                    continue
                seen.add((labels, timestamp, bits))
                if labels not in texts:
                    pairs = dict(labels)
                    texts[labels] = (pairs.get("__name__", ""), pairs.get("node", ""), go_json(pairs))
                metric, node, json_text = texts[labels]
                row = (metric, node, batch.received_ms, timestamp, json_text, decimal_text(bits), labels, bits, start)
                hours.setdefault(timestamp // HOUR, []).append(row)
    for rows in hours.values():
        rows.sort(key=lambda row: (row[0].encode(), row[4].encode(), row[3]))
    return hours


def hashes_of(hour: int, rows: list[tuple]) -> dict[str, str]:
    """SHA-256 of each column's values as PLAIN has them."""
    # Not through `datetime.fromtimestamp`, which refuses the years that a sample may have.
    start = EPOCH + timedelta(hours=hour)
    constants = [*CONSTANTS, f"{start.year:04}", f"{start.month:02}", f"{start.day:02}", f"{start.hour:02}"]
    names = ["cluster_name", "cloud_account_id", "year", "month", "day", "hour"]
    columns = dict(zip(names, ([text] * len(rows) for text in constants)))
    for index, name in enumerate(["metric_name", "node_name", "created_at", "timestamp", "labels", "value"]):
        columns[name] = [row[index] for row in rows]
    found = {}
    for name, values in columns.items():
        digest = hashlib.sha256()
        for value in values:
            if isinstance(value, str):
                data = value.encode()
                digest.update(struct.pack("<I", len(data)) + data)
            else:
                digest.update(struct.pack("<q", value))
        found[name] = digest.hexdigest()
    return found


def is_native(path: Path) -> bool:
    return path.parent.parent.name == "native"


def expected(case: Path) -> dict[Path, tuple[int, dict[str, str]]]:
    """Rows and hashes of each file of a case. Its files of an hour hold that hour's rows, one after the other."""
    left = rows_of(case / "wal")
    counts = json.loads((case / "rows.json").read_text())
    found = {}
    for name, count in counts:
        hour = int(name.split("_")[1]) // HOUR
        rows, left[hour] = left[hour][:count], left[hour][count:]
        hashes = native_rows.hashes_of(rows) if is_native(case / name) else hashes_of(hour, rows)
        found[case / name] = (len(rows), hashes)
    missing = sum(len(rows) for rows in left.values())
    if missing:
        found[case / "no file"] = (missing, {})
    return found


def main() -> int:
    folders = [Path(sys.argv[1]) / name for name in ("parquet", "native")]
    cases = sorted(path for folder in folders for path in folder.iterdir() if path.is_dir())
    wanted: dict[Path, tuple[int, dict[str, str]]] = {}
    for case in cases:
        wanted |= expected(case)
    wrong = [f"{path}: {rows} rows of the log are in no file" for path, (rows, hashes) in wanted.items() if not hashes]
    paths = [path for path, (_, hashes) in wanted.items() if hashes]
    # Every reader finds what the file's bytes say: it remains that these say what the log does.
    reports, readers, problems = judge_files.judge(paths, [sys.executable])
    wrong += problems
    for path, report in reports.items():
        rows, hashes = wanted[path]
        found = report["hash"] or {}
        differing = [name for name in hashes.keys() | found.keys() if hashes.get(name) != found.get(name)]
        if report["rows"] != rows or differing:
            wrong.append(f"{path}: {report['rows']} rows instead of {rows}; not the log's values: {sorted(differing)}")
    rows = sum(rows for rows, _ in wanted.values())
    print(
        f"parquet readers: {len(cases)} hostile logs, {len(paths)} files, {rows:,} rows, "
        f"{', '.join(readers)} and check_file.py: {len(wrong)} differences"
    )
    for problem in wrong[:20]:
        print(f"  {problem}")
    return 1 if wrong or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
