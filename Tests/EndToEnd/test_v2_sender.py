"""Known values by an independent encoder, remote write 1.0 and 2.0, good and bad."""

import math
import random
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest

from parquet_rows import read_rows
from remote_write import STALE, V1, V1_NAMED, V2, Sender, decimal_text, from_bits, snappy

SERIES = 1_000
TIMESTAMPS = 200
CONNECTIONS = 16
SERIES_PER_REQUEST = 40
TIMESTAMPS_PER_REQUEST = 50
START_MS = 1_782_900_000_000 + 1_234  # crosses an hour after 100 steps
STEP_MS = 15_000

ODD_VALUES = [
    0.0, -0.0, math.inf, -math.inf, STALE, from_bits(0x7FF8000000000001), from_bits(0xFFF80000DEADBEEF),
    5e-324, -5e-324, 2.2250738585072011e-308, 1.7976931348623157e308, 0.1, 1e21, -1e-7, 2.0**53, 123456.789,
]  # fmt: skip


def series_labels(number: int, prefix: str = "known"):
    pairs = {
        "__name__": f"{prefix}_{number % 25}_total",
        "namespace": f"team-{number % 7}",
        "pod": f"pod-{number:05d}",
        "note": ["plain", 'quote " backslash \\', "tab\tnewline\n", "<é&>\u2028", "🙂"][number % 5],
    }
    if number % 3 == 0:
        pairs["node"] = f"node-{number % 11}"
    return tuple(sorted(pairs.items()))


def value_of(number: int, step: int, chance: random.Random) -> float:
    kind = (number + step) % 8
    if kind == 0:
        return ODD_VALUES[(number * 7 + step) % len(ODD_VALUES)]
    if kind == 1:
        return struct.unpack("<d", chance.randbytes(8))[0]
    return float(number * step) if kind < 5 else chance.uniform(-1e6, 1e6)


def known_requests(prefix: str) -> list[list]:
    """Requests of 40 series and 50 timestamps; all of one series' requests in order of time."""
    chance = random.Random(2_000)
    requests = []
    for first_series in range(0, SERIES, SERIES_PER_REQUEST):
        for first_step in range(0, TIMESTAMPS, TIMESTAMPS_PER_REQUEST):
            steps = range(first_step, first_step + TIMESTAMPS_PER_REQUEST)
            requests.append(
                [
                    (series_labels(n, prefix), [(START_MS + s * STEP_MS, value_of(n, s, chance)) for s in steps])
                    for n in range(first_series, first_series + SERIES_PER_REQUEST)
                ]
            )
    return requests


def expected_rows(requests: list[list]):
    return sorted(
        (labels, timestamp, decimal_text(value))
        for series in requests
        for labels, samples in series
        for timestamp, value in samples
    )


def send_all(port: int, bodies: list[bytes], content_type: str) -> list[tuple]:
    def one_connection(index: int):
        sender = Sender(port)
        try:
            return [sender.post(body, content_type) for body in bodies[index::CONNECTIONS]]
        finally:
            sender.close()

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return [answer for answers in pool.map(one_connection, range(CONNECTIONS)) for answer in answers]


def test_known_values_arrive_exactly(make_cirrus, encoder):
    cirrus = make_cirrus()
    cirrus.start()
    two, one = known_requests("known"), known_requests("older")[:20]
    answers = send_all(cirrus.port, [snappy(encoder.v2(series)) for series in two], V2)
    samples = SERIES_PER_REQUEST * TIMESTAMPS_PER_REQUEST
    assert answers == [(204, "", (samples, 0, 0))] * len(two)
    answers = send_all(cirrus.port, [snappy(encoder.v1(series)) for series in one], V1)
    assert [status for status, _, _ in answers] == [204] * len(one)
    cirrus.drain()
    rows = read_rows(cirrus.destination)
    assert len(rows) == SERIES * TIMESTAMPS + len(one) * samples
    assert rows == expected_rows(two + one)


def test_a_repeated_request_is_stored_once(make_cirrus, encoder):
    cirrus = make_cirrus()
    service = cirrus.start()
    series = known_requests("again")[0]
    body = snappy(encoder.v2(series))
    sender = Sender(cirrus.port)
    first = sender.post(body, V2)
    assert first == (204, "", (SERIES_PER_REQUEST * TIMESTAMPS_PER_REQUEST, 0, 0))
    assert sender.post(body, V2) == first
    service.kill()
    cirrus.start()
    assert Sender(cirrus.port).post(body, V2) == first, "also after kill -9"
    cirrus.drain()
    assert read_rows(cirrus.destination) == expected_rows([series])


def test_histograms_and_exemplars_are_counted(make_cirrus, encoder):
    cirrus = make_cirrus()
    cirrus.start()
    series = known_requests("mixed")[0][:4]
    request = encoder.v2_request(series + [(series_labels(n, "latency"), []) for n in range(3)])
    for entry in request.timeseries[4:]:  # 2.0: a series has samples or histograms, never both
        entry.histograms.add(
            count_int=5, sum=7.5, schema=3, zero_threshold=1e-128, zero_count_int=1, timestamp=START_MS,
            positive_spans=[{"offset": 0, "length": 2}], positive_deltas=[2, 0],
        )  # fmt: skip
    request.timeseries[0].exemplars.add(labels_refs=[1, 2], value=1.5, timestamp=START_MS)
    answer = Sender(cirrus.port).post(snappy(request.SerializeToString()), V2)
    assert answer == (204, "", (4 * TIMESTAMPS_PER_REQUEST, 3, 1))
    cirrus.drain()
    assert read_rows(cirrus.destination) == expected_rows([series])
    assert not list((cirrus.data / "wal").glob("*.kept"))


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def bad_requests(encoder) -> dict[str, tuple]:
    """Name → (body, content type, encoding, expected status, a word of the reason)."""
    good = encoder.v1([(series_labels(1, "bad"), [(START_MS, 1.0)])])
    nameless = encoder.v1([((("pod", "p"),), [(START_MS, 1.0)])])
    return {
        "not snappy": (b"\xff" * 100, V1, "snappy", 400, ""),
        "empty body": (b"", V1, "snappy", 400, ""),
        "cut snappy": (snappy(good)[:-3], V1, "snappy", 400, ""),
        "not protobuf": (snappy(b"\x0a\xff\xff\xff\xff\x7f" + b"x" * 50), V1, "snappy", 400, ""),
        "wrong wire type": (snappy(b"\x08\x01\x0d" + b"\x00"), V1, "snappy", 400, ""),
        "no metric name": (snappy(nameless), V1, "snappy", 400, "__name__"),
        "wrong type": (snappy(good), "text/plain", "snappy", 415, ""),
        "unknown message": (snappy(good), V2.replace("v2", "v9"), "snappy", 415, ""),
        "wrong encoding": (good, V1, "gzip", 415, ""),
        "declared 1 GiB": (varint(1 << 30) + b"\x00" * 100, V1, "snappy", 400, ""),
        "declared 2^63": (varint((1 << 63) - 1) + b"\x00" * 100, V1, "snappy", 400, ""),
        "body of 17 MiB": (b"\x00" * (17 << 20), V1, "snappy", 400, ""),
        "inflates to 40 MiB": (snappy(b"\x00" * (40 << 20)), V1, "snappy", 400, ""),
    }


def test_bad_input_is_refused_and_the_connection_lives(make_cirrus, encoder):
    cirrus = make_cirrus()
    service = cirrus.start()
    good_rows = []
    sender = Sender(cirrus.port)
    warm = [(series_labels(0, "warm"), [(START_MS, 0.5)])]
    assert sender.post(snappy(encoder.v1(warm)), V1_NAMED)[0] == 204
    good_rows += warm
    memory_before = service.peak_memory_bytes()
    for number, (name, (body, content_type, encoding, status, word)) in enumerate(bad_requests(encoder).items()):
        got, reason, _ = sender.post(body, content_type, encoding)
        assert (got, bool(reason.strip())) == (status, True), f"{name}: {got} {reason!r}"
        assert word in reason, f"{name}: {reason!r}"
        assert sender.same_connection, f"{name}: the connection was closed"
        good = [(series_labels(number, "good"), [(START_MS, float(number))])]
        assert sender.post(snappy(encoder.v1(good)), V1)[0] == 204, f"the good request after {name}"
        assert sender.same_connection
        good_rows += good
    # The limit on bodies is 16 MiB: nothing near the declared gigabyte was ever allocated.
    assert service.peak_memory_bytes() - memory_before < 48 << 20
    cirrus.drain()
    assert read_rows(cirrus.destination) == expected_rows([good_rows])


@pytest.mark.parametrize("reference", [10_000, 0xFFFFFFFF])
def test_symbol_out_of_range_refuses_only_its_series(make_cirrus, encoder, reference):
    cirrus = make_cirrus()
    cirrus.start()
    series = [(series_labels(n, "partly"), [(START_MS, float(n)), (START_MS + 1, 2.0)]) for n in range(5)]
    request = encoder.v2_request(series)
    request.timeseries[2].labels_refs[1] = reference
    sender = Sender(cirrus.port)
    status, reason, counts = sender.post(snappy(request.SerializeToString()), V2)
    assert (status, counts) == (400, (8, 0, 0)), reason
    assert sender.same_connection and reason.strip()
    good = [(series_labels(9, "partly"), [(START_MS, 9.0)])]
    assert sender.post(snappy(encoder.v2(good)), V2) == (204, "", (1, 0, 0))
    cirrus.drain()
    assert read_rows(cirrus.destination) == expected_rows([series[:2] + series[3:] + good])
