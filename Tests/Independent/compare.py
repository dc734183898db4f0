"""Compares what the program reads in every segment that the tests made with what the independent reader reads there.

    python Tests/Independent/compare.py DIRECTORY      as CIRRUS_EVIDENCE left it; exit 1 when any reading differs
"""

import multiprocessing
import os
import sys
from pathlib import Path

import wal_reader
import xxhash

CHUNK = 2_000
SHOWN = 10


def reading(data: bytes, segment: int, stated_end: int | None) -> str:
    """XXH3-128 of `offset lsn kind rows` of every record before the end, the damaged ranges and the end."""
    try:
        found = wal_reader.read_segment_bytes(data, segment, stated_end)
    except wal_reader.FormatError:
        return "no-header"
    lines = [f"{record.offset} {record.lsn} {record.kind} {record.rows}\n" for record in found.records]
    lines += [f"damage {start} {end}\n" for start, end in found.damage] + [f"end {found.end}\n"]
    return xxhash.xxh3_128_hexdigest("".join(lines).encode())


def differences(work: tuple[Path, list[str]]) -> list[str]:
    folder, lines = work
    files: dict[str, bytes] = {}
    found = []
    for line in lines:
        name, segment, stated, bit, expected = line.split()
        if name not in files:
            files = {name: (folder / name).read_bytes()}  # of one segment's flips there are many in a row
        data = files[name]
        if int(bit) >= 0:
            data = bytearray(data)
            data[int(bit) // 8] ^= 1 << int(bit) % 8
            data = bytes(data)
        if reading(data, int(segment), None if stated == "-" else int(stated)) != expected:
            found.append(line)
    return found


def main() -> int:
    folder = Path(sys.argv[1])
    lines = (folder / "results.txt").read_text().splitlines()
    chunks = [(folder, lines[start : start + CHUNK]) for start in range(0, len(lines), CHUNK)]
    with multiprocessing.Pool(os.cpu_count()) as pool:
        found = [line for part in pool.imap_unordered(differences, chunks) for line in part]
    flipped = sum(line.split()[3] != "-1" for line in lines)
    print(
        f"independent reader: {len(lines):,} segments, {flipped:,} of them with a flipped bit, {len(found)} differences"
    )
    for line in found[:SHOWN]:
        print(f"  differs: {line}")
    return 1 if found or not lines else 0


if __name__ == "__main__":
    sys.exit(main())
