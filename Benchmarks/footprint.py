"""What an installation takes: the image, the time to a ready service, its memory idle and under a small cluster's load.

    make footprint                                            builds the image; eleven minutes
    .venv/bin/python Benchmarks/footprint.py --minutes 2

The service ships to a directory. Its load is 10,000 series at an interval of 60 s, one request of 2,000 after the other
as Prometheus sends them. Resident memory is read from /proc each second; shared pages of libraries count.
"""

import argparse
import http.client
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIG = """\
cluster_name: bench
server: {{address: 127.0.0.1, port: {port}, reconnect_frequency: 0}}
database: {{storage_path: {data}, cost_max_interval: 2m, observability_max_interval: 2m}}
destination: {{kind: directory, path: {data}/shipped}}
"""
SERIES, INTERVAL_SECONDS = 10_000, 60
STARTS = 11
IDLE_SECONDS = 20


class Service:
    def __init__(self, home: Path):
        shutil.rmtree(home, ignore_errors=True)
        (home / "data").mkdir(parents=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        config = home / "config.yml"
        config.write_text(CONFIG.format(port=self.port, data=home / "data"))
        begin = time.monotonic()
        with open(home / "service.log", "wb") as log:
            self.process = subprocess.Popen([os.environ["CZCTL"], "run", "--config", config], stdout=log, stderr=log)
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() - begin > 30:
                self.process.kill()
                sys.exit(f"footprint: the service is not ready:\n{(home / 'service.log').read_text()}")
            time.sleep(0.001)
        self.seconds_to_ready = time.monotonic() - begin

    def is_ready(self) -> bool:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False

    def megabytes(self) -> float:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def watch(self, seconds: float) -> list[float]:
        """Resident memory, a figure a second."""
        deadline, figures = time.monotonic() + seconds, []
        while time.monotonic() < deadline:
            time.sleep(1)
            figures.append(self.megabytes())
        return figures

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=60)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--image", type=Path, help="an archive of scripts/oci_archive.py, for its size")
    arguments = parser.parse_args()
    os.environ.setdefault("CZCTL", str(ROOT / ".build/release/czctl"))
    home = ROOT / ".payloads/footprint"
    if arguments.image:
        print(f"image        {arguments.image.stat().st_size / 1e6:6.1f} MB compressed")

    starts = []
    for _ in range(STARTS):
        service = Service(home)
        starts.append(service.seconds_to_ready * 1e3)
        service.stop()
    spread = f"median of {STARTS}, {min(starts):.0f} to {max(starts):.0f}"
    print(f"cold start   {statistics.median(starts):6.0f} ms to /readyz ({spread})")

    service = Service(home)
    idle = service.watch(IDLE_SECONDS)
    print(f"idle         {statistics.mean(idle):6.1f} MB resident", flush=True)
    samples = int(SERIES * arguments.minutes * 60 / INTERVAL_SECONDS)
    send = [os.environ["CZCTL"], "send", "--url", f"http://127.0.0.1:{service.port}/api/v1/write"]
    send += ["--generate", samples, "--series", SERIES, "--interval", INTERVAL_SECONDS]
    send += ["--rate", SERIES / INTERVAL_SECONDS]
    with subprocess.Popen([str(word) for word in send], stdout=subprocess.PIPE, text=True) as sender:
        loaded = service.watch(arguments.minutes * 60)
        output, _ = sender.communicate(timeout=60)
    if sender.returncode != 0:
        sys.exit(f"footprint: not all was written:\n{output}")
    service.stop()
    print(
        f"10k series   {statistics.mean(loaded):6.1f} MB resident on average, {max(loaded):.1f} at most, over"
        f" {arguments.minutes:g} minutes at an interval of {INTERVAL_SECONDS} s"
    )
    shutil.rmtree(home)


if __name__ == "__main__":
    main()
