"""What a start costs: MB/s at which the log is read, and the memory it takes, over 1 GiB of segments.

    make bench-recovery                                       makes the log once (some minutes), reads it five times
    .venv/bin/python Benchmarks/recovery.py --mebibytes 128

The log is made by `czctl run` from requests of random values, which do not compress; it ends with a kill. Each round
copies nothing: the service is started on the same directory, is asked for what it says it read and how long that took,
and is killed before it compacts anything. The pages are cached before: the program is measured, not the disk.
"""

import argparse
import http.client
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

import cramjam
import numpy

ROOT = Path(__file__).resolve().parents[1]
CONFIG = """\
cluster_name: bench
server: {{address: 127.0.0.1, port: {port}, reconnect_frequency: 0}}
database: {{storage_path: {data}, cost_max_interval: 24h, max_records: 100000000}}
destination: {{kind: directory, path: {data}/shipped}}
"""
SAMPLES = 10_000  # of a request, one of each series
START_SECONDS = 120


def field(number: int, content: bytes) -> bytes:
    assert len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


def template() -> tuple[bytearray, numpy.ndarray]:
    """A v1 request of SAMPLES series with one sample each, and where the eight bytes of each value are."""
    body, places = bytearray(), []
    for number in range(SAMPLES):
        labels = b"".join(
            field(1, field(1, name) + field(2, value))
            for name, value in ((b"__name__", b"noise"), (b"series", b"%05d" % number))
        )
        timestamp = 1_782_900_000_000
        varint = bytes((timestamp >> shift & 0x7F) | (0x80 if shift < 35 else 0) for shift in range(0, 42, 7))
        series = labels + field(2, b"\x09" + bytes(8) + b"\x10" + varint)
        places.append(len(body) + 2 + len(labels) + 3)
        body += field(1, series)
    return body, numpy.array(places)


def start(config: Path, log: Path) -> subprocess.Popen:
    with open(log, "wb") as output:
        return subprocess.Popen([os.environ["CZCTL"], "run", "--config", config], stderr=output, stdout=output)


def wait_ready(port: int):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.02)
    sys.exit("bench: the service is not ready")


def peak_bytes(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise KeyError(name)


def make_log(config: Path, home: Path, port: int, wanted: int):
    service = start(config, home / "make.log")
    wait_ready(port)
    body, places = template()
    values = numpy.frombuffer(body, dtype=numpy.uint8)
    slots = places[:, None] + numpy.arange(8)
    random = numpy.random.default_rng(1)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
    wal = home / "data/wal"
    while sum(file.stat().st_size for file in wal.glob("*.wal")) < wanted:
        for _ in range(50):
            noise = random.integers(0, 1 << 62, SAMPLES, dtype=numpy.uint64)
            values[slots] = noise.view(numpy.uint8).reshape(SAMPLES, 8)
            connection.request("POST", "/api/v1/write", bytes(cramjam.snappy.compress_raw(bytes(body))), headers)
            response = connection.getresponse()
            response.read()
            assert response.status == 204, response.status
    service.send_signal(signal.SIGKILL)
    service.wait()


def measure(config: Path, home: Path, port: int) -> tuple[float, float, int]:
    """Bytes read, seconds, and the peak of resident memory until it is ready."""
    log = home / "start.log"
    service = start(config, log)
    wait_ready(port)
    peak = peak_bytes(service.pid, "VmHWM")
    service.send_signal(signal.SIGKILL)
    service.wait()
    for line in log.read_text().splitlines():
        if '"log recovered"' in line:
            said = json.loads(line)
            return float(said["bytes"]), float(said["seconds"]), peak
    sys.exit(f"bench: nothing was recovered:\n{log.read_text()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mebibytes", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", action="store_true", help="leave the log in .payloads/recovery")
    arguments = parser.parse_args()
    os.environ.setdefault("CZCTL", str(ROOT / ".build/release/czctl"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home = ROOT / ".payloads/recovery"
    shutil.rmtree(home, ignore_errors=True)
    (home / "data").mkdir(parents=True)
    config = home / "config.yml"
    config.write_text(CONFIG.format(port=port, data=home / "data"))
    _, _, empty = measure(config, home, port)
    print(f"bench: making {arguments.mebibytes} MiB of segments", flush=True)
    make_log(config, home, port, arguments.mebibytes << 20)
    for file in (home / "data/wal").glob("*.wal"):
        file.read_bytes()
    rounds = [measure(config, home, port) for _ in range(arguments.rounds)]
    rates = [count / seconds / 1e6 for count, seconds, _ in rounds]
    memory = max(peak for _, _, peak in rounds)
    print(
        f"recovery: {rounds[0][0] / (1 << 20):,.0f} MiB at {statistics.median(rates):,.0f} MB/s (median of"
        f" {len(rates)}, {min(rates):,.0f} to {max(rates):,.0f}); peak {memory / (1 << 20):.0f} MiB, of it"
        f" {empty / (1 << 20):.0f} MiB also on an empty volume"
    )
    if not arguments.keep:
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
