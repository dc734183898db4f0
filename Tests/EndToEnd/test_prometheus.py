"""A real Prometheus writes to `czctl run`, which is killed in the middle: each sample arrives exactly once."""

import json
import math
import time
from collections import Counter

import requests
import yaml

from parquet_rows import read_rows
from processes import Program, free_port, prometheus_path, wait_until
from remote_write import decimal_text

JOBS = ["left", "middle", "right"]
EXTERNAL_LABELS = {"region": "<é&>"}
SECONDS_BEFORE_KILL = 6
SECONDS_DOWN = 2
SECONDS_AFTER = 8


class Prometheus:
    """Debian's Prometheus, scraping itself under several job names every second."""

    def __init__(self, home, write_url: str, **remote_write):
        """`remote_write`: further keys of the one `remote_write` map."""
        self.remote_write = remote_write
        self.home = home
        home.mkdir()
        self.port = free_port()
        self.write_url = write_url
        self.config = home / "prometheus.yml"
        self.configure()
        self.program = Program(
            [
                prometheus_path(),
                f"--config.file={self.config}",
                f"--storage.tsdb.path={home / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ],
            home / "prometheus.log",
        )
        self.program.wait_ready(f"{self.url}/-/ready")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def configure(self):
        queue = {"batch_send_deadline": "500ms", "max_backoff": "1s", "max_shards": 4}
        for job in JOBS:
            self.targets(job).write_text(json.dumps([{"targets": [f"127.0.0.1:{self.port}"]}]))
        self.config.write_text(
            yaml.safe_dump(
                {
                    "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "external_labels": EXTERNAL_LABELS},
                    "scrape_configs": [
                        {"job_name": job, "file_sd_configs": [{"files": [str(self.targets(job))]}]} for job in JOBS
                    ],
                    "remote_write": [{"url": self.write_url, "queue_config": queue} | self.remote_write],
                }
            )
        )

    def targets(self, job: str):
        return self.home / f"targets-{job}.json"

    def remove_target(self, job: str):
        """Prometheus notices, and writes a stale marker on each series of the target."""
        replacement = self.home / "none.json"
        replacement.write_text("[]")
        replacement.rename(self.targets(job))

    def query(self, expression: str, at: float) -> list[dict]:
        answer = requests.get(
            f"{self.url}/api/v1/query", params={"query": expression, "time": f"{at:.3f}"}, timeout=60
        ).json()
        assert answer["status"] == "success", answer
        return answer["data"]["result"]

    def samples(self, until: float) -> dict:
        """(labels, timestamp in ms) → value, of everything scraped so far."""
        found = {}
        for series in self.query('{__name__=~".+"}[10m]', until):
            # External labels are added when Prometheus sends, not when it answers.
            labels = tuple(sorted((series["metric"] | EXTERNAL_LABELS).items()))
            for timestamp, value in series["values"]:
                found[labels, round(timestamp * 1000)] = float(value)
        return found

    def sent_until(self) -> float:
        """Seconds since 1970: the newest sample that has been acknowledged."""
        answer = requests.get(f"{self.url}/metrics", timeout=30).text
        highest = [line for line in answer.splitlines() if "_queue_highest_sent_timestamp_seconds{" in line]
        assert len(highest) == 1
        return float(highest[0].split()[-1])


def test_each_sample_of_prometheus_exactly_once(make_cirrus, programs, tmp_path):
    cirrus = make_cirrus()
    service = cirrus.start()
    prometheus = Prometheus(tmp_path / "prometheus", cirrus.write_url)
    programs.append(prometheus.program)

    time.sleep(SECONDS_BEFORE_KILL)  # Prometheus scrapes by the real clock: there is nothing else to wait for
    service.kill()
    time.sleep(SECONDS_DOWN)
    cirrus.start()
    time.sleep(SECONDS_AFTER)

    # A target that disappears leaves one stale marker on each of its series.
    prometheus.remove_target(JOBS[-1])
    wait_until(lambda: not prometheus.query(f'up{{job="{JOBS[-1]}"}}', time.time()), "stale markers of the removed job")

    end = time.time()
    wait_until(lambda: prometheus.sent_until() > end + 1, "Prometheus to send what it has scraped", 60)
    expected = prometheus.samples(end)
    assert prometheus.program.stop() == 0
    cirrus.drain()

    rows = read_rows(cirrus.destination)
    stored = Counter((labels, timestamp) for labels, timestamp, _ in rows)
    twice = [key for key, count in stored.items() if count > 1]
    assert not twice, f"{len(twice)} samples are stored more than once: {twice[:3]}"
    values = {(labels, timestamp): value for labels, timestamp, value in rows}
    lost = [key for key in expected if key not in values]
    assert not lost, f"{len(lost)} of {len(expected)} samples are lost: {lost[:3]}"
    wrong = [key for key, value in expected.items() if values[key] != decimal_text(value)]
    assert not wrong, f"{wrong[0]}: {values[wrong[0]]}, not {expected[wrong[0]]}"

    # What the API does not report, up to its time, is stale markers and nothing else.
    extra = {key: value for key, value in values.items() if key not in expected and key[1] <= end * 1000}
    assert all(value == "NaN" for value in extra.values()), "rows that Prometheus never had"
    check_stale_markers(extra, expected)
    assert len(expected) > 10_000 and any(math.isnan(value) for value in expected.values())


def check_stale_markers(extra: dict, expected: dict):
    """One on each series of the removed target that was alive, later than its last sample."""
    job = ("job", JOBS[-1])
    last_seen = {}
    for labels, timestamp in expected:
        if job in labels:
            last_seen[labels] = max(timestamp, last_seen.get(labels, 0))
    last_scrape = max(last_seen.values())
    alive = {labels for labels, timestamp in last_seen.items() if timestamp == last_scrape}
    markers = Counter(labels for labels, timestamp in extra if job in labels and timestamp > last_scrape)
    assert alive and set(markers) == alive and set(markers.values()) == {1}
