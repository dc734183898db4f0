"""`czctl replay --to-url`: what a volume holds, files and log, arrives at another receiver."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import cramjam
import pytest

from parquet_rows import read_rows
from processes import wait_until
from remote_write import STALE, V1, Sender, snappy

NOW = 1_782_900_000_000


def series(name: str, count: int, first: int = 0) -> list:
    """Of one sample each: (labels, [(timestamp, value)])."""
    return [
        (tuple(sorted({"__name__": name, "pod": f"p{n % 50}", "zone": "ä<&>"}.items())), [(NOW + n * 1000, n + 0.5)])
        for n in range(first, first + count)
    ]


def store(cirrus, encoder, entries: list):
    status, text, _ = Sender(cirrus.port).post(snappy(encoder.v1(entries)), V1)[:3]
    assert status == 204, text


@pytest.fixture
def filled(make_cirrus, encoder):
    """A stopped volume: 60 rows in delivered files, 40 in its log."""
    cirrus = make_cirrus()
    service = cirrus.start()
    store(cirrus, encoder, series("early", 60))
    cirrus.drain()
    assert service.stop() == 0
    service = cirrus.start("collector")
    for first in (0, 20):
        store(cirrus, encoder, series("late", 20, first))
    service.kill()
    assert list((cirrus.data / "uploaded").glob("*.parquet"))
    return cirrus


def replay(cirrus, url: str, *arguments, code: int = 0) -> dict:
    result = cirrus.command("replay", "--data", cirrus.data, "--to-url", url, "-o", "json", *arguments)
    assert result.returncode == code, result.stdout + result.stderr
    answer = json.loads(result.stdout)
    assert answer["schema"] == "czctl.replay/v1"
    return answer


def test_everything_arrives(filled, make_cirrus):
    other = make_cirrus("other")
    other.start()
    answer = replay(filled, other.write_url, "--batch", 7)
    assert answer["sent"]["samples_written"] == 100 and answer["files"] == 1 and answer["segments"] >= 1
    other.drain()
    expected = sorted(
        (labels, at, str(value)) for labels, [(at, value)] in series("early", 60) + series("late", 40)
    )
    assert read_rows(other.destination) == expected


class Receiver(BaseHTTPRequestHandler):
    """Answers as it is told, first come first served; counts what it took."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, headers = self.server.answers.pop(0) if self.server.answers else (204, {})
        if status == 204:
            self.server.taken.append(bytes(cramjam.snappy.decompress_raw(body)))
        self.send_response(status)
        for name, value in (headers | {"Content-Length": "0"}).items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver():
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    server.taken, server.answers = [], []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()


def url_of(receiver) -> str:
    return f"http://127.0.0.1:{receiver.server_port}/api/v1/write"


def test_selection_and_refusals(filled, receiver, encoder):
    receiver.answers = [(429, {"Retry-After": "1"}), (503, {}), (400, {})]
    wanted = ["--metric", "early", "--from", NOW, "--to", NOW + 29_000]
    answer = replay(filled, url_of(receiver), "--batch", 10, *wanted, code=8)
    sent = answer["sent"]
    assert (sent["requests_written"], sent["requests_rejected"], sent["retries"]) == (2, 1, 2)
    assert sent["seconds"] >= 1, "Retry-After is honoured"
    found = [encoder.one.WriteRequest.FromString(body) for body in receiver.taken]
    rows = sorted(sample.timestamp for request in found for entry in request.timeseries for sample in entry.samples)
    assert len(rows) == 20 and rows[-1] <= NOW + 29_000


def test_a_receiver_that_stays_away(filled, receiver):
    receiver.answers = [(204, {})] + [(503, {})] * 1000
    result = filled.command(
        "replay", "--data", filled.data, "--to-url", url_of(receiver), "--batch", 10, "--retry-for", "1s"
    )
    assert result.returncode == 5 and "the receiver did not take all: status 503" in result.stderr
    assert len(receiver.taken) == 1, "nothing is sent behind a hole"


def test_the_log_is_lossless_and_damage_is_told(make_cirrus, encoder, receiver):
    cirrus = make_cirrus(database={"cost_max_interval": "1h"}, wal={"segment_age": "1h"})
    service = cirrus.start("collector")
    labels = (("__name__", "gone"),)
    store(cirrus, encoder, [(labels, [(NOW, STALE)])])
    wait_until(lambda: (cirrus.data / "wal").exists(), "the log")
    service.kill()
    answer = replay(cirrus, url_of(receiver))
    assert answer["sent"]["samples_written"] == 1
    (body,) = receiver.taken
    assert bytes.fromhex("020000000000f07f") in body, "the mark of a series' end"
    other = cirrus.home / "bad.parquet"
    other.write_bytes(b"PAR1" + bytes(100) + b"PAR1")
    result = cirrus.command("replay", other, "--to-url", url_of(receiver))
    assert result.returncode == 7 and "bad.parquet" in result.stderr
