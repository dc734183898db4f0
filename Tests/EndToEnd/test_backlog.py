"""A backlog drains, in bounded memory, and bad files do not hold up good ones."""

import socket
import time
from pathlib import Path

import pytest

from processes import Program, wait_until
from s3_servers import ACCESS_KEY, BUCKET, SECRET_KEY, PutServer, put_in_outbox

KEYS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
MIB = 1 << 20


@pytest.fixture
def put_server(tmp_path):
    made = PutServer(tmp_path)
    yield made
    made.stop()


def lake(make_cirrus, server: PutServer, **cloudzero):
    destination = {"kind": "s3", "bucket": BUCKET, "endpoint": server.endpoint, "path_style": True}
    return make_cirrus(destination=destination, cloudzero={"send_interval": "1s"} | cloudzero)


def memory(program: Program) -> int:
    for line in Path(f"/proc/{program.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no VmRSS")


def descriptors(program: Program) -> int:
    return len(list(Path(f"/proc/{program.pid}/fd").iterdir()))


def test_ten_thousand_files(make_cirrus, put_server):
    cirrus = lake(make_cirrus, put_server)
    sent = dict([put_in_outbox(cirrus.data, 0)])
    shipper = cirrus.start("shipper", KEYS)
    wait_until(lambda: not list((cirrus.data / "outbox").iterdir()), f"one delivery\n{shipper.tail()}")
    idle = memory(shipper)
    shipper.stop()
    sent |= dict(put_in_outbox(cirrus.data, number) for number in range(1, 10_000))
    shipper = cirrus.start("shipper", KEYS)
    start = time.monotonic()
    samples = []

    def drained():
        samples.append((memory(shipper), descriptors(shipper)))
        return not list((cirrus.data / "outbox").iterdir())

    wait_until(drained, f"an empty outbox\n{shipper.tail()}", 240, every=0.2)
    seconds = time.monotonic() - start
    peak = max(size for size, _ in samples)
    most = max(count for _, count in samples)
    print(f"10,000 files in {seconds:.1f} s, {peak - idle >> 10} KiB above idle, at most {most} descriptors")
    assert put_server.objects == sent and put_server.requests == 10_000
    assert peak - idle <= 20 * MIB
    assert most <= descriptors(shipper) + 16


def test_good_files_go_before_the_second_attempt_at_bad_ones(make_cirrus, put_server):
    """The 250 oldest files fail: the 250 others are there about as soon as without them."""
    cirrus = lake(make_cirrus, put_server, http_max_retries=3, http_max_wait="5s")
    sent = dict(put_in_outbox(cirrus.data, number) for number in range(500))
    put_server.refused = set(sorted(sent)[:250])
    good = {name: content for name, content in sent.items() if name not in put_server.refused}
    shipper = cirrus.start("shipper", KEYS)
    start = time.monotonic()
    wait_until(lambda: len(put_server.objects) == 250, f"the good files\n{shipper.tail()}", 60)
    print(f"250 good files behind 250 bad ones in {time.monotonic() - start:.1f} s, {put_server.requests} requests")
    assert put_server.objects == good
    assert put_server.requests <= 1_000, "each bad file at most twice by then"
    put_server.refused = set()
    wait_until(lambda: len(put_server.objects) == 500, f"the others\n{shipper.tail()}", 60)
    assert put_server.objects == sent


@pytest.mark.parametrize("halves", [["run"], ["collector", "shipper"], []])
def test_a_drain_ends_when_its_time_is_over(make_cirrus, encoder, halves):
    """The upload API takes the connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        cirrus = make_cirrus(
            destination={"kind": "cloudzero"},
            cloudzero={"api_key_path": "key", "host": host, "use_http": True, "send_interval": "1h"},
        )
        key = cirrus.home / "key"
        key.write_text("canary-key")
        cirrus.config.write_text(cirrus.config.read_text().replace("api_key_path: key", f"api_key_path: {key}"))
        put_in_outbox(cirrus.data, 0, 1000)
        for half in halves:
            cirrus.start(half)
        begin = time.monotonic()
        drained = cirrus.command("drain", "--config", cirrus.config, "--timeout", "3s")
        took = time.monotonic() - begin
        assert drained.returncode == 8 and "1 files are not uploaded" in drained.stderr, drained.stderr
        assert 3 <= took < 6, f"{took:.1f} s"
