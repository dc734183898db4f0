"""Senders that others wrote, against a real collector: what they say was sent is what the log and the files hold."""

import json
import os
import re
import struct
import subprocess
import sys
import time
from collections import Counter, defaultdict
from importlib import import_module

import duckdb
import pytest
import requests
import yaml

from exporter import BUCKETS, COUNTERS, EXEMPLARS, GAUGES, HISTOGRAMS, Exporter, bucket_counts
from parquet_rows import files_below
from processes import ROOT, Program, clean_environment, free_port, prometheus_path, wait_until
from remote_write import Sender, snappy

sys.path.insert(0, str(ROOT / "Tests/Independent"))
import wal_reader  # noqa: E402

# `make soak` takes 10.
MINUTES = float(os.environ.get("CIRRUS_PROMETHEUS_MINUTES", 0.6))
EXTERNAL_LABELS = {"replica": "<é&>"}
KINDS = ("samples", "histograms", "exemplars", "metadata")
OTHER_SENDERS = ROOT / ".venv-senders/bin/python"


class Prometheus:
    """Debian's Prometheus with every part of remote write turned on, scraping one exporter each second."""

    def __init__(self, home, exporter: Exporter, write_url: str):
        home.mkdir()
        self.port = free_port()
        self.targets = home / "targets.json"
        self.set_targets(f"127.0.0.1:{exporter.port}")
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "external_labels": EXTERNAL_LABELS},
            "scrape_configs": [{"job_name": "exporter", "file_sd_configs": [{"files": [str(self.targets)]}]}],
            "remote_write": [
                {
                    "url": write_url,
                    "send_exemplars": True,
                    "send_native_histograms": True,
                    "metadata_config": {"send": True, "send_interval": "3s"},
                    "queue_config": {"batch_send_deadline": "500ms", "max_backoff": "1s", "max_shards": 8},
                }
            ],
        }
        (home / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.program = Program(
            [
                prometheus_path(),
                f"--config.file={home / 'prometheus.yml'}",
                f"--storage.tsdb.path={home / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--enable-feature=native-histograms,exemplar-storage",
            ],
            home / "prometheus.log",
        )
        self.program.wait_ready(f"http://127.0.0.1:{self.port}/-/ready")

    def set_targets(self, *targets: str):
        replacement = self.targets.with_suffix(".new")
        replacement.write_text(json.dumps([{"targets": list(targets)}]))
        replacement.rename(self.targets)

    def counts(self) -> dict[str, float]:
        """Prometheus' own metrics of remote write, `prometheus_remote_storage_` left out, summed over labels."""
        sums: Counter = Counter()
        for line in requests.get(f"http://127.0.0.1:{self.port}/metrics", timeout=30).text.splitlines():
            if found := re.match(r"prometheus_remote_storage_(\w+)(?:\{.*\})? (\S+)$", line):
                sums[found[1]] += float(found[2])
        return dict(sums)

    def sent(self) -> dict[str, int]:
        """Values of each kind that were acknowledged, once nothing is pending: attempts less those repeated."""
        counts = self.counts()
        return {kind: int(counts[f"{kind}_total"] - counts[f"{kind}_retried_total"]) for kind in KINDS}


class Stored:
    """What the files hold, by a reader that is not ours."""

    def __init__(self, cirrus):
        self.samples: dict[tuple, list[str]] = defaultdict(list)  # (labels, timestamp) → values
        self.histograms: dict[tuple, list[dict]] = defaultdict(list)  # (labels, timestamp) → rows
        self.exemplars: Counter = Counter()
        assert not list((cirrus.data / "wal").glob("*.kept"))
        with duckdb.connect() as connection:

            def rows(folder: str) -> list[dict]:
                query = "select *, epoch_ms(timestamp) as ms from read_parquet(?, hive_partitioning = false)"
                found = connection.execute(query, [f"{cirrus.destination}/{folder}/**/*.parquet"])
                names = [column[0] for column in found.description]
                return [dict(zip(names, row)) for row in found.fetchall()]

            for row in rows("dt=*"):
                self.samples[row["labels"], row["ms"]].append(row["value"])
            for row in rows("histograms"):
                self.histograms[self.series(row), row["ms"]].append(row)
            for row in rows("exemplars"):
                bits = struct.pack("<d", row["value"])
                self.exemplars[self.series(row), row["ms"], bits, tuple(row["exemplar_labels"].items())] += 1
            self.families = {(row["type"], row["metric_family"], row["help"]) for row in rows("metadata")}

    @staticmethod
    def series(row: dict) -> tuple:
        promoted = {name: row[name] for name in ("namespace", "pod", "container", "node") if row[name] is not None}
        return tuple(sorted((row["labels"] | promoted | {"__name__": row["metric_name"]}).items()))


def refused(cirrus) -> dict[str, int]:
    """Requests that were not answered 2xx, by reason, since the collector's start."""
    text = requests.get(cirrus.url + "/metrics", timeout=10).text
    found = re.findall(r'cirrus_requests_refused_total\{reason="(\w+)"\} (\d+)', text)
    rejected = re.findall(r'cirrus_samples_rejected_total\{reason="(\w+)"\} (\d+)', text)
    return {reason: int(count) for reason, count in [*found, *rejected] if int(count) > 0}


def test_prometheus_with_everything_on(make_cirrus, encoder, programs, tmp_path, summarize):
    messages = import_module("client_metrics_pb2")
    cirrus = make_cirrus(wal={"segment_age": "5s"}, database={"cost_max_interval": "5s"})
    service = cirrus.start()
    exporter = Exporter(messages)
    prometheus = Prometheus(tmp_path / "prometheus", exporter, cirrus.write_url)
    programs.append(prometheus.program)

    # Prometheus scrapes by the real clock: there is nothing else to wait for.
    quarter = MINUTES * 60 / 4
    started = time.monotonic()
    for end in ["SIGTERM", "SIGKILL", "SIGTERM"]:
        time.sleep(quarter)
        assert refused(cirrus) == {}
        if end == "SIGTERM":
            assert service.stop() == 0
        else:
            service.kill()
        service = cirrus.start()
    time.sleep(quarter)

    prometheus.set_targets()  # the end: stale markers on every series, and nothing after them
    wait_until(lambda: resting(lambda: exporter.scrapes), "the end of scraping", 60)
    wait_until(lambda: prometheus.counts()["samples_pending"] == 0, "Prometheus to send what it has", 60)
    # Metadata is sent again and again.
    wait_until(lambda: resting(lambda: [prometheus.sent()[kind] for kind in KINDS[:3]]), "Prometheus to be done", 60)
    sent, counts = prometheus.sent(), prometheus.counts()
    assert refused(cirrus) == {}
    scraped = exporter.scrapes
    for kind in KINDS:
        assert counts.get(f"{kind}_failed_total", 0) == 0, kind
        assert counts.get(f"{kind}_dropped_total", 0) == 0, kind
    assert exporter.refused == 0 and scraped > MINUTES * 60 * 0.8
    assert prometheus.program.stop() == 0
    exporter.stop()
    cirrus.drain()

    stored = Stored(cirrus)
    assert all(len(values) == 1 for values in stored.samples.values())
    assert all(len(values) == 1 for values in stored.histograms.values())
    assert sum(map(len, stored.samples.values())) == sent["samples"]
    assert sum(map(len, stored.histograms.values())) == sent["histograms"]
    assert stored.exemplars.total() == sent["exemplars"] and max(stored.exemplars.values()) == 1
    check_values(stored, scraped)
    check_histograms(stored, scraped)
    assert {("counter", "synthetic_total", "A counter of scrapes."),
            ("gauge", "synthetic_gauge", "A gauge of scrapes."),
            ("histogram", "synthetic_seconds", "A native histogram.")} <= stored.families  # fmt: skip
    [balance] = cirrus.status()["balance"]
    assert balance["total"] == balance["uploaded"] == sent["samples"]
    summarize(
        f"prometheus: {time.monotonic() - started:.0f} s, 3 restarts, {scraped} scrapes: sent and stored"
        f" {sent['samples']:,} samples, {sent['histograms']:,} histograms, {sent['exemplars']:,} exemplars;"
        f" {sent['metadata']} metadata sent; {counts['samples_retried_total']:.0f} samples tried again,"
        " every answer 2xx, 0 failed, 0 dropped"
    )


def resting(value) -> bool:
    """Whether it stays the same for some scrapes' time."""
    before = value()
    time.sleep(3)
    return value() == before


def check_values(stored: Stored, scraped: int):
    """Each series has the same scrapes, each once, and one stale marker."""
    values: dict[str, dict[str, list]] = {"synthetic_total": defaultdict(list), "synthetic_gauge": defaultdict(list)}
    for (labels, timestamp), (value,) in stored.samples.items():
        parsed = json.loads(labels)
        assert parsed["replica"] == EXTERNAL_LABELS["replica"]
        if parsed["__name__"] in values:
            values[parsed["__name__"]][parsed["number"]].append((timestamp, value))
    for name, count, fraction in [("synthetic_total", COUNTERS, 0.0), ("synthetic_gauge", GAUGES, 0.5)]:
        assert len(values[name]) == count
        seen = {tuple(sorted(found)) for found in values[name].values()}
        assert len(seen) == 1, f"series of {name} differ"
        texts = [value for _, value in next(iter(seen))]
        assert texts[-1] == "NaN" and texts.count("NaN") == 1, "one stale marker, at the end"
        numbers = [float(text) - fraction for text in texts[:-1]]
        assert numbers == sorted(set(numbers)) and set(numbers) <= set(range(1, scraped + 1))
        assert len(numbers) >= scraped - 2, "a scrape that Prometheus gave up"


def check_histograms(stored: Stored, scraped: int):
    by_series: dict[tuple, list] = defaultdict(list)
    for (labels, timestamp), (row,) in stored.histograms.items():
        by_series[labels].append((timestamp, row))
    assert len(by_series) == HISTOGRAMS
    for labels, found in by_series.items():
        found.sort(key=lambda pair: pair[0])
        for _, row in found:
            if struct.pack("<d", row["sum"]) == struct.pack("<Q", 0x7FF0000000000002):
                continue  # a stale marker
            counts = row["positive_counts"]
            assert counts == bucket_counts(int(row["sum"])) and row["count"] == sum(counts) + 7
            assert (row["schema"], row["zero_count"], row["zero_threshold"]) == (3, 7, 1e-128)
            assert (row["positive_span_offsets"], row["positive_span_lengths"]) == ([1], [BUCKETS])
        assert len(found) >= scraped - 2


# Programs for the senders' own environment: their generated messages clash with each other's and with ours.
OPENTELEMETRY = """
import sys
from opentelemetry.exporter.prometheus_remote_write import PrometheusRemoteWriteMetricsExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

exporter = PrometheusRemoteWriteMetricsExporter(endpoint=sys.argv[1], headers={"X-Scope-OrgID": "1"})
reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
provider = MeterProvider([reader], resource=Resource({"service.name": "shop", "service.version": "1.2"}))
meter = provider.get_meter("meter")
for number in range(100):
    meter.create_counter(f"counter.{number}").add(number + 0.25, {"http.method": "GET", "zone": "é"})
histogram = meter.create_histogram("latency", unit="ms")
for value in range(1000):
    histogram.record(value, {"path": "/"})
assert provider.force_flush()
provider.shutdown()
"""

REMOTE_WRITER = """
import sys
from prometheus_remote_writer import RemoteWriter

series = [
    {"metric": {"__name__": "writer_total", "host": f"h{n}", "zone": "é"}, "values": [n, n + 0.5, float("nan")],
     "timestamps": [1_782_900_000_000, 1_782_900_015_000, 1_782_900_030_000]}
    for n in range(5000)
]
with RemoteWriter(url=sys.argv[1], max_series_per_request=1000) as writer:
    result = writer.send(series)
assert (result.requests_sent, result.samples_sent, result.last_response.status_code) == (5, 15_000, 204), result
"""


@pytest.fixture
def log_after(make_cirrus, encoder):
    """Runs a sender's program against a collector; every sample of its log as (labels, timestamp, value)."""

    def send(program: str) -> list[tuple[dict, int, float]]:
        cirrus = make_cirrus(database={"cost_max_interval": "1h"}, wal={"segment_age": "1h"})
        service = cirrus.start("collector")
        # The first batch of a new volume is compacted at once; what is asked for here is in the log.
        warm_up = encoder.v1([((("__name__", "warm_up"),), [(1, 1.0)])])
        assert Sender(cirrus.port).post(snappy(warm_up))[0] == 204
        wait_until(lambda: files_below(cirrus.data / "outbox"), "the first file")
        sent = subprocess.run(
            [OTHER_SENDERS, "-c", program, cirrus.write_url],
            capture_output=True, text=True, env=clean_environment(), timeout=120,
        )  # fmt: skip
        assert sent.returncode == 0, sent.stdout + sent.stderr
        assert "ERROR" not in sent.stderr and "failed" not in sent.stderr, sent.stderr
        assert refused(cirrus) == {}
        service.kill()
        found = []
        for segment in wal_reader.read_log(cirrus.data / "wal").values():
            series: dict = {}
            for record in segment.records:
                if record.kind == 1:
                    batch = wal_reader.read_batch(record.payload(), series)
                    for reference, timestamp, _, bits in batch.samples:
                        value = struct.unpack("<d", struct.pack("<Q", bits))[0]
                        found.append((dict(series[reference][1]), timestamp, value))
        return [sample for sample in found if sample[0]["__name__"] != "warm_up"]

    return send


def test_opentelemetry_exporter(log_after, summarize):
    samples = log_after(OPENTELEMETRY)
    counters = {labels["__name__"]: (labels, value) for labels, _, value in samples if "counter" in labels["__name__"]}
    assert len(counters) == 100
    for number in range(100):
        labels, value = counters[f"counter_{number}"]
        assert value == number + 0.25
        expected = {"service_name": "shop", "service_version": "1.2", "http_method": "GET", "zone": "é"}
        assert labels == {"__name__": f"counter_{number}", **expected}
    count = [value for labels, _, value in samples if labels["__name__"] == "latency_ms_count"]
    total = [value for labels, _, value in samples if labels["__name__"] == "latency_ms_sum"]
    assert (set(count), set(total)) == ({1000.0}, {sum(range(1000))})  # shutdown exports again
    # It leaves the bound 0 out.
    buckets = {labels.get("le", "0.0"): value for labels, _, value in samples if labels["__name__"] == "latency_ms"}
    assert sum(buckets.values()) == 1000 and "+Inf" in buckets
    assert all(abs(timestamp / 1000 - time.time()) < 600 for _, timestamp, _ in samples)
    summarize(f"opentelemetry exporter: {len(samples)} samples sent, found in the log bit by bit")


def test_prometheus_remote_writer(log_after, summarize):
    samples = log_after(REMOTE_WRITER)
    assert len(samples) == 15_000
    found = {(labels["host"], timestamp): value for labels, timestamp, value in samples}
    assert len(found) == 15_000
    for n in range(5000):
        assert found[f"h{n}", 1_782_900_000_000] == n and found[f"h{n}", 1_782_900_015_000] == n + 0.5
        assert found[f"h{n}", 1_782_900_030_000] != found[f"h{n}", 1_782_900_030_000]  # NaN
    summarize(f"prometheus-remote-writer: {len(samples):,} samples sent, found in the log bit by bit")
