"""The log as a reader sees it that was written from its format page alone, beside `czctl inspect wal`."""

import json
import shutil
import struct
import sys
from pathlib import Path

from processes import ROOT
from remote_write import V2, snappy
from test_v2_sender import known_requests, send_all

sys.path.insert(0, str(ROOT / "Tests/Independent"))
import wal_reader  # noqa: E402


def inspect(cirrus, path: Path, exit_code: int = 0) -> dict:
    result = cirrus.command("inspect", "wal", path, "-o", "json")
    assert result.returncode == exit_code, result.stderr
    return json.loads(result.stdout)


def check_same(cirrus, path: Path, segment: wal_reader.Segment):
    """Both find the same records, damage and end."""
    listed = inspect(cirrus, path, 7 if segment.damage else 0)
    batches = [record for record in segment.records if record.kind == 1]
    mine = [
        {
            "offset": record.offset,
            "kind": wal_reader.KINDS[record.kind],
            "lsn": record.lsn,
            "durable_lsn": record.durable_lsn,
            "rows": record.rows,
            "bytes": len(record.stored),
            "compressed": bool(record.flags & 1),
        }
        for record in segment.records
    ]
    keys = ["offset", "kind", "lsn", "durable_lsn", "rows", "bytes", "compressed"]
    assert [{key: entry[key] for key in keys} for entry in listed["records"]] == mine
    assert (listed["record_count"], listed["logical_end"]) == (len(segment.records), segment.end)
    assert [(range_["start"], range_["end"]) for range_ in listed["damage"]] == segment.damage
    series: dict = {}
    listed_batches = [entry for entry in listed["records"] if entry["kind"] == "batch"]
    for record, entry in zip(batches, listed_batches, strict=True):
        batch = wal_reader.read_batch(record.payload(), series)
        assert record.rows == len(batch.samples) == entry["batch"]["samples"]
        assert entry["batch"]["written_samples"] == batch.written[0]
        assert entry["batch"]["fingerprint"] == f"{batch.fingerprint:032x}"


def samples_of(log: dict[int, wal_reader.Segment]) -> list[tuple]:
    found = []
    for segment in log.values():
        series: dict = {}
        for record in segment.records:
            if record.kind == 1:
                batch = wal_reader.read_batch(record.payload(), series)
                found += [(series[reference][1], time, bits) for reference, time, _, bits in batch.samples]
    return sorted(found)


def sent_bits(requests: list) -> list[tuple]:
    return sorted(
        (labels, timestamp, struct.unpack("<Q", struct.pack("<d", value))[0])
        for series in requests
        for labels, samples in series
        for timestamp, value in samples
    )


def written_log(make_cirrus, encoder) -> tuple:
    """A log of several segments, written by a service that was killed once and again at the end."""
    cirrus = make_cirrus(
        database={"cost_max_interval": "1h"}, wal={"segment_age": "1h", "segment_bytes": 64 << 10}
    )
    # The first batch of a new volume becomes a file at once; what follows stays in the log for an hour.
    service = cirrus.start()
    send_all(cirrus.port, [snappy(encoder.v2(known_requests("earlier")[0]))], V2)
    cirrus.drain()
    service.kill()
    sent = known_requests("first")[:20], known_requests("second")[:20]
    for requests in sent:
        service = cirrus.start()
        answers = send_all(cirrus.port, [snappy(encoder.v2(series)) for series in requests], V2)
        assert {status for status, _, _ in answers} == {204}
        service.kill()
    return cirrus, sent[0] + sent[1]


def test_every_record_and_every_bit(make_cirrus, encoder):
    cirrus, sent = written_log(make_cirrus, encoder)
    folder = cirrus.data / "wal"
    log = wal_reader.read_log(folder)
    assert len(log) >= 3
    for number, segment in log.items():
        check_same(cirrus, folder / f"{number:020}.wal", segment)
    assert samples_of(log) == sent_bits(sent)


def test_damage_is_told_from_a_torn_tail(make_cirrus, encoder, tmp_path):
    cirrus, sent = written_log(make_cirrus, encoder)
    folder = tmp_path / "copy"
    shutil.copytree(cirrus.data / "wal", folder)
    log = wal_reader.read_log(folder)

    # One bit in an acknowledged batch of a segment: that batch alone is lost, and said to be.
    first = next(number for number in sorted(log) if sum(record.kind == 1 for record in log[number].records) > 1)
    batches = [record for record in log[first].records if record.kind == 1]
    path = folder / f"{first:020}.wal"
    data = bytearray(path.read_bytes())
    data[batches[1].offset + 100] ^= 4
    path.write_bytes(data)
    damaged = wal_reader.read_segment(path, log[first].end)
    assert damaged.damage == [(batches[1].offset, batches[1].end)]
    assert len(damaged.records) == len(log[first].records) - 1
    check_same(cirrus, path, damaged)

    # Bytes behind the newest segment's end, which nothing proves: torn there, and nothing else changes.
    newest = max(number for number, segment in log.items() if any(record.kind == 1 for record in segment.records))
    path = folder / f"{newest:020}.wal"
    for later in [number for number in log if number > newest]:
        (folder / f"{later:020}.wal").unlink()
    end = wal_reader.read_segment(path).end
    data = bytearray(path.read_bytes()[:end])
    path.write_bytes(data + b"\xa5" * 5000)
    torn = wal_reader.read_segment(path)
    assert (torn.torn, torn.end, torn.damage) == (True, end, [])
    check_same(cirrus, path, torn)
