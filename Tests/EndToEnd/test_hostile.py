"""Hostile loads on a real collector: each is bounded in memory and answered, and others are served meanwhile."""

import itertools
import json
import os
import socket
import subprocess
import threading
import time
from collections import Counter

import numpy as np
import pytest
import requests

from crowd import Visitor, run
from processes import clean_environment, czctl_path, wait_until
from remote_write import V2, Sender, snappy
from test_v2_sender import START_MS

MIB = 1 << 20
# All together: program, budget of limits.in_flight_bytes (64 MiB), the buffers of one body in work, connections.
MEMORY_LIMIT = 256 * MIB
STEADY_SECONDS = 4
# A noisy machine of two cores, the hostile client on one of them: a starved sender would wait for seconds.
HARM_RATIO, HARM_SECONDS = 10, 0.5
# `make soak` sends 5,000,000.
SERIES = int(os.environ.get("CIRRUS_SERIES", 400_000))
SERIES_MEMORY_LIMIT = 768 * MIB

HEAD = b"POST /api/v1/write HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n"
CHUNK = b"100000\r\n" + b"\xff" * MIB + b"\r\n"
SLAB = memoryview(b"\xff" * MIB)


class Steady(threading.Thread):
    """A well-behaved sender, a process of its own: 50 requests a second of 100 samples."""

    seeds = itertools.count(1)

    def __init__(self, cirrus):
        super().__init__()
        self.command = [
            czctl_path(), "send", "--generate", 5_000 * STEADY_SECONDS, "--series", 100, "--batch", 100,
            "--rate", 5_000, "--seed", next(self.seeds), "--url", cirrus.write_url, "-o", "json",
        ]  # fmt: skip
        self.start()

    def run(self):
        self.result = subprocess.run(
            [str(word) for word in self.command], capture_output=True, text=True, env=clean_environment(), timeout=120
        )

    def p99(self) -> float:
        """Seconds; every sample is written."""
        self.join()
        assert self.result.returncode == 0, self.result.stdout + self.result.stderr
        report = json.loads(self.result.stdout)
        assert report["samples_written"] == report["samples_sent"] == 5_000 * STEADY_SECONDS
        return report["latency_p99_seconds"]


class Watch:
    """What a load did to the service and to a steady sender beside it."""

    alone = 0.0  # p99 of a steady sender without a load, measured once

    def __init__(self, cirrus, program, name: str, summarize):
        self.cirrus, self.program, self.name, self.summarize = cirrus, program, name, summarize
        if not Watch.alone:
            Watch.alone = Steady(cirrus).p99()
        self.before = program.peak_memory_bytes()

    def __enter__(self):
        self.steady = Steady(self.cirrus)
        return self

    def __exit__(self, kind, *_):
        beside = self.steady.p99() if kind is None else 0.0
        if kind is not None:
            return
        peak = self.program.peak_memory_bytes()
        self.summarize(
            f"hostile: {self.name}: {self.answers}; peak memory {self.before / MIB:.0f} then {peak / MIB:.0f} MiB;"
            f" p99 of others {self.alone * 1000:.1f} ms alone, {beside * 1000:.1f} ms beside it"
        )
        assert self.program.running, self.program.tail()
        assert peak < MEMORY_LIMIT
        assert beside < HARM_RATIO * self.alone + HARM_SECONDS
        assert "Fatal error" not in self.program.log.read_text()
        # Nothing of the budget is lost: what was in flight is given back.
        status, text, _ = Sender(self.cirrus.port).post(b"\0")
        assert status == 204, text


@pytest.fixture
def collector(make_cirrus, summarize):
    def start(name: str, **limits) -> Watch:
        # All come from one address.
        limits["connections_per_address"] = 2000
        cirrus = make_cirrus(limits=limits, wal={"segment_age": "5s"})
        return Watch(cirrus, cirrus.start("collector"), name, summarize)

    return start


def dribble(head: bytes):
    """One byte in half a second."""
    for byte in head:
        yield bytes([byte])
        yield 0.5


def test_500_slow_sockets(collector):
    watch = collector("500 slow sockets", header_time="3s", idle_time="3s")
    port = watch.cirrus.port

    def script(kind: int):
        if kind == 0:
            yield 60.0
        elif kind == 1:
            yield from dribble(HEAD)
        else:
            yield HEAD + b"Content-Length: 1000\r\n\r\n"
            yield from dribble(b"\xff" * 1000)

    kinds: dict[int, list[Visitor]] = {0: [], 1: [], 2: []}
    turn = itertools.cycle(kinds)

    def make() -> Visitor:
        kind = next(turn)
        kinds[kind].append(Visitor(port, script(kind)))
        return kinds[kind][-1]

    with watch:
        everyone = run([make() for _ in range(500)], STEADY_SECONDS + 3, replace=make)
        # Those that were there from the beginning were all sent away, with an answer where there was a request.
        for kind, expected in [(0, None), (1, None), (2, 408)]:
            first = [visitor for visitor in kinds[kind] if visitor in everyone[:500]]
            assert {visitor.status for visitor in first} == {expected}
            assert max(visitor.closed for visitor in first) < 3 + 4
        watch.answers = f"{len(everyone)} opened, {sum(v.status == 408 for v in everyone)} answered 408, others closed"


def test_1000_bodies_of_32_mib(collector):
    watch = collector("1,000 bodies of 16 or 32 MiB")

    def declared(length: int):
        yield HEAD + b"Content-Length: %d\r\n\r\n" % length
        for _ in range(length // MIB):
            yield SLAB

    def chunked():
        yield HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
        for _ in range(32):
            yield CHUNK
        yield b"0\r\n\r\n"

    with watch:
        visitors = []
        for number in range(1000):
            kind = number % 4
            script = declared(32 * MIB) if kind == 0 else declared(16 * MIB) if kind == 2 else chunked()
            visitors.append((kind, Visitor(watch.cirrus.port, script)))
        run([visitor for _, visitor in visitors], 100, leaves_when_answered=True)
        answers = Counter(visitor.status for _, visitor in visitors)
        assert set(answers) <= {400, 503}, answers
        assert {visitor.status for kind, visitor in visitors if kind == 0} == {400}, "too long by its own word"
        sent = sum(visitor.sent for _, visitor in visitors)
        watch.answers = f"{answers[400]} answered 400, {answers[503]} 503, after {sent / MIB:,.0f} MiB"


def test_1000_bodies_that_claim_4_gib(collector):
    watch = collector("1,000 bodies of 5 bytes that claim 4 GiB")
    with watch:
        sender = Sender(watch.cirrus.port)
        started = time.monotonic()
        answers = Counter(sender.post(b"\xff\xff\xff\xff\x0f") for _ in range(1000))
        ((status, text, _),) = answers
        assert status == 400 and "4294967295" in text and "limits.decoded_bytes" in text
        # Just below the limit, and no more than it could be: nothing is set aside for it.
        status, text, _ = sender.post(bytes([0x80, 0x80, 0x80, 0x10, 0]))
        assert status == 400 and "not a snappy block" in text
        watch.answers = f"1,001 answered 400 in {time.monotonic() - started:.2f} s"
    assert watch.program.peak_memory_bytes() - watch.before < 64 * MIB


def test_one_symbol_referenced_10000_times(collector, encoder):
    watch = collector("one symbol of 1 MiB, and one of 255 KiB, referenced 10,000 times")
    texts = []
    with watch:
        sender = Sender(watch.cirrus.port)
        for length in [MIB, 255 << 10]:  # over limits.label_value_bytes, and over limits.expanded_label_bytes in all
            request = encoder.two.Request(symbols=["", "__name__", "m", "big", "x" * length, "n"])
            for number in range(10_000):
                request.symbols.append(str(number))
                series = request.timeseries.add(labels_refs=[1, 2, 3, 4, 5, 6 + number])
                series.samples.add(timestamp=START_MS, value=1)
            status, text, written = sender.post(snappy(request.SerializeToString()), V2)
            texts.append(text)
            assert status == 400 and written in ((0, 0, 0), (None, None, None)), (status, text[:300])
        watch.answers = "400 each"
    assert len(texts[0]) < 8192 and "label" in texts[0]
    assert "expand" in texts[1], texts[1]
    assert watch.program.peak_memory_bytes() - watch.before < 64 * MIB


class UniqueSeries:
    """v1 requests in which each sample is of another series, made column by column: 5,000,000 take some seconds."""

    BATCH = 5000

    def __init__(self, encoder):
        labels = (("__name__", "unique_total"), ("container", "main"), ("id", "0" * 16), ("namespace", "default"))
        message = encoder.v1([(labels, [(START_MS, 1.0)])])
        self.rows = np.tile(np.frombuffer(message, np.uint8), (self.BATCH, 1))
        start = message.index(b"0" * 16)
        self.digits = slice(start, start + 16)

    def request(self, number: int) -> bytes:
        # Odd factor: a permutation of 64 bits, so no id comes twice, and no two are alike.
        ids = np.arange(number * self.BATCH, (number + 1) * self.BATCH, dtype=np.uint64)
        ids = ids * np.uint64(0x9E3779B97F4A7C15)
        nibbles = ids[:, None] >> np.arange(60, -4, -4, dtype=np.uint64) & np.uint64(15)
        self.rows[:, self.digits] = np.frombuffer(b"0123456789abcdef", np.uint8)[nibbles.astype(np.intp)]
        return snappy(self.rows.tobytes())


def test_unique_series(make_cirrus, encoder, summarize):
    """Every sample another series: segments end by their series, memory does not grow with their number."""
    cirrus = make_cirrus(
        database={"cost_max_interval": "5s"}, wal={"segment_age": "5s", "segment_bytes": "64Mi"},
        limits={"series_per_segment": 100_000},
    )  # fmt: skip
    program = cirrus.start("collector")
    sender, series = Sender(cirrus.port), UniqueSeries(encoder)
    started = time.monotonic()
    for number in range(SERIES // series.BATCH):
        while (answer := sender.post(series.request(number)))[0] == 503:
            time.sleep(0.2)
        assert (answer[0], answer[2][0]) == (204, series.BATCH), answer
    seconds = time.monotonic() - started
    assert cirrus.status()["intake"]["samples_stored"] == SERIES
    wait_until(lambda: cirrus.status()["log"]["rows"] == 0, "compaction", 60 + SERIES / 2000, every=1)
    status = cirrus.status()
    assert status["balance"][0]["total"] == SERIES
    plans = status["compaction"]["manifests"]
    peak = program.peak_memory_bytes()
    summarize(
        f"hostile: {SERIES:,} unique series: all stored in {seconds:.0f} s and compacted by {plans} plans, peak memory"
        f" {peak / MIB:.0f} MiB"
    )
    assert peak < SERIES_MEMORY_LIMIT


# A limit, its value, what is sent, and the answer: a status, or None for a connection closed without one.
SLOW = {"header_time": "1s", "idle_time": "2s", "body_rate": 1024, "header_bytes": 4096}
LIMITS = {
    "header_bytes": ([HEAD + b"X-A: " + b"a" * 5000 + b"\r\n\r\n"], 431, (0, 2.5)),
    "header_bytes of many": ([HEAD, *[b"X-%d: aaaaaaaa\r\n" % n for n in range(500)], b"\r\n"], 431, (0, 2.5)),
    "header_time": ([HEAD, 10.0], None, (0.9, 4)),
    "header_time of nothing": ([10.0], None, (0.9, 4)),
    "header_time of a dribble": ([*itertools.chain(*((bytes([b]), 0.2) for b in HEAD))], None, (0.9, 4)),
    "idle_time": ([HEAD + b"Content-Length: 1\r\n\r\n\0", 20.0], 204, (1.9, 6)),
    "body_rate of nothing": ([HEAD + b"Content-Length: 10\r\n\r\n", 20.0], 408, (0.9, 6)),
    # 400 bytes a second; and 200 KiB at once that pay for no standstill.
    "body_rate": ([HEAD + b"Content-Length: 10000\r\n\r\n", *[b"\xff" * 80, 0.2] * 100], 408, (0.9, 6)),
    "body_rate after a rush": ([HEAD + b"Content-Length: 300000\r\n\r\n" + b"\xff" * 200_000, 20.0], 408, (0.9, 6)),
}  # fmt: skip


def test_limits_of_time_and_headers(make_cirrus):
    cirrus = make_cirrus(limits=SLOW)
    cirrus.start("collector")
    visitors = {name: Visitor(cirrus.port, iter(script)) for name, (script, _, _) in LIMITS.items()}
    steady = Visitor(cirrus.port, iter([HEAD + b"Content-Length: 8000\r\n\r\n", *[b"\xff" * 400, 0.2] * 20]))
    run([*visitors.values(), steady], 12)
    for name, (_, status, (earliest, latest)) in LIMITS.items():
        visitor = visitors[name]
        assert visitor.status == status, f"{name}: {visitor.answer}"
        assert earliest <= visitor.closed <= latest, f"{name}: closed after {visitor.closed:.2f} s"
    # Fast enough, and longer than header_time: read to its end. What it says is no snappy.
    assert steady.status == 400, steady.answer


def test_connections_beyond_the_limit_are_answered_503(make_cirrus):
    cirrus = make_cirrus(limits={"connections": 20})
    cirrus.start("collector")
    # Readiness was asked on connections that are closing.
    wait_until(lambda: len(accepted(cirrus.port, 20)) == 20, "20 connections")
    held = [socket.create_connection(("127.0.0.1", cirrus.port)) for _ in range(20)]
    with socket.create_connection(("127.0.0.1", cirrus.port), timeout=10) as beyond:
        answer = beyond.recv(4096)
    assert answer.startswith(b"HTTP/1.1 503 ") and b"\r\nretry-after: " in answer.lower()
    for connection in held:
        connection.close()
    wait_until(lambda: Sender(cirrus.port).post(b"\0")[0] == 204, "room for a connection")


def accepted(port: int, count: int) -> list[int]:
    """Answers of so many connections that are open at once."""
    visitors = [Visitor(port, iter([b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", 5.0])) for _ in range(count)]
    run(visitors, 1)
    return [visitor.status for visitor in visitors if visitor.status == 200]


def test_bytes_in_flight(make_cirrus):
    """What came of bodies counts, not what they claim; long ones leave room for the short; all is given back."""
    cirrus = make_cirrus(limits={"in_flight_bytes": "32Mi", "header_time": "4s"})
    program = cirrus.start("collector")
    sender = Sender(cirrus.port)
    # Claims of 50 times 16 MiB that bring nothing are nothing.
    idle = [Visitor(cirrus.port, iter([HEAD + b"Content-Length: 16000000\r\n\r\n", 60.0])) for _ in range(50)]
    run_for = threading.Thread(target=run, args=(idle, 2))
    run_for.start()
    assert sender.post(b"\0")[0] == 204
    run_for.join()

    # 40 times 8 MiB that come and stay: those beyond 24 MiB are refused, short ones still taken.
    def half():
        yield HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
        for _ in range(8):
            yield CHUNK
        yield 60.0

    crowd = [Visitor(cirrus.port, half()) for _ in range(40)]
    run_for = threading.Thread(target=run, args=(crowd, 12))
    run_for.start()
    wait_until(lambda: sum(visitor.status == 503 for visitor in list(crowd)) >= 30, "refusals", 15)
    status, text, _ = sender.post(b"\0")
    assert status == 204, text
    lines = requests.get(cirrus.url + "/metrics", timeout=10).text.splitlines()
    assert int(next(l for l in lines if 'requests_refused_total{reason="in_flight"}' in l).split()[-1]) >= 30
    run_for.join()
    assert {visitor.status for visitor in crowd} <= {408, 503}
    assert program.peak_memory_bytes() < 160 * MIB
    assert sender.post(b"\0")[0] == 204
