"""Reads segments of Cirrus' log. Written from docs/formats/wal.md and record.md alone, and from nothing of the program.

    python Tests/Independent/wal_reader.py SEGMENT.wal...      one JSON line a record
"""

import json
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path

import cramjam
import google_crc32c
import xxhash

HEADER_BYTES = 4096
COPY_OFFSETS = (0, 2048)
RECORD_HEADER_BYTES = 40
PAYLOAD_LIMIT = 64 << 20
NUMBER_LIMIT = 1 << 60
KINDS = {1: "batch", 2: "witness", 3: "padding", 4: "seal"}
VERDICTS = ("none", "sealed", "unsealed", "torn", "poisoned", "damaged", "missing")


def crc32c(data: bytes) -> int:
    return google_crc32c.value(data)


class FormatError(Exception):
    pass


@dataclass
class SegmentHeader:
    volume: tuple[int, int]
    segment: int
    salt: int
    created_ms: int
    first_lsn: int
    fingerprint: int
    predecessor: int
    predecessor_end: int
    predecessor_last_lsn: int
    predecessor_verdict: str
    predecessor_hash: int
    predecessor_rows: int


@dataclass
class Record:
    offset: int
    lsn: int
    kind: int
    flags: int
    durable_lsn: int
    rows: int
    header_crc: int
    stored: bytes = field(repr=False)

    @property
    def end(self) -> int:
        return self.offset + RECORD_HEADER_BYTES + (len(self.stored) + 7) // 8 * 8

    def payload(self) -> bytes:
        return bytes(cramjam.snappy.decompress_raw(self.stored)) if self.flags & 1 else self.stored


@dataclass
class Segment:
    header: SegmentHeader
    records: list[Record]
    # Ranges in order, those that lose nothing among them.
    damage: list[tuple[int, int]]
    end: int
    torn: bool


def read_header(data: bytes) -> SegmentHeader:
    for start in COPY_OFFSETS:
        copy = data[start : start + 136]
        if len(copy) < 136 or copy[:8] != b"CIRRUSWL":
            continue
        crc, version = struct.unpack_from("<II", copy, 8)
        if crc != crc32c(copy[12:136]):
            continue
        if version != 1:
            raise FormatError(f"version {version}")
        high, low, segment, salt, created, first, fingerprint = struct.unpack_from("<QQQQqQQ", copy, 16)
        previous, end, last, verdict, _, hash_low, hash_high, rows = struct.unpack_from("<QQQIIQQQ", copy, 72)
        if max(segment, first, previous, end, last, rows) >= NUMBER_LIMIT:
            continue
        return SegmentHeader(
            (high, low), segment, salt, created, first, fingerprint,
            previous, end, last, VERDICTS[verdict], hash_high << 64 | hash_low, rows,
        )  # fmt: skip
    raise FormatError("no good copy of the segment header")


def header_block(data: bytes) -> bytes:
    """The first 4096 bytes as they should be: the good copy twice, and zeros."""
    for start in COPY_OFFSETS:
        copy = data[start : start + 136]
        if copy[:8] == b"CIRRUSWL" and struct.unpack_from("<I", copy, 8)[0] == crc32c(copy[12:136]):
            return copy.ljust(2048, b"\0") * 2
    raise FormatError("no good copy of the segment header")


class _Scanner:
    def __init__(self, data: bytes, header: SegmentHeader):
        self.data = data
        self.header = header

    def record_header(self, offset: int):
        """(crc, length, kind, flags, payload crc, lsn, durable, previous crc, rows); None where its CRC is not good."""
        raw = self.data[offset : offset + RECORD_HEADER_BYTES]
        if len(raw) < RECORD_HEADER_BYTES:
            return None
        crc, length, kind, flags, _, payload_crc, lsn, durable, previous, rows = struct.unpack("<IIBBHIQQII", raw)
        if crc != crc32c(self.key(offset) + raw[4:]) or length > PAYLOAD_LIMIT:
            return None
        if max(lsn, durable) >= NUMBER_LIMIT:
            return None
        return crc, length, kind, flags, payload_crc, lsn, durable, previous, rows

    def key(self, offset: int) -> bytes:
        return struct.pack("<QQQ", self.header.salt, self.header.segment, offset)

    def scan(self, end: int, is_stated: bool):
        """Good records up to `end`, bad ranges between as (from, to, first missing LSN), and bytes that should be 0."""
        records, bad, stains = [], [], []
        offset, expected, previous = HEADER_BYTES, self.header.first_lsn, 0
        while offset < end:
            found = self.record_header(offset)
            if found is not None and (found[5] < expected or previous not in (None, found[7])):
                found = None
            if found is None:
                if not is_stated and not any(self.data[offset:end]):
                    break
                start, offset = offset, self.resume(offset, end, expected)
                bad.append((start, offset, expected))
                previous = None  # unknown: the record before was not read
                continue
            crc, length, kind, flags, payload_crc, lsn, durable, _, rows = found
            body = offset + RECORD_HEADER_BYTES
            record = Record(offset, lsn, kind, flags, durable, rows, crc, self.data[body : body + length])
            if body + length > end or payload_crc != crc32c(self.key(offset) + record.stored):
                bad.append((offset, min(record.offset + RECORD_HEADER_BYTES + (length + 7) // 8 * 8, end), lsn))
                offset = bad[-1][1]
            else:
                records.append(record)
                if any(self.data[body + length : record.end]):
                    stains.append((body + length, record.end))
                offset = record.end
            previous, expected = crc, lsn + 1
        return records, bad, stains, min(offset, end)

    def resume(self, offset: int, end: int, expected: int) -> int:
        """The next multiple of 8 that begins with a good header of this LSN or a later one."""
        for candidate in range(offset // 8 * 8 + 8, end, 8):
            if candidate + RECORD_HEADER_BYTES > len(self.data):
                break
            if self.data[candidate + 8] == 0:
                continue  # no kind: no header
            found = self.record_header(candidate)
            if found is not None and found[5] >= expected:
                return candidate
        return end


def read_segment(path: Path, stated_end: int | None = None) -> Segment:
    """One segment: up to the end its successor states, or, of the newest, up to the end that can be proved."""
    return read_segment_bytes(path.read_bytes(), int(path.stem), stated_end)


def read_segment_bytes(data: bytes, segment: int, stated_end: int | None) -> Segment:
    header = read_header(data)
    if header.segment != segment:
        raise FormatError(f"segment {segment} says that it is segment {header.segment}")
    end = len(data) if stated_end is None else min(stated_end, len(data))
    records, bad, stains, reached = _Scanner(data, header).scan(end, stated_end is not None)
    if data[:HEADER_BYTES] != header_block(data):
        stains.insert(0, (0, HEADER_BYTES))
    torn = False
    if stated_end is None:
        proved = max((record.durable_lsn for record in records), default=0)
        for number, (start, _, missing) in enumerate(bad):
            if missing > proved:
                records = [record for record in records if record.offset < start]
                bad, reached, torn = bad[:number], start, True
                break
    stains = [stain for stain in stains if stain[0] < reached]
    damage = sorted(stains + [(start, stop) for start, stop, _ in bad])
    if stated_end is not None and len(data) < stated_end:
        damage.append((len(data), stated_end))
    return Segment(header, records, damage, reached, torn)


def read_log(folder: Path) -> dict[int, Segment]:
    """Every segment by id; each ends where its successor says, and must have the hash that it says."""
    paths = {int(path.stem): path for path in folder.glob("*.wal")}
    ends, hashes = {}, {}
    for path in paths.values():
        header = read_header(path.read_bytes()[:HEADER_BYTES])
        if header.predecessor:
            ends[header.predecessor] = header.predecessor_end
            hashes[header.predecessor] = header.predecessor_hash
    log = {}
    for segment, path in sorted(paths.items()):
        log[segment] = read_segment(path, ends.get(segment))
        if segment in ends:
            content = path.read_bytes()[HEADER_BYTES : ends[segment]]
            if xxhash.xxh3_128_intdigest(content) != hashes[segment]:
                raise FormatError(f"{path}: its successor states another hash")
    return log


class _Cursor:
    def __init__(self, data: bytes):
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise FormatError("a batch ends early")
        self.at += count
        return self.data[self.at - count : self.at]

    def u8(self) -> int:
        return self.take(1)[0]

    def u64(self) -> int:
        return struct.unpack("<Q", self.take(8))[0]

    def varint(self) -> int:
        result = shift = 0
        while True:
            byte = self.u8()
            result |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return result

    def zigzag(self) -> int:
        return unzigzag(self.varint())

    def bytes(self) -> bytes:
        return self.take(self.varint())

    def text(self) -> str:
        return self.bytes().decode()

    def label_set(self, labels: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        return tuple(labels[self.varint()] for _ in range(self.varint()))


def unzigzag(number: int) -> int:
    return number >> 1 ^ -(number & 1)


@dataclass
class Batch:
    fingerprint: int
    received_ms: int
    protocol: int
    status: int
    written: tuple[int, int, int, int]
    rejected: int
    filtered: int
    reason: str
    # (reference, timestamp in ms, start timestamp or None, the bits of the double)
    samples: list[tuple[int, int, int | None, int]]
    # (reference, timestamp in ms, protocol, the sender's message)
    histograms: list[tuple[int, int, int, bytes]]
    # (reference, timestamp in ms, bits, labels)
    exemplars: list[tuple]
    # (type, family, help, unit)
    metadata: list[tuple]


def read_batch(payload: bytes, series: dict[int, tuple]) -> Batch:
    """One request. `series` maps the references of its segment to (streams, labels) and is added to."""
    cursor = _Cursor(payload)
    if (version := cursor.u8()) != 2:
        raise FormatError(f"batch version {version}")
    low, high = cursor.u64(), cursor.u64()
    received, protocol = cursor.zigzag(), cursor.u8()
    (status,) = struct.unpack("<H", cursor.take(2))
    written = (cursor.varint(), cursor.varint(), cursor.varint(), cursor.varint())
    rejected, filtered, reason = cursor.varint(), cursor.varint(), cursor.text()
    labels = [(cursor.text(), cursor.text()) for _ in range(cursor.varint())]
    first = cursor.varint()
    for number in range(cursor.varint()):
        streams = cursor.u8()
        series[first + number] = (streams, cursor.label_set(labels))
    samples = _samples(cursor)
    histograms = [(cursor.varint(), cursor.zigzag(), cursor.u8(), cursor.bytes()) for _ in range(cursor.varint())]
    exemplars = [
        (cursor.varint(), cursor.zigzag(), cursor.u64(), cursor.label_set(labels)) for _ in range(cursor.varint())
    ]
    metadata = [(cursor.varint(), cursor.text(), cursor.text(), cursor.text()) for _ in range(cursor.varint())]
    if cursor.at != len(payload):
        raise FormatError(f"{len(payload) - cursor.at} bytes behind the batch")
    return Batch(
        high << 64 | low, received, protocol, status, written, rejected, filtered, reason,
        samples, histograms, exemplars, metadata,
    )  # fmt: skip


def _samples(cursor: _Cursor) -> list[tuple[int, int, int | None, int]]:
    count = cursor.varint()
    references, timestamps, starts, values = [], [], [None] * count, []
    reference = -1
    for _ in range(count):
        reference += cursor.zigzag() + 1
        references.append(reference)
    timestamp = 0
    for _ in range(count):
        timestamp += cursor.zigzag()
        timestamps.append(timestamp)
    if cursor.u8() == 1:
        for index in range(count):
            if cursor.u8() == 1:
                starts[index] = timestamps[index] - cursor.zigzag()
    for _ in range(count):
        word = cursor.varint()
        if word & 3 == 0:
            values.append(struct.unpack("<Q", struct.pack("<d", float(unzigzag(word >> 2))))[0])
        elif word == 1:
            values.append(cursor.u64())
        else:
            raise FormatError(f"value form {word & 3}")
    return list(zip(references, timestamps, starts, values))


def main():
    for name in sys.argv[1:]:
        for record in read_segment(Path(name)).records:
            line = {"offset": record.offset, "lsn": record.lsn, "kind": KINDS.get(record.kind, str(record.kind))}
            print(json.dumps(line | {"rows": record.rows, "stored_bytes": len(record.stored)}))


if __name__ == "__main__":
    main()
