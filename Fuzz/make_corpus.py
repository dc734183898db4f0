"""Writes the corpus of the fuzz targets: what real senders send, small, and the shapes that a decoder must tell apart.

    .venv/bin/python Fuzz/make_corpus.py      writes Fuzz/Corpus/<target>/; files named `found-...` are left alone

Messages are made by protobuf's own classes from Tests/EndToEnd/proto; a crash that was found is a file of its own,
named after the fault.
"""

import struct
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "Tests/EndToEnd"), str(ROOT / "Tests/Independent")]

import cramjam  # noqa: E402
import duckdb  # noqa: E402
import fastparquet  # noqa: E402
import google_crc32c  # noqa: E402
import pyarrow  # noqa: E402
import pyarrow.parquet  # noqa: E402

from remote_write import STALE, Encoder, from_bits, snappy  # noqa: E402

NOW = 1_782_900_001_234
POD = (("__name__", "container_cpu_usage_seconds_total"), ("namespace", "kube-system"), ("pod", "coredns-7db6"))
VALUES = [0.0, -0.0, 1.0, 0.1, -1e300, 5e-324, float("inf"), float("-inf"), STALE, from_bits(0xFFF80000DEADBEEF)]


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


HISTOGRAMS = {
    "integer": dict(
        count_int=12, sum=18.4, schema=1, zero_threshold=0.001, zero_count_int=2,
        positive_spans=[dict(offset=0, length=2), dict(offset=1, length=2)], positive_deltas=[1, 1, -1, 0],
        negative_spans=[dict(offset=-3, length=1)], negative_deltas=[2], reset_hint=1, timestamp=NOW,
    ),
    "float": dict(
        count_float=1.5, sum=STALE, schema=-4, zero_count_float=0.5, positive_spans=[dict(offset=2, length=1)],
        positive_counts=[1.0], reset_hint=3, timestamp=NOW,
    ),
    "custom": dict(
        count_int=3, sum=4.0, schema=-53, custom_values=[0.5, 1.0, 2.5], positive_spans=[dict(offset=0, length=3)],
        positive_deltas=[1, 0, 0], timestamp=NOW,
    ),
}  # fmt: skip


def v1(encoder: Encoder) -> dict[str, bytes]:
    one = encoder.one
    made = {
        "empty": b"",
        "one": encoder.v1([(POD, [(NOW, 0.25)])]),
        "values": encoder.v1([(POD, [(NOW + i, value) for i, value in enumerate(VALUES)])]),
        "series": encoder.v1([(POD[:2] + (("pod", f"p{i}"),), [(NOW, i)]) for i in range(5)]),
        "known-twice": encoder.v1([(POD, [(NOW, 1.0)]), (POD, [(NOW + 1, 2.0)])]),
        "no-name": encoder.v1([((("pod", "p"),), [(NOW, 1.0)])]),
        "unsorted": encoder.v1([((("b", "1"), ("a", "2")), [(NOW, 1.0)])]),
        "duplicate": encoder.v1([((("__name__", "a"), ("b", "1"), ("b", "2")), [(NOW, 1.0)])]),
        "no-labels": encoder.v1([((), [(NOW, 1.0)])]),
        "many-labels": encoder.v1([((("__name__", "a"), *((f"l{i}", "v") for i in range(8))), [(NOW, 1.0)])]),
        "long": encoder.v1([((("__name__", "a"), ("n" * 30, "v"), ("o", "v" * 60)), [(NOW, 1.0)])]),
        "utf8": encoder.v1([((("__name__", "grüße.🙂"), ("label with space", "\u2028")), [(NOW, 1.0)])]),
        "times": encoder.v1([(POD, [(-(2**63), 1.0), (2**63 - 1, 1.0), (0, 1.0), (253_402_300_800_000, 1.0)])]),
        "expanded": encoder.v1([((("__name__", f"{i}" + "m" * 40),), [(NOW, 1.0)]) for i in range(13)]),
    }
    request = one.WriteRequest()
    for kind, help_text in ((1, "CPU time."), (3, ""), (7, "Ünit")):
        request.metadata.add(type=kind, metric_family_name=f"family_{kind}", help=help_text, unit="seconds")
    request.metadata.add(type=1, metric_family_name="family_1", help="CPU time.", unit="seconds")
    made["metadata"] = request.SerializeToString()
    for name, histogram in HISTOGRAMS.items():
        request = one.WriteRequest()
        entry = request.timeseries.add()
        entry.labels.add(name="__name__", value="latency_seconds")
        entry.histograms.add(**histogram)
        entry.samples.add(value=1.0, timestamp=NOW)
        exemplar = entry.exemplars.add(value=0.5, timestamp=NOW)
        exemplar.labels.add(name="trace_id", value="4bf92f3577b34da6")
        made[f"histogram-{name}"] = request.SerializeToString()
    label = field(1, field(1, b"__name__") + field(2, b"m"))
    sample = field(2, bytes([9]) + struct.pack("<d", 1.5) + b"\x10" + varint(NOW))
    made |= {
        "label-after-sample": field(1, sample + label),
        "unknown-fields": field(1, label + b"\x50\x01" + field(20, b"x") + sample + b"\x5d" + bytes(4)) + b"\x08\x05",
        "group": field(1, label + b"\x53\x08\x01\x54" + sample),
        "twice-in-label": field(1, field(1, field(1, b"x") + field(1, b"__name__") + field(2, b"m")) + sample),
        "long-tag": b"\x8a\x80\x00" + field(1, label + sample)[1:],
        "cut": field(1, label + sample)[:-4],
        "not-utf8": field(1, field(1, field(1, b"__name__") + field(2, b"\xff\xfe")) + sample),
        "empty-label": field(1, label + field(1, b"") + sample),
    }
    return made


def v2(encoder: Encoder) -> dict[str, bytes]:
    two = encoder.two
    made = {
        "empty": b"",
        "one": encoder.v2([(POD, [(NOW, 0.25)])]),
        "values": encoder.v2([(POD, [(NOW + i, value) for i, value in enumerate(VALUES)])]),
        "series": encoder.v2([(POD[:2] + (("pod", f"p{i}"),), [(NOW, i)]) for i in range(5)]),
        "known-twice": encoder.v2([(POD, [(NOW, 1.0)]), (POD, [(NOW + 1, 2.0)])]),
        "no-name": encoder.v2([((("pod", "p"),), [(NOW, 1.0)])]),
        "unsorted": encoder.v2([((("b", "1"), ("a", "2")), [(NOW, 1.0)])]),
        "no-labels": encoder.v2([((), [(NOW, 1.0)])]),
        "times": encoder.v2([(POD, [(-(2**63), 1.0), (2**63 - 1, 1.0), (0, 1.0)])]),
        "symbols-alone": two.Request(symbols=["", "a"]).SerializeToString(),
    }
    request = encoder.v2_request([(POD, [(NOW, 1.0), (NOW + 1, 2.0)]), (POD, [])])
    request.timeseries[0].samples[0].start_timestamp = NOW - 60_000
    request.timeseries[0].exemplars.add(labels_refs=[1, 2], value=0.5, timestamp=NOW)
    request.timeseries[0].exemplars.add(value=0.5)
    request.timeseries[0].metadata.type = 1
    request.timeseries[0].metadata.help_ref = 3
    request.timeseries[0].metadata.unit_ref = 5
    for name, histogram in HISTOGRAMS.items():
        request.timeseries[1].ClearField("histograms")
        request.timeseries[1].histograms.add(**histogram, start_timestamp=NOW - 1)
        made[f"histogram-{name}"] = request.SerializeToString()
    request.timeseries[1].samples.add(value=1, timestamp=NOW)
    made["mixed"] = request.SerializeToString()
    for name, references in (("odd", [1, 2, 3]), ("range", [1, 99]), ("huge", [1, 2**32 - 1]), ("zero", [0, 0])):
        request = encoder.v2_request([(POD, [(NOW, 1.0)])])
        del request.timeseries[0].labels_refs[:]
        request.timeseries[0].labels_refs.extend(references)
        made[f"refs-{name}"] = request.SerializeToString()
    symbols = b"".join(field(4, text) for text in (b"", b"__name__", b"m", b"unit"))
    sample = field(2, bytes([9]) + struct.pack("<d", 1.5) + b"\x10" + varint(NOW) + b"\x18" + varint(NOW - 5))
    made |= {
        "series-first": field(5, field(1, b"\x01\x02") + sample) + symbols,
        "unpacked-refs": symbols + field(5, b"\x08\x01\x08\x02" + sample),
        "split-refs": symbols + field(5, field(1, b"\x01") + sample + field(1, b"\x02")),
        "metadata-twice": symbols
        + field(5, field(1, b"\x01\x02") + field(5, b"\x08\x01") + field(5, b"\x20\x03") + sample),
        "created": symbols + field(5, field(1, b"\x01\x02") + b"\x30" + varint(NOW - 9) + sample),
        "first-symbol": field(4, b"x") + field(5, field(1, b"\x00\x00") + sample),
        "cut-reference": symbols + field(5, field(1, b"\x01\x82") + sample),
        "group": symbols + field(5, b"\x53\x54" + field(1, b"\x01\x02") + sample),
        "not-utf8": symbols.replace(b"\x22\x01m", b"\x22\x01\xff") + field(5, field(1, b"\x01\x02") + sample),
    }
    return made


def snappy_blocks(encoder: Encoder) -> dict[str, bytes]:
    body = encoder.v1([(POD[:2] + (("pod", f"p{i}"),), [(NOW, i)]) for i in range(8)])
    return {
        "request": snappy(body),
        "bytes": body[:200],
        "zeros": snappy(bytes(3000)),
        "zeros-plain": bytes(300),
        "empty": b"\0",
        "nothing": b"",
        "literal": b"\x05\x10hello",
        "copy-1": b"\x0c\x0cabcd" + b"\x11\x04",
        "copy-2": b"\x0c\x0cabcd" + b"\x1e\x04\x00",
        "copy-4": b"\x0c\x0cabcd" + b"\x1f\x04\x00\x00\x00",
        "copy-before-start": b"\x08\x0cabcd\x0e\x05\x00",
        "offset-zero": b"\x08\x0cabcd\x0e\x00\x00",
        "short": snappy(body)[:-3],
        "long": snappy(body) + b"\0",
        "limit": varint(1 << 16) + b"\0" * 20,
        "over-the-limit": varint((1 << 16) + 1) + b"\0" * 20,
        "claims-4-gib": b"\xff\xff\xff\xff\x0f",
        "claims-more": b"\xff\xff\xff\xff\xff\x0f",
        "literal-60": varint(100) + b"\xf0\x63" + bytes(100),
        "literal-63": varint(4) + b"\xfc\x03\x00\x00\x00abcd",
        "letters": bytes(range(97, 123)) * 6,
    }


def http() -> dict[str, bytes]:
    def post(path: bytes, body: bytes, more: bytes = b"") -> bytes:
        return b"POST %s HTTP/1.1\r\nHost: h\r\n%sContent-Length: %d\r\n\r\n%s" % (path, more, len(body), body)

    get = b"GET /g HTTP/1.1\r\nHost: h\r\n\r\n"
    chunked = b"POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    streams = {
        "get": get,
        "three": get + post(b"/p?a=b", b"hello") + get,
        "chunked": chunked + b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nTrailer: t\r\n\r\n" + get,
        "chunked-large": chunked + b"40\r\n" + b"x" * 64 + b"\r\n9\r\n123456789\r\n0\r\n\r\n" + get,
        "continue": post(b"/p", b"ok", b"Expect: 100-continue\r\n") + get,
        "refused": post(b"/refuse", b"dropped") + get,
        "refused-continue": post(b"/refuse", b"dropped", b"Expect: 100-continue\r\n") + get,
        "oversize": post(b"/p", b"x" * 65) + get,
        "oversize-chunked": chunked + b"48\r\n" + b"x" * 72 + b"\r\n0\r\n\r\n" + get,
        "half-body": post(b"/p", b"hello")[:-2],
        "half-head": get[:-3],
        "http-1.0": b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + get,
        "close": b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" + get,
        "upgrade": b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + get,
        "connect": b"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n" + get,
        "head": b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n" + get,
        "two-lengths": b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello" + get,
        "length-and-chunked": chunked[:-2] + b"Content-Length: 5\r\n\r\n0\r\n\r\n" + get,
        "length-overflow": b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551616\r\n\r\n" + get,
        "chunk-overflow": chunked + b"ffffffffffffffffff\r\n" + get,
        "bare-line-feeds": b"GET / HTTP/1.1\nHost: h\n\n" + get,
        "folded": b"GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n" + get,
        "preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "garbage": b"garbage\r\n\r\n" + get,
    }
    made = {name: bytes([0, 40]) + stream for name, stream in streams.items()}
    for flags, seed, name in ((1, 200, "three"), (2, 200, "three"), (4, 30, "three"), (8, 250, "three"),
                              (1, 99, "oversize-chunked"), (9, 1, "refused"), (12, 10, "chunked")):  # fmt: skip
        made[f"{name}-{flags}-{seed}"] = bytes([flags, seed]) + streams[name]
    return made


def configuration() -> dict[str, bytes]:
    return {
        "minimal": b"cluster_name: demo\n",
        "empty": b"",
        "mark": b"\xef\xbb\xbfcluster_name: a\n",
        "original": b"""cloud_account_id: "123456789012"
region: us-east-1
cluster_name: prod-eu-1
metrics:
  cost:
    - pattern: "container_cpu_usage_seconds_total"
      match: exact
    - {pattern: kube_node_, match: prefix}
  cost_labels:
    - pattern: "^(namespace|pod)$"
      match: regex
  observability_labels:
server: {mode: http, port: 8080, profiling: false, reconnect_frequency: 16}
logging: {level: info, capture: true}
database:
  storage_path: /data
  max_records: 1500000
  cost_max_interval: 10m
  available_storage: 10Gi
  purge_rules: {metrics_older_than: 168h, lazy: true, percent: 20}
cloudzero: {api_key_path: /key, send_interval: 1h30m, http_max_retries: 10, use_http: false}
""",
        "destinations": b"""cluster_name: a
destinations:
  - {kind: directory, path: /lake}
  - kind: s3
    bucket: b
    region: eu-west-1
    endpoint: http://127.0.0.1:9000
    path_style: true
limits: {body_bytes: 16MiB, decoded_bytes: 32MiB, labels_per_series: 64}
wal: {segment_bytes: 16Mi, segment_age: 90s}
tls: {cert_file: /c, key_file: /k}
http: {proxy: "http://u:p@h:1", no_proxy: [a, b], rate_limit: 1MiB}
""",
        "numbers": b"server: {port: 0x1F}\nwal: {segment_age: 1e3s, segment_bytes: 99999999999999999999}\n",
        "durations": b"database: {cost_max_interval: -1h2m3.5s4ms5us6ns, observability_max_interval: 9999999h}\n",
        "quantities": b"cluster_name: a\ndatabase: {available_storage: 1.5Gi}\nlimits: {body_bytes: 9E}\n",
        "unknown": b"cluster_nam: a\nsever: {prt: 1}\n",
        "types": b"cluster_name: [a]\nserver: 5\nmetrics: {cost: x}\n",
        "twice": b"cluster_name: a\ncluster_name: b\n",
        "anchor": b"a: &x [1]\nb: *x\n",
        "tag": b"a: !!str 1\n",
        "documents": b"a: 1\n---\nb: 2\n",
        "deep": b"a: " + b"[" * 40,
        "tab": b"a:\n\tb: 1\n",
        "control": b"a: \x01\n",
        "not-utf8": b"a: \xff\n",
        "quote": b"a: 'b\n",
        "block": b"a: |\n  text\n  more\nb: >-\n  folded\n",
        "complex-key": b"? [a]\n: b\n",
    }


def batches(encoder: Encoder) -> dict[str, bytes]:
    def text(value: bytes) -> bytes:
        return varint(len(value)) + value

    def zigzag(number: int) -> bytes:
        return varint((number << 1 ^ number >> 63) & (1 << 64) - 1)

    header = b"\x02" + bytes(range(16)) + zigzag(NOW) + b"\x02" + struct.pack("<H", 204)
    header += b"".join(map(varint, (2, 1, 1, 1, 0, 0))) + text(b"")
    labels = varint(3) + b"".join(map(text, (b"__name__", b"m", b"pod", b"p", b"trace_id", b"1")))
    label_set = varint(2) + varint(0) + varint(1)
    series = labels + varint(0) + varint(2) + b"\x01" + label_set + b"\x03" + label_set
    samples = varint(2) + zigzag(0) + zigzag(0) + zigzag(NOW) + zigzag(15_000)
    plain = samples + b"\0" + varint(12) + varint(1) + struct.pack("<d", 0.1)
    starts = samples + b"\x01\x01" + zigzag(60_000) + b"\0" + varint(12) + varint(1) + struct.pack("<d", STALE)
    histograms = varint(1) + varint(0) + zigzag(NOW) + b"\x02" + text(b"\x08\x05")
    exemplars = varint(1) * 2 + zigzag(NOW) + struct.pack("<d", 0.5) + varint(1) + varint(2)
    metadata = varint(1) + varint(1) + text(b"m") + text(b"Help.") + text(b"s")
    nothing = varint(0) * 3
    whole = header + series + starts + histograms + exemplars + metadata
    return {
        "samples": b"\0" + header + series + plain + nothing,
        "starts": b"\0" + header + series + starts + nothing,
        "whole": b"\0" + whole,
        "compressed": b"\x01" + snappy(whole * 4),
        "compressed-one": b"\x01" + snappy(whole),
        "empty": b"\0" + header + varint(0) * 4 + b"\0" + nothing,
        "reason": b"\0" + header[:-1] + text(b"series {}: no labels\n") + varint(0) * 4 + b"\0" + nothing,
        "first-reference": b"\0" + header + labels + varint(2**32 - 4) + varint(2) + (b"\x01" + label_set) * 2 + plain
        + nothing,
        "references": b"\0" + header + series + varint(2) + zigzag(2**62) + zigzag(-(2**62)) + plain + nothing,
        "count": b"\0" + header + series + varint(2**31 - 1) + plain,
        "label-number": b"\0" + header + labels + varint(0) + varint(1) + b"\x01" + varint(1) + varint(3) + plain,
        "version": b"\0\x01" + header[1:],
        "claims": b"\x01" + varint(256 << 20) + b"\0" * 8,
        "cut": b"\0" + whole[:-3],
        "longer": b"\0" + whole + b"\0",
    }


def segments() -> dict[str, bytes]:
    """Byte 0 flags, id of the newest, then header, length and records of each; the target puts the checksums right."""

    def header(salt=7, first_lsn=1, previous=0, end=0, last=0, verdict=0, rows=0) -> bytes:
        made = b"CIRRUSWL" + struct.pack("<II", 0, 1) + struct.pack("<QQQQqQQ", 1, 2, 0, salt, NOW, first_lsn, 9)
        return (made + struct.pack("<QQQIIQQQ", previous, end, last, verdict, 0, 3, 4, rows)).ljust(136, b"\0")

    def record(kind, lsn, durable, payload=b"", rows=0, flags=0, chain=0) -> bytes:
        made = struct.pack("<IIBBHIQQII", 0, len(payload), kind, flags, chain, 0, lsn, durable, 0, rows) + payload
        return made + bytes(-len(made) % 8)

    def directory(newest: int, *parts: tuple[bytes, bytes], flags: int = 0) -> bytes:
        bodies = b"".join(head + struct.pack("<H", len(records)) + records for head, records in parts)
        return bytes([flags]) + struct.pack("<Q", newest) + bodies

    three = record(1, 1, 0, b"abc", 2) + record(1, 2, 1, b"defghijk", 1) + record(2, 3, 2)
    sealed = three + record(4, 4, 3)
    padded = record(1, 1, 0, b"abc", 2) + record(3, 2, 0, bytes(24)) + record(1, 3, 2, b"x", 1)
    end = 4096 + len(sealed)
    lines = b"cirrus-volume 1\nuuid 00000000-0000-0001-0000-000000000002\nsegments-below 1025\n"
    volume = lines + b"crc32c %x\n" % google_crc32c.value(lines)
    return {
        "one": directory(1, (header(), three)),
        "sealed": directory(1, (header(), sealed)),
        "padded": directory(1, (header(), padded)),
        "two": directory(2, (header(), sealed), (header(8, 5, 1, end, 4, 1, 3), three)),
        "states-less": directory(2, (header(), sealed), (header(8, 5, 1, 4096 + 48, 1, 3, 2), b"")),
        "states-more": directory(2, (header(), sealed), (header(8, 5, 1, 1 << 40, 9, 5, 99), b"")),
        "gap": directory(9, (header(), sealed), (header(8, 5, 7, end, 4, 1, 3), three)),
        "empty": directory(1, (header(), b"")),
        "blank": directory(1, (header(), three + bytes(200))),
        "torn": directory(1, (header(), three + b"\xa5" * 100)),
        "damaged": directory(1, (header(), three[:48] + b"\xa5" * 48 + record(1, 3, 2, b"z", 1))),
        "wrong-chain": directory(1, (header(), three + record(1, 4, 3, b"q", 1, chain=1))),
        "older-lsn": directory(1, (header(), three + record(1, 2, 3, b"q", 1))),
        "lsn-gap": directory(1, (header(), three + record(1, 9, 8, b"q", 1))),
        "last-lsn": directory(1, (header(), record(1, 2**64 - 1, 0, b"q", 1))),
        "unknown-kind": directory(1, (header(), three + record(77, 4, 3, b"future") + record(1, 5, 4, b"q", 1))),
        "unrepaired": directory(1, (header(), three), flags=1),
        "short": directory(1, (header(), three), flags=2),
        "last-id": directory(2**64 - 1, (header(), three)),
        "headless": directory(3, (header(8, 5, 2, end, 2**64 - 1, 1, 3), b"")),
        "volume": directory(1, flags=4) + volume,
    }  # fmt: skip


def parquet() -> dict[str, bytes]:
    """Small tables of other writers: every encoding, codec and shape that we read. Our own have CRCs of footer and
    pages, which no mutation gets past."""
    folder = Path(tempfile.mkdtemp())
    pairs = pyarrow.map_(pyarrow.string(), pyarrow.string())
    table = pyarrow.table({
        "metric_name": ["up", "cpu", "up", "up"],
        "timestamp": pyarrow.array([NOW, NOW + 1, None, NOW], pyarrow.timestamp("ms", "UTC")),
        "labels": ['{"pod":"a"}', '{"pod":"b"}', "{}", '{"pod":"a"}'],
        "value": ["1", "NaN", None, "0.5"],
    })  # fmt: skip
    native = table.set_column(2, "labels", pyarrow.array([[("pod", "a")], [], None, [("pod", None)]], pairs))
    native = native.set_column(3, "value", pyarrow.array([1.0, None, -0.5, 2.0]))
    others = pyarrow.table({
        "list": pyarrow.array([[1, None], [], None, [3]], pyarrow.list_(pyarrow.int32())),
        "float": pyarrow.array([0.5, None, 1, 2], pyarrow.float32()), "bool": [True, None, False, True],
    })  # fmt: skip
    delta = {"timestamp": "DELTA_BINARY_PACKED", "labels": "DELTA_LENGTH_BYTE_ARRAY", "value": "PLAIN"}
    small = dict(store_schema=False, compression="none")
    tables = {
        "dictionary": (table, small), "version-1": (table, small | {"version": "1.0"}),
        "delta": (table, small | {"use_dictionary": False, "column_encoding": delta}),
        "pages-v2": (table, small | {"data_page_version": "2.0", "compression": "snappy"}),
        "zstd": (table.select(["metric_name", "value"]), small | {"compression": "zstd"}),
        "gzip": (table.select(["metric_name", "value"]), small | {"compression": "gzip"}),
        "native": (native, small), "others": (others, small),
        "others-v2": (others, small | {"data_page_version": "2.0"}),
        "row-groups": (table.select(["metric_name"]), small | {"row_group_size": 2}),
        "split": (others.select(["float"]), small | {"use_dictionary": False, "use_byte_stream_split": True}),
    }  # fmt: skip
    for name, (rows, options) in tables.items():
        pyarrow.parquet.write_table(rows, folder / name, **options)
    with duckdb.connect() as connection:
        connection.register("samples", table)
        connection.execute(f"copy samples to '{folder}/duckdb' (format parquet)")
    fastparquet.write(str(folder / "fastparquet"), table.select(["metric_name", "value"]).to_pandas())
    made = {path.name: path.read_bytes() for path in folder.iterdir()}
    return made | {"empty": b"PAR1" + b"\x15\x02\x19\x0c\x16\x00\x19\x0c\x00" + struct.pack("<I", 9) + b"PAR1"}


def main():
    encoder = Encoder(Path(tempfile.mkdtemp()))
    made = {
        "snappy": snappy_blocks(encoder), "v1": v1(encoder), "v2": v2(encoder), "http": http(),
        "configuration": configuration(), "batch": batches(encoder), "segment": segments(), "parquet": parquet(),
    }  # fmt: skip
    for target, files in made.items():
        folder = Path(__file__).parent / "Corpus" / target
        folder.mkdir(parents=True, exist_ok=True)
        for stale in folder.iterdir():
            if not stale.name.startswith("found-"):
                stale.unlink()
        for name, content in files.items():
            assert len(content) < 4096, f"{target}/{name}: {len(content)} bytes"
            (folder / name).write_bytes(content)
    print({target: len(files) for target, files in made.items()})


if __name__ == "__main__":
    main()
