"""`/metrics` of a collector: every name is there with 0 before anything happened, and exact after known traffic."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import requests

from processes import ROOT, wait_until
from receiver import NOW, RawClient, Receiver, labels
from remote_write import Sender, snappy
from test_receiver import QUIET, one_series

METHODS = ["get", "head", "post", "other"]
CODES = ["200", "204", "400", "401", "403", "404", "405", "408", "415", "431", "500", "503", "other"]
REJECTIONS = [
    "no_name", "bad_labels", "invalid_utf8", "label_limit", "bad_symbols", "bad_series", "timestamp", "future",
    "histogram",
]  # fmt: skip
REFUSALS = [
    "content_type", "content_encoding", "body_limit", "decoded_limit", "snappy", "protobuf", "in_flight", "not_ready",
    "disk_full", "disk", "method", "path",
]  # fmt: skip
ZERO_AT_START = [
    "metrics_received_total", "metrics_received_cost_total", "metrics_received_observability_total",
    *[f'http_requests_total{{code="{code}",method="{method}"}}'
      for code in CODES for method in METHODS if (code, method) not in (("200", "get"), ("503", "get"))],
    *[f'function_execution_seconds_count{{function_name="{name}",error="{error}"}}'
      for name in ("decode", "append") for error in ("", "true")],
    "cirrus_samples_received_total", "cirrus_samples_stored_total", "cirrus_samples_filtered_total",
    'cirrus_samples_deduplicated_total{reason="retransmit"}', "cirrus_requests_deduplicated_total",
    *[f'cirrus_samples_rejected_total{{reason="{reason}"}}' for reason in REJECTIONS],
    *[f'cirrus_requests_refused_total{{reason="{reason}"}}' for reason in REFUSALS],
    'cirrus_values_dropped_total{reason="destination"}', "cirrus_wal_payload_bytes_total",
    "cirrus_wal_corruptions_total", "cirrus_request_samples_count", "cirrus_request_seconds_count",
    "cirrus_wal_fsync_seconds_count", "cirrus_wal_group_records_count", "cirrus_disk_full",
    "cirrus_quarantined_rows_total",
]  # fmt: skip
STATE = [
    "process_cpu_seconds_total", "process_resident_memory_bytes", "process_virtual_memory_bytes", "process_open_fds",
    "process_max_fds", "process_start_time_seconds", "cirrus_disk_free_bytes", "cirrus_disk_limit_bytes",
]  # fmt: skip


@pytest.fixture
def collector(make_cirrus):
    cirrus = make_cirrus(**QUIET)
    cirrus.start("collector")
    return cirrus


def scrape(cirrus) -> dict[str, float]:
    return Receiver.metrics(type("At", (), {"cirrus": cirrus}))


def test_every_name_is_there_from_the_start(collector):
    found = scrape(collector)
    assert {name: found.get(name) for name in ZERO_AT_START} == dict.fromkeys(ZERO_AT_START, 0)
    assert all(found[name] > 0 for name in STATE), {name: found.get(name) for name in STATE}
    (info,) = [name for name in found if name.startswith("cirrus_build_info")]
    version = collector.command("version").stdout.split()[1]
    assert f'version="{version}"' in info and 'revision="' in info and found[info] == 1


def test_the_process(collector):
    found, pid = scrape(collector), collector.programs[0].pid
    assert abs(found["process_start_time_seconds"] - time.time()) < 60
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    assert abs(found["process_resident_memory_bytes"] / (pages * os.sysconf("SC_PAGESIZE")) - 1) < 0.5
    open_before = found["process_open_fds"]
    held = [RawClient(collector.port) for _ in range(10)]
    for client in held:
        client.send(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.answer()[0] == 200
    assert open_before + 10 <= scrape(collector)["process_open_fds"] <= open_before + 12
    for line in Path(f"/proc/{pid}/limits").read_text().splitlines():
        if line.startswith("Max open files"):
            assert found["process_max_fds"] == int(line.split()[3])


def promtool() -> str:
    unpacked = ROOT / ".tools/usr/bin/promtool"
    return shutil.which("promtool") or str(unpacked)


def test_promtool_finds_no_fault_in_our_names(collector):
    text = requests.get(collector.url + "/metrics", timeout=30).text
    result = subprocess.run([promtool(), "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
    # The original's names stay as they are.
    faults = [line for line in (result.stdout + result.stderr).splitlines() if "cirrus_" in line or "error" in line]
    assert faults == []


def test_exact_values_after_known_traffic(make_cirrus, encoder):
    streams = {
        "cost": [{"pattern": "cost", "match": "prefix"}, {"pattern": "both", "match": "prefix"}],
        "observability": [{"pattern": "seen", "match": "prefix"}, {"pattern": "both", "match": "prefix"}],
    }
    cirrus = make_cirrus(**(QUIET | {"metrics": streams}))
    cirrus.start("collector")
    before = scrape(cirrus)
    sender = Sender(cirrus.port)
    good = [
        (labels("cost_a"), [(NOW + i, 1.0) for i in range(5)]),
        (labels("seen_a"), [(NOW + i, 1.0) for i in range(3)]),
        (labels("both_a"), [(NOW + i, 1.0) for i in range(2)]),
        (labels("other_a"), [(NOW + i, 1.0) for i in range(4)]),
        (labels("cost_b"), [(1 << 60, 1.0)]),
        ((("a", "1"),), [(NOW, 1.0), (NOW + 1, 1.0)]),
    ]
    body = snappy(encoder.v1(good))
    for _ in range(2):  # the second is a repeat
        assert sender.post(body)[::2] == (400, (14, 0, 0))
    assert sender.post(snappy(encoder.v1(one_series("cost_c"))))[0] == 204
    assert sender.post(b"\xff", encoding="gzip")[0] == 415
    assert sender.post(b"\xff")[0] == 400
    assert sender.post(snappy(b"\x0b"))[0] == 400
    assert sender.post(body, path="/nowhere")[0] == 404
    after = scrape(cirrus)
    grown = {name: after[name] - before[name] for name in after if after[name] != before.get(name)}
    expected = {
        "metrics_received_total": 16,
        "metrics_received_cost_total": 5 + 2 + 2,
        "metrics_received_observability_total": 3 + 2,
        "cirrus_samples_received_total": 17 + 17 + 2,
        "cirrus_samples_stored_total": 10 + 2,
        "cirrus_samples_filtered_total": 4,
        'cirrus_samples_deduplicated_total{reason="retransmit"}': 17,
        "cirrus_requests_deduplicated_total": 1,
        'cirrus_samples_rejected_total{reason="timestamp"}': 1,
        'cirrus_samples_rejected_total{reason="no_name"}': 2,
        'cirrus_requests_refused_total{reason="content_encoding"}': 1,
        'cirrus_requests_refused_total{reason="snappy"}': 1,
        'cirrus_requests_refused_total{reason="protobuf"}': 1,
        'http_requests_total{code="204",method="post"}': 1,
        'http_requests_total{code="400",method="post"}': 4,
        'http_requests_total{code="404",method="post"}': 1,
        'http_requests_total{code="415",method="post"}': 1,
        "http_request_duration_seconds_count": 8,  # the first look at /metrics was answered after it was made
        "cirrus_request_samples_count": 2,
        "cirrus_request_samples_sum": 19,
        'cirrus_request_samples_bucket{le="10"}': 1,
        'cirrus_request_samples_bucket{le="50"}': 2,
        'function_execution_seconds_count{function_name="decode",error=""}': 2,
        'function_execution_seconds_count{function_name="decode",error="true"}': 1,
        "cirrus_wal_group_records_sum": 2,
    }
    assert {name: grown.get(name) for name in expected} == expected
    # received = stored + filtered + rejected + deduplicated
    assert grown["cirrus_samples_received_total"] == 12 + 4 + 3 + 17

    def exact_log_bytes():
        on_disk = sum(path.stat().st_size for path in (cirrus.data / "wal").glob("*.wal"))
        return scrape(cirrus)["cirrus_wal_bytes"] == on_disk

    wait_until(exact_log_bytes, "the log's bytes in /metrics")


def test_dropped_kinds_and_damage(make_cirrus, encoder, tmp_path):
    """Where no destination takes histograms they are counted as dropped; damage found at a start is counted."""
    key = tmp_path / "key"
    key.write_text("secret")
    key.chmod(0o600)
    cirrus = make_cirrus(
        **(QUIET | {"destination": {"kind": "cloudzero"}, "cloudzero": {"api_key_path": str(key)}})
    )
    program = cirrus.start("collector")
    request = encoder.one.WriteRequest()
    request.ParseFromString(encoder.v1(one_series("dropped")))
    request.timeseries[0].histograms.add(timestamp=NOW)
    request.timeseries[0].exemplars.add(timestamp=NOW)
    request.metadata.add(metric_family_name="dropped")
    sender = Sender(cirrus.port)
    assert sender.post(snappy(request.SerializeToString())) == (204, "", (2, 1, 1))
    for number in range(3):
        assert sender.post(snappy(encoder.v1(one_series("more", float(number)))))[0] == 204
    assert scrape(cirrus)['cirrus_values_dropped_total{reason="destination"}'] == 3
    program.kill()
    newest = max((cirrus.data / "wal").glob("*.wal"))
    data = bytearray(newest.read_bytes())
    data[4096 + 60] ^= 1
    newest.write_bytes(data)
    cirrus.start("collector")
    assert scrape(cirrus)["cirrus_wal_corruptions_total"] == 1
