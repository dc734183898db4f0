"""The disk fills to its last byte under load and is freed again: 503 meanwhile, the backlog leaves, nothing is lost."""

import os
import random

import duckdb
import pytest
import requests

from parquet_rows import files_below
from processes import answers, wait_until
from truth import Load

FILLS = int(os.environ.get("CIRRUS_FILLS", 5))
SEED = int(os.environ.get("CIRRUS_SEED", random.randrange(1 << 32)))
VOLUME_MEBIBYTES = 64
SETTINGS = {
    "wal": {"segment_age": "500ms", "segment_bytes": "1Mi"},
    "database": {"cost_max_interval": "1s"},
    "limits": {"reserve_bytes": "8Mi"},
}
ACCEPT_SECONDS = 5  # from free space to the next 2xx


def rows_in(folder) -> int:
    files = [str(file) for file in files_below(folder)]
    with duckdb.connect() as connection:
        return connection.execute("select count(*) from read_parquet(?)", [files]).fetchone()[0] if files else 0


class FullDisk:
    """A service that ships to a bucket outside, on a volume that can be filled."""

    def __init__(self, volume, cirrus, load: Load):
        self.volume, self.cirrus, self.load = volume, cirrus, load
        self.ballast = cirrus.data / "ballast"
        self.longest_wait = 0.0

    def fill(self):
        """Full to the last byte; what the service needs beyond, it must have set aside."""
        refused = self.load.failures.total()
        for _ in range(6):
            self.load.note(f"ballast of {self.volume.fill(self.ballast):,} bytes")
            try:
                return wait_until(lambda: self.load.failures.total() > refused, "a refused request", 5)
            except TimeoutError:
                pass  # what left the volume meanwhile made room
        raise TimeoutError("no request was refused on a full disk")

    def free(self):
        self.ballast.unlink()
        self.load.note("ballast removed")
        freed, before = self.load.seconds, self.load.samples
        wait_until(lambda: self.load.samples > before, "a 2xx after the disk was freed", ACCEPT_SECONDS)
        self.longest_wait = max(self.longest_wait, self.load.seconds - freed)

    def check_answers(self):
        """Nothing but 503 with Retry-After stood beside 2xx."""
        assert {answer.split(":")[0] for answer in self.load.failures} == {"503"}, self.load.failures


@pytest.fixture
def installed(make_volume, make_cirrus, bucket):
    print(f"CIRRUS_SEED={SEED}")
    volume = make_volume(VOLUME_MEBIBYTES)
    return volume, make_cirrus(**(SETTINGS | bucket.settings))


def test_full_to_the_last_byte(installed, encoder, bucket, summarize):
    volume, cirrus = installed
    service = cirrus.start()
    with Load(cirrus.port, encoder, SEED) as load:
        disk = FullDisk(volume, cirrus, load)
        for _ in range(FILLS):
            disk.fill()
            assert answers(cirrus.url + "/livez")
            disk.free()
        assert service.running
        disk.check_answers()
        verdict = load.check(cirrus, bucket.folder)
        summarize(
            f"full disk: {FILLS} times, accepted again after {disk.longest_wait:.1f} s at most, {verdict},"
            f" {load.seconds:.0f} s, seed {SEED}"
        )


def test_the_backlog_leaves_a_full_disk(installed, encoder, bucket, summarize):
    """The reserve is for that: while nothing else fits, what was acknowledged is compacted and shipped."""
    volume, cirrus = installed
    cirrus.start()
    ready = cirrus.url + "/readyz"
    with Load(cirrus.port, encoder, SEED) as load:
        disk = FullDisk(volume, cirrus, load)
        for _ in range(FILLS):
            disk.fill()
            wait_until(lambda: "disk is full" in requests.get(ready, timeout=5).text, "/readyz says the disk is full")
            acknowledged = load.samples
            what = f"{acknowledged} rows in the bucket while the disk is full"
            wait_until(lambda expected=acknowledged: rows_in(bucket.folder) >= expected, what)
            wait_until(lambda: cirrus.status()["unsent"]["rows"] == 0, "nothing unsent while the disk is full")
            disk.free()
            wait_until(lambda: answers(ready), "/readyz says ready")
        disk.check_answers()
        summarize(f"backlog on a full disk: left {FILLS} times, {load.check(cirrus, bucket.folder)}, seed {SEED}")


def test_started_on_a_full_disk(installed, encoder, bucket, summarize):
    """`kill -9` on a full disk: the next process answers, and goes on when there is space."""
    volume, cirrus = installed
    service = cirrus.start()
    with Load(cirrus.port, encoder, SEED) as load:
        disk = FullDisk(volume, cirrus, load)
        for _ in range(FILLS):
            disk.fill()
            service.kill()
            service = cirrus.spawn()
            wait_until(lambda: answers(cirrus.url + "/livez"), "/livez after a start on a full disk")
            disk.free()
        assert service.running
        summarize(f"started on a full disk: {FILLS} times, {load.check(cirrus, bucket.folder)}, seed {SEED}")
