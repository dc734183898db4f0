"""The receiver, rows 18 to 30: what becomes of single values. Each is read back from the log bit by bit."""

import math
import time

import pytest

from cirrus import Cirrus
from protobuf_oracle import varint
from receiver import NOW, Receiver, Values, labels, refused_values, samples_of, to_bits
from remote_write import STALE, from_bits
from test_receiver import QUIET, VERSIONS, make_receiver, one_series  # noqa: F401


@pytest.fixture(scope="module")
def receiver(tmp_path_factory, encoder):
    cirrus = Cirrus(tmp_path_factory.mktemp("values"), **QUIET)
    yield Receiver(cirrus, encoder)
    cirrus.kill()


def parsed(receiver, version: str, series: list):
    """A request to be changed before it is sent."""
    request = (receiver.encoder.one.WriteRequest if version == "v1" else receiver.encoder.two.Request)()
    request.ParseFromString(receiver.body(version, series))
    return request


def symbol(request, text: str) -> int:
    if text not in list(request.symbols):
        request.symbols.append(text)
    return list(request.symbols).index(text)


def without_values(receiver, version: str, name: str):
    request = parsed(receiver, version, [(labels(name), [(NOW, 1.0)])])
    del request.timeseries[0].samples[:]
    return request


BAD_V2 = {
    "out of range": (lambda s: s.labels_refs.append(99), "symbol 99 of"),
    "out of range by far": (lambda s: s.labels_refs.__setitem__(1, 0xFFFFFFFF), "symbol 4294967295 of"),
    "odd": (lambda s: s.labels_refs.append(0), "an odd number of label references"),
    "mixed": (
        lambda s: s.histograms.add(count_int=1, zero_count_int=1, timestamp=NOW),
        "samples and histograms in one series",
    ),
    "neither": (lambda s: s.ClearField("samples"), "neither samples nor histograms"),
}


@pytest.mark.parametrize("case", BAD_V2)
def test_row_18_bad_series_of_v2(receiver, case):
    change, reason = BAD_V2[case]
    name = f"row_18_{case.replace(' ', '_')}"
    request = parsed(receiver, "v2", one_series(f"{name}_a") + one_series(f"{name}_b") + one_series(f"{name}_c"))
    change(request.timeseries[1])
    for _ in range(2):  # the second time the good series are known
        status, text, counts = receiver.post("v2", request.SerializeToString())
        assert (status, counts) == (400, (4, 0, 0)), text
        assert reason in text
        assert refused_values(text) == {"neither": 1, "mixed": 3}.get(case, 2)
        if case in ("mixed", "neither"):
            assert f'__name__="{name}_b"' in text, "the series is named"
        request.symbols.append("another request")
    assert receiver.log(name).samples == samples_of(2 * (one_series(f"{name}_a") + one_series(f"{name}_c")))


def test_row_18_first_symbol(receiver):
    request = parsed(receiver, "v2", one_series("row_18_first"))
    request.symbols[0] = "x"
    status, text, counts = receiver.post("v2", request.SerializeToString())
    assert (status, counts) == (400, (None, None, None))
    assert "the first symbol must be the empty string" in text
    assert receiver.log("row_18_first").samples == []


def test_row_18_references_in_parts(receiver):
    """Legal protobuf that no sender makes: read like any other."""
    name = "row_18_parts"
    request = parsed(receiver, "v2", [(labels(name), [(NOW, 1.0)])])
    sample = request.timeseries[0].samples[0].SerializeToString()
    numbers = list(request.timeseries[0].labels_refs)
    half = len(numbers) // 4 * 2
    packed = [b"\x0a" + bytes([len(part)]) + bytes(part) for part in (numbers[:half], numbers[half:])]
    plain = [b"\x08" + bytes([number]) for number in numbers]
    for count, references in enumerate((b"".join(packed), b"".join(plain)), start=1):
        series = references + b"\x12" + bytes([len(sample)]) + sample
        head = receiver.encoder.two.Request(symbols=list(request.symbols)).SerializeToString()
        assert receiver.post("v2", head + b"\x2a" + bytes([len(series)]) + series) == (204, "", (1, 0, 0))
        assert len(receiver.log(name).samples) == count


@VERSIONS
def test_row_19_a_series_several_times(receiver, version):
    name = f"row_19_{version}"
    series = [(labels(name), [(NOW + i, i / 4)]) for i in range(5)] + [(labels(name), [(NOW, 9.0), (NOW + 9, 9.5)])]
    assert receiver.post(version, receiver.body(version, series)) == (204, "", (7, 0, 0))
    assert receiver.log(name).samples == samples_of(series)


@VERSIONS
def test_row_20_stale_markers(receiver, version):
    name = f"row_20_{version}"
    series = [(labels(name), [(NOW, 1.0), (NOW + 1, STALE), (NOW + 2, 2.0)])]
    assert receiver.post(version, receiver.body(version, series)) == (204, "", (3, 0, 0))
    assert [bits for _, _, bits, _ in receiver.log(name).samples][1] == 0x7FF0000000000002
    lines = [line for line in receiver.cat("--metric", name) if line["kind"] == "sample"]
    assert [line.get("stale", False) for line in lines] == [False, True, False]


BITS = [
    0x7FF8000000000001, 0xFFF8000000000000, 0x7FF0000000000001, 0xFFFFFFFFFFFFFFFF, 0x7FF4DEADBEEF0001,
    0x7FF0000000000000, 0xFFF0000000000000, 0x8000000000000000, 0x0000000000000000,
    0x0000000000000001, 0x800FFFFFFFFFFFFF, 0x0010000000000000, 0x7FEFFFFFFFFFFFFF, 0xFFEFFFFFFFFFFFFF,
    to_bits(0.1), to_bits(2.0**53), to_bits(2.0**53 - 1), to_bits(-(2.0**53)), to_bits(1e15), to_bits(-1.0),
]  # fmt: skip


@VERSIONS
def test_row_21_every_bit(receiver, version):
    name = f"row_21_{version}"
    series = [(labels(name), [(NOW + i, from_bits(bits)) for i, bits in enumerate(BITS)])]
    assert receiver.post(version, receiver.body(version, series)) == (204, "", (len(BITS), 0, 0))
    assert [bits for _, _, bits, _ in receiver.log(name).samples] == BITS


@VERSIONS
def test_row_22_any_order_of_time(receiver, version):
    name = f"row_22_{version}"
    times = [NOW, NOW - 5, NOW, 0, -1, NOW + 7, -62_135_596_800_000, 253_402_300_799_999, NOW]
    series = [(labels(name), [(time, float(i % 2)) for i, time in enumerate(times)])]
    assert receiver.post(version, receiver.body(version, series)) == (204, "", (len(times), 0, 0))
    assert receiver.log(name).samples == samples_of(series), "a log keeps all; compaction drops what is equal"


FUTURE = 253_000_000_000_000


@VERSIONS
def test_row_23_future_is_accepted_by_default(receiver, version):
    name = f"row_23_{version}"
    series = [(labels(name), [(FUTURE, 1.0)])]
    assert receiver.post(version, receiver.body(version, series)) == (204, "", (1, 0, 0))
    assert receiver.log(name).samples == samples_of(series)


@VERSIONS
def test_row_23_future_is_refused_where_limited(make_receiver, version):  # noqa: F811
    receiver = make_receiver(limits={"future_time": "10m"})
    now = int(time.time() * 1000)
    name = "row_23"
    series = [(labels(name), [(now, 1.0), (now + 590_000, 2.0), (now + 660_000, 3.0), (FUTURE, 4.0)])]
    histogram = without_values(receiver, version, name)
    histogram.timeseries[0].histograms.add(count_int=1, zero_count_int=1, timestamp=FUTURE)
    status, text, counts = receiver.post(version, receiver.body(version, series))
    assert (status, counts, refused_values(text)) == (400, (2, 0, 0), 2)
    limit = "limits.future_time, 600.0 seconds, in the future"
    line = f'series {{__name__="row_23"}}: timestamp {FUTURE} is more than {limit}'
    assert line in text.splitlines()
    status, text, counts = receiver.post(version, histogram.SerializeToString())
    assert (status, counts, refused_values(text)) == (400, (0, 0, 0), 1)
    assert receiver.log(name) == Values(samples_of([(series[0][0], series[0][1][:2])]))
    assert receiver.metrics()['cirrus_samples_rejected_total{reason="future"}'] == 3


def test_row_24_metadata_of_v1(receiver):
    request = receiver.encoder.one.WriteRequest()
    for number in range(8):
        request.metadata.add(
            type=number, metric_family_name=f"row_24_v1_{number}", help=f'help "{number}"\nä', unit="seconds"
        )
    assert receiver.post("v1", request.SerializeToString()) == (204, "", (0, 0, 0))
    expected = [(n, f"row_24_v1_{n}", f'help "{n}"\nä', "seconds") for n in range(8)]
    assert receiver.log("row_24_v1").metadata == expected
    assert receiver.post("v1", request.SerializeToString() + b"\x18\x01") == (204, "", (0, 0, 0))
    assert receiver.log("row_24_v1").metadata == expected, "what the segment holds is not written again"
    request.metadata.add(metric_family_name="row_24_v1_bad")
    bad = request.metadata[-1].SerializeToString().replace(b"_bad", b"_b\xff\xfe")
    status, text, _ = receiver.post("v1", b"\x1a" + bytes([len(bad)]) + bad)
    assert status == 400 and "not UTF-8" in text


def test_row_24_metadata_of_v2(receiver):
    name = "row_24_v2"
    request = parsed(receiver, "v2", one_series(name) + one_series(f"{name}_without"))
    meta = request.timeseries[0].metadata
    meta.type, meta.help_ref, meta.unit_ref = 3, symbol(request, "how long"), symbol(request, "seconds")
    assert receiver.post("v2", request.SerializeToString()) == (204, "", (4, 0, 0))
    assert receiver.log(name).metadata == [(3, name, "how long", "seconds")]
    only = parsed(receiver, "v2", [(labels(f"{name}_only"), [(NOW, 1.0)])])
    del only.timeseries[0].samples[:]
    only.timeseries[0].metadata.type = 1
    status, text, counts = receiver.post("v2", only.SerializeToString())
    assert (status, counts) == (400, (0, 0, 0))
    assert f'series {{__name__="{name}_only"}}: neither samples nor histograms' in text
    assert receiver.log(f"{name}_only") == Values()
    beyond = parsed(receiver, "v2", one_series(f"{name}_beyond"))
    beyond.timeseries[0].metadata.help_ref = 1000
    status, text, counts = receiver.post("v2", beyond.SerializeToString())
    assert (status, counts) == (400, (2, 0, 0)) and "symbol 1000 of" in text and "row_24_v2_beyond" in text


@VERSIONS
def test_row_25_exemplars(receiver, version):
    name = f"row_25_{version}"
    request = parsed(receiver, version, [(labels(name), [(NOW, 1.0)])])
    series = request.timeseries[0]
    if version == "v1":
        series.exemplars.add(value=STALE, timestamp=NOW)
        series.exemplars.add(labels=[{"name": "trace_id", "value": "äbc"}], value=0.1, timestamp=NOW + 1)
    else:
        series.exemplars.add(value=STALE, timestamp=NOW)
        references = [symbol(request, "trace_id"), symbol(request, "äbc")]
        series.exemplars.add(labels_refs=references, value=0.1, timestamp=NOW + 1)
    assert receiver.post(version, request.SerializeToString()) == (204, "", (1, 0, 2))
    assert receiver.log(name).exemplars == [
        (labels(name), NOW, to_bits(STALE), ()),
        (labels(name), NOW + 1, to_bits(0.1), (("trace_id", "äbc"),)),
    ]
    del series.samples[:]
    status, text, counts = receiver.post(version, request.SerializeToString())
    if version == "v1":
        assert (status, counts) == (204, (0, 0, 2))
    else:
        assert (status, counts) == (400, (0, 0, 0)) and "neither samples nor histograms" in text


@VERSIONS
def test_row_25_bad_exemplars(receiver, version):
    name = f"row_25_bad_{version}"
    request = parsed(receiver, version, [(labels(name), [(NOW, 1.0)])])
    request.timeseries[0].exemplars.add(value=1.0, timestamp=1 << 60)
    request.timeseries[0].exemplars.add(value=2.0, timestamp=NOW)
    status, text, counts = receiver.post(version, request.SerializeToString())
    assert (status, counts, refused_values(text)) == (400, (1, 0, 1), 1)
    assert len(receiver.log(name).exemplars) == 1


def integer(**more) -> dict:
    """3 observations in zero bucket, 2 + 3 in two positive ones, 1 in a negative one."""
    fields = dict(
        count_int=9, sum=7.5, schema=3, zero_threshold=1e-128, zero_count_int=3, timestamp=NOW,
        positive_spans=[{"offset": -2, "length": 1}, {"offset": 3, "length": 1}], positive_deltas=[2, 1],
        negative_spans=[{"offset": 0, "length": 1}], negative_deltas=[1],
    )  # fmt: skip
    return fields | more


def floating(**more) -> dict:
    fields = dict(
        count_float=9.5, sum=-7.5, schema=-4, zero_threshold=0.001, zero_count_float=3.25, timestamp=NOW,
        positive_spans=[{"offset": 5, "length": 2}], positive_counts=[2.5, 0.0],
        negative_spans=[{"offset": 0, "length": 1}], negative_counts=[1.75],
    )  # fmt: skip
    return fields | more


def custom(**more) -> dict:
    fields = dict(
        count_int=6, sum=3.0, schema=-53, timestamp=NOW, custom_values=[-1.5, 0.0, 2.5],
        positive_spans=[{"offset": 0, "length": 2}, {"offset": 1, "length": 1}], positive_deltas=[1, 1, 1],
    )  # fmt: skip
    return fields | more


GOOD_HISTOGRAMS = {
    "integer": integer(),
    "float": floating(),
    "custom": custom(),
    "reset yes": integer(reset_hint=1),
    "gauge": floating(reset_hint=3),
    "stale": dict(sum=STALE, timestamp=NOW),
    "empty": dict(timestamp=NOW),
    "NaN observed": integer(sum=math.nan, count_int=12),
    "schema 8": integer(schema=8),
    "empty spans": integer(positive_spans=[{"length": 0}, {"length": 2}]),
    "float without the sum of its buckets": floating(count_float=1.0),
    "float of NaN": floating(count_float=math.nan),
}

BIG = (1 << 63) - 1
BAD_HISTOGRAMS = {
    "schema 9": (integer(schema=9), "schema"),
    "schema -5": (integer(schema=-5), "schema"),
    "schema -54": (custom(schema=-54), "schema"),
    "count too large": (integer(count_int=10), "not the sum"),
    "count too small": (integer(count_int=8), "not the sum"),
    "count below the buckets with NaN": (integer(count_int=8, sum=math.nan), "below the sum"),
    "more buckets than spans": (integer(positive_deltas=[2, 1, 0]), "another number of buckets"),
    "fewer buckets than spans": (floating(positive_counts=[2.5]), "another number of buckets"),
    "no spans": (integer(negative_spans=[]), "another number of buckets"),
    "negative offset": (integer(positive_spans=[{"length": 1}, {"offset": -1, "length": 1}]), "offset of a span"),
    "offsets that overflow": (
        integer(positive_spans=[{"offset": (1 << 31) - 1, "length": 1}, {"offset": 1, "length": 1}]),
        "32 bits",
    ),
    "lengths that overflow": (integer(positive_spans=[{"length": 0xFFFFFFFF}, {"length": 3}]), "32 bits"),
    "negative bucket": (integer(positive_deltas=[2, -3]), "a bucket is negative"),
    "negative float bucket": (floating(negative_counts=[-0.5]), "a bucket is negative"),
    "negative zero bucket": (floating(zero_count_float=-1.0), "a bucket is negative"),
    "negative float count": (floating(count_float=-1.0), "count is negative"),
    "deltas that overflow": (integer(positive_deltas=[BIG, BIG]), "overflow"),
    "buckets that overflow": (
        integer(positive_spans=[{"length": 3}], positive_deltas=[BIG, 0, 0]),
        "overflow",
    ),
    "zero count that overflows": (
        integer(positive_deltas=[BIG, 0], zero_count_int=(1 << 64) - 1, count_int=9),
        "overflow",
    ),
    "integer and float": (integer(positive_counts=[1.0, 2.0]), "mixes"),
    "float and integer": (floating(positive_deltas=[1, 1]), "mixes"),
    "negative threshold": (integer(zero_threshold=-0.5), "zero threshold"),
    "NaN threshold": (integer(zero_threshold=math.nan), "zero threshold"),
    "reset hint 4": (integer(reset_hint=4), "reset hint"),
    "custom unsorted": (custom(custom_values=[1.0, 1.0, 2.0]), "ascending"),
    "custom NaN": (custom(custom_values=[1.0, math.nan, 2.0]), "ascending"),
    "custom +Inf": (custom(custom_values=[0.0, 1.0, math.inf]), "ascending"),
    "custom too few": (custom(custom_values=[0.0, 1.0]), "fewer"),
    "custom elsewhere": (integer(custom_values=[1.0]), "without schema -53"),
    "custom zero bucket": (custom(zero_count_int=1, count_int=7), "zero bucket"),
    "custom negative": (custom(negative_spans=[{"length": 1}], negative_deltas=[0]), "negative buckets"),
    "custom negative offset": (
        custom(positive_spans=[{"offset": -1, "length": 3}]),
        "offset of a span",
    ),
    "beyond the years": (integer(timestamp=1 << 60), "timestamp"),
}


def with_histograms(receiver, version: str, name: str, histograms: list):
    request = without_values(receiver, version, name)
    for fields in histograms:
        request.timeseries[0].histograms.add(**fields)
    return request


@VERSIONS
@pytest.mark.parametrize("case", GOOD_HISTOGRAMS)
def test_row_26_valid_histograms(receiver, version, case):
    name = f"row_26_{version}_{case.replace(' ', '_')}"
    request = with_histograms(receiver, version, name, [GOOD_HISTOGRAMS[case]])
    assert receiver.post(version, request.SerializeToString()) == (204, "", (0, 1, 0))
    sent = request.timeseries[0].histograms[0]
    stored = receiver.log(name).histograms
    assert stored == [(labels(name), NOW, int(version[1]), sent.SerializeToString())]
    (line,) = [line for line in receiver.cat("--metric", name) if line["kind"] == "histogram"]
    check_decoded(line, sent)


def check_decoded(line: dict, sent):
    """Every field as `czctl cat` decodes it."""
    is_float = sent.WhichOneof("count") == "count_float"
    assert (line["type"], line["schema"]) == ("float" if is_float else "integer", sent.schema)
    if is_float:
        assert to_bits(float(line["count"])) == to_bits(sent.count_float)
        assert float(line["zero_count"]) == sent.zero_count_float
    else:
        assert (line["count"], line["zero_count"]) == (sent.count_int, sent.zero_count_int)
    bits = int(line["sum_bits"], 16) if "sum_bits" in line else to_bits(float(line["sum"]))
    assert (bits, float(line["zero_threshold"])) == (to_bits(sent.sum), sent.zero_threshold)
    for sign in ("positive", "negative"):
        spans = [[span.offset, span.length] for span in getattr(sent, f"{sign}_spans")]
        assert line[f"{sign}_spans"] == spans
        assert line[f"{sign}_deltas"] == list(getattr(sent, f"{sign}_deltas"))
        assert [float(count) for count in line[f"{sign}_counts"]] == list(getattr(sent, f"{sign}_counts"))
    assert [float(value) for value in line["custom_values"]] == list(sent.custom_values)
    assert line["reset_hint"] == ["unknown", "yes", "no", "gauge"][sent.reset_hint]


@VERSIONS
@pytest.mark.parametrize("case", BAD_HISTOGRAMS)
def test_row_26_invalid_histograms(receiver, version, case):
    fields, word = BAD_HISTOGRAMS[case]
    name = f"row_26_{version}_bad_{case.replace(' ', '_')}".replace("-", "m").replace("+", "p")
    request = with_histograms(receiver, version, name, [integer(), fields, floating()])
    status, text, counts = receiver.post(version, request.SerializeToString())
    assert (status, counts, refused_values(text)) == (400, (0, 2, 0), 1), text
    (line,) = text.splitlines()[1:2]
    assert line.startswith(f'series {{__name__="{name}"}}: ') and word in line
    stored = [message for _, _, _, message in receiver.log(name).histograms]
    good = [request.timeseries[0].histograms[n].SerializeToString() for n in (0, 2)]
    assert stored == sorted(good)


@VERSIONS
def test_row_26_unpacked_buckets(receiver, version):
    """Protobuf's other form of a repeated number means the same."""
    name = f"row_26_{version}_unpacked"
    request = with_histograms(receiver, version, name, [dict(count_int=3, timestamp=NOW, schema=0)])
    # A span of length 2; deltas 1 and 1 as two fields.
    good = request.timeseries[0].histograms[0].SerializeToString() + b"\x5a\x02\x10\x02" + b"\x60\x02\x60\x02"
    head = b""
    if version == "v2":
        head = receiver.encoder.two.Request(symbols=list(request.symbols)).SerializeToString()
    del request.timeseries[0].histograms[:]
    for message, status in ((good, 204), (good + b"\x60\x02", 400)):  # the third has no span
        field = b"\x22" if version == "v1" else b"\x1a"
        series = request.timeseries[0].SerializeToString() + field + bytes([len(message)]) + message
        outer = b"\x0a" if version == "v1" else b"\x2a"
        assert receiver.post(version, head + outer + bytes([len(series)]) + series)[0] == status


def test_row_27_start_timestamps(receiver):
    name = "row_27"
    request = parsed(receiver, "v2", [(labels(name), [(NOW + i, float(i)) for i in range(4)])])
    samples = request.timeseries[0].samples
    samples[1].start_timestamp, samples[2].start_timestamp = NOW - 1000, -5
    samples[3].start_timestamp = NOW + 99
    assert receiver.post("v2", request.SerializeToString()) == (204, "", (4, 0, 0))
    assert [start for _, _, _, start in receiver.log(name).samples] == [0, NOW - 1000, -5, NOW + 99]
    histogram = with_histograms(receiver, "v2", f"{name}_h", [integer(start_timestamp=NOW - 7)])
    assert receiver.post("v2", histogram.SerializeToString()) == (204, "", (0, 1, 0))
    lines = receiver.cat("--metric", f"{name}_h")
    assert [line["start_timestamp"] for line in lines if line["kind"] == "histogram"] == [NOW - 7]


def test_row_27_of_a_series(receiver):
    """Field 6 of a series, as the first drafts of 2.0 have it: for each value that has none of its own."""
    for kind, request, written in [
        ("sample", parsed(receiver, "v2", [(labels("row_27_sample"), [(NOW, 1.0)])]), (1, 0, 0)),
        ("histogram", with_histograms(receiver, "v2", "row_27_histogram", [integer()]), (0, 1, 0)),
    ]:
        series = request.timeseries[0].SerializeToString() + b"\x30" + varint(NOW - 9)
        del request.timeseries[:]
        body = request.SerializeToString() + b"\x2a" + varint(len(series)) + series
        assert receiver.post("v2", body) == (204, "", written)
        lines = receiver.cat("--metric", f"row_27_{kind}")
        assert [line["start_timestamp"] for line in lines if line["kind"] == kind] == [NOW - 9]


def test_row_27_v1_has_none(receiver):
    assert receiver.post("v1", receiver.body("v1", one_series("row_27_v1"))) == (204, "", (2, 0, 0))
    assert [start for _, _, _, start in receiver.log("row_27_v1").samples] == [0, 0]


UNKNOWN = b"\xa0\x06\x05" + b"\xa1\x06" + b"x" * 8 + b"\xa2\x06\x03abc" + b"\xa5\x06" + b"y" * 4  # field 100


@VERSIONS
def test_row_28_unknown_fields(receiver, version):
    name = f"row_28_{version}"

    def field(number: int, message: bytes) -> bytes:
        return bytes([number << 3 | 2, len(message)]) + message

    request = parsed(receiver, version, [(labels(name), [(NOW, 1.5)])])
    series = request.timeseries[0]
    sample = series.samples[0].SerializeToString() + UNKNOWN
    if version == "v1":
        pairs = b"".join(field(1, label.SerializeToString() + UNKNOWN) for label in series.labels)
        body = field(1, pairs + field(2, sample) + UNKNOWN) + UNKNOWN
    else:
        references = field(1, bytes(series.labels_refs))
        head = receiver.encoder.two.Request(symbols=list(request.symbols)).SerializeToString()
        body = head + UNKNOWN + field(5, UNKNOWN + references + field(2, sample)) + UNKNOWN
    assert receiver.post(version, body) == (204, "", (1, 0, 0))
    assert receiver.log(name).samples == [(labels(name), NOW, to_bits(1.5), 0)]


@VERSIONS
def test_row_29_utf_8(receiver, version):
    name = f"row_29_{version}.µ 温度"
    series = [(labels(name, **{"ключ": "значение", "emoji": "🌡\u0000\n\"\\"}), [(NOW, 1.0)])]
    assert receiver.post(version, receiver.body(version, series)) == (204, "", (1, 0, 0))
    assert receiver.log(name).samples == samples_of(series)
    good = one_series(f"row_29_{version}_good")
    for part in (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\xaf"):
        bad = [(labels(f"row_29_{version}_bad", a="~" * len(part)), [(NOW, 1.0)])]
        body = receiver.body(version, bad + good).replace(b"~" * len(part), part)
        status, text, counts = receiver.post(version, body)
        assert (status, counts, refused_values(text)) == (400, (2, 0, 0), 1)
        assert f'series {{__name__="row_29_{version}_bad",a="\ufffd' in text and '"}: labels are not UTF-8' in text
    assert receiver.log(f"row_29_{version}_bad").samples == []


@pytest.fixture(scope="module")
def narrow(tmp_path_factory, encoder):
    """With small limits for labels."""
    limits = {
        "labels_per_series": 4, "label_name_bytes": 16, "label_value_bytes": 32, "expanded_label_bytes": "1Ki",
        "decoded_bytes": "64Ki",
    }  # fmt: skip
    cirrus = Cirrus(tmp_path_factory.mktemp("narrow"), **(QUIET | {"limits": limits}))
    yield Receiver(cirrus, encoder)
    cirrus.kill()


WIDE = {
    "labels": (dict(a="1", b="2", c="3", d="4"), "more labels than limits.labels_per_series, 4"),
    "name": ({"n" * 17: "1"}, "a label name of 17 bytes, limits.label_name_bytes is 16"),
    "value": (dict(a="v" * 33), 'label "a" has a value of 33 bytes, limits.label_value_bytes is 32'),
}


@VERSIONS
@pytest.mark.parametrize("case", WIDE)
def test_row_30_label_limits(narrow, version, case):
    more, reason = WIDE[case]
    name = f"row_30_{version}_{case}"
    series = [(labels(f"{name}_bad", **more), [(NOW, 1.0)])] + one_series(name)
    status, text, counts = narrow.post(version, narrow.body(version, series))
    assert (status, counts, refused_values(text)) == (400, (2, 0, 0), 1)
    assert reason in text
    assert narrow.log(name).samples == samples_of(one_series(name))
    within = {"labels": dict(a="1", b="2", c="3"), "name": {"n" * 16: "1"}, "value": dict(a="v" * 32)}[case]
    series = [(labels(f"{name}_within", **within), [(NOW, 1.0)])]
    assert narrow.post(version, narrow.body(version, series)) == (204, "", (1, 0, 0))


@VERSIONS
def test_row_30_all_labels_of_a_request(narrow, version):
    name = f"row_30_all_{version}"
    series = [(labels(name, a=str(n), b="v" * 30), [(NOW, 1.0)]) for n in range(30)]
    status, text, counts = narrow.post(version, narrow.body(version, series))
    assert (status, counts) == (400, (None, None, None)), "nothing of it is taken"
    assert "labels expand beyond limits.expanded_label_bytes, 1024 bytes" in text
    assert narrow.log(name).samples == []


def test_row_30_symbols_that_multiply(receiver, narrow):
    """References make gigabytes of a small body: in a set of labels, in exemplars, in metadata."""
    big = "v" * (200 << 10)
    names = [f"l{n:05}" for n in range(10_000)]

    def refused(request):
        before = receiver.program.peak_memory_bytes()
        status, text, counts = receiver.post("v2", request.SerializeToString())
        assert status == 400 and counts == (None, None, None), text
        assert "limits.expanded_label_bytes, 33554432 bytes" in text
        assert receiver.program.peak_memory_bytes() - before < 160 << 20

    wide = receiver.encoder.two.Request(symbols=["", "__name__", "row_30_bomb", big, *names])
    series = wide.timeseries.add(labels_refs=[1, 2])
    series.samples.add(value=1.0, timestamp=NOW)
    for number in range(250):
        series.labels_refs.extend([4 + number, 3])
    refused(wide)
    exemplars = receiver.encoder.two.Request(symbols=["", "__name__", "row_30_bomb", big, *names])
    series = exemplars.timeseries.add(labels_refs=[1, 2])
    series.samples.add(value=1.0, timestamp=NOW)
    for number in range(10_000):
        series.exemplars.add(labels_refs=[4 + number, 3], value=1.0, timestamp=NOW)
    refused(exemplars)
    metadata = receiver.encoder.two.Request(symbols=["", "__name__", big, *names])
    for number in range(10_000):
        series = metadata.timeseries.add(labels_refs=[1, 3 + number])
        series.samples.add(value=1.0, timestamp=NOW)
        series.metadata.help_ref = 2
    refused(metadata)
    assert receiver.log("row_30_bomb") == Values()
