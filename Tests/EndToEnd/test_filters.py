"""The filters of `metrics:` on a real service: what is shipped in which stream, and what the counters say of it."""

import json
from collections import Counter

import pyarrow.parquet
import pytest
import requests
import yaml

from parquet_rows import COLUMNS, files_below
from processes import wait_until
from remote_write import Sender, snappy
from test_native import native
from test_v2_sender import START_MS

METRICS = ["kube_pod_info", "kube_node_info", "cpu_total", "memory_bytes", "up"]
SAMPLES = 3  # of a series
LABELS = {"node": "n1", "pod": "p1", "secret_token": "s1"}
EVERY = set(METRICS)


def rule(match: str, pattern: str) -> dict:
    return {"pattern": pattern, "match": match}


# The lists; the metrics of each stream, None where there is no such stream.
CASES = {
    "none": ({}, EVERY, None),
    "null": ({"cost": None}, EVERY, None),
    "empty": ({"cost": [], "observability": []}, EVERY, None),
    "exact": ({"cost": [rule("exact", "up"), rule("exact", "kube")]}, {"up"}, None),
    "prefix": ({"cost": [rule("prefix", "kube_")]}, {"kube_pod_info", "kube_node_info"}, None),
    "suffix": ({"cost": [rule("suffix", "_info")]}, {"kube_pod_info", "kube_node_info"}, None),
    "contains": ({"cost": [rule("contains", "o")]}, EVERY - {"up"}, None),
    "regex": ({"cost": [rule("regex", "^(cpu|kube_(pod|job))_"), rule("regex", "p$")]},
              {"cpu_total", "kube_pod_info", "up"}, None),
    "observability alone": ({"observability": [rule("regex", "_(total|bytes)$")]},
                            EVERY, {"cpu_total", "memory_bytes"}),
    "both": ({"cost": [rule("prefix", "kube_")], "observability": [rule("exact", "up"), rule("prefix", "kube_p")]},
             {"kube_pod_info", "kube_node_info"}, {"up", "kube_pod_info"}),
    "labels": ({"cost_labels": [rule("regex", "^(pod|__name__)$")], "observability": [rule("exact", "up")],
                "observability_labels": [rule("suffix", "token")]}, EVERY, {"up"}),
}  # fmt: skip
KEPT = {"labels": {"metrics": {"pod", "__name__"}, "observability": {"secret_token"}}}


def metrics_of(cirrus) -> dict[str, float]:
    lines = requests.get(cirrus.url + "/metrics", timeout=10).text.splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def shipped(cirrus) -> dict[str, list[dict]]:
    """Rows by kind of file."""
    rows: dict[str, list[dict]] = {}
    for file in files_below(cirrus.destination):
        table = pyarrow.parquet.read_table(file, partitioning=None)
        assert table.column_names == COLUMNS
        rows.setdefault(file.name.split("_")[0], []).extend(table.to_pylist())
    return rows


@pytest.mark.parametrize("name", CASES)
def test_streams_and_counters(name, make_cirrus, encoder):
    lists, cost, observability = CASES[name]
    cirrus = make_cirrus(metrics=lists)
    service = cirrus.start()
    sender = Sender(cirrus.port)
    for sample in range(SAMPLES):
        series = [
            (tuple(sorted({"__name__": metric, **LABELS}.items())), [(START_MS + sample * 1000, float(sample))])
            for metric in METRICS
        ]
        status, _, written = sender.post(snappy(encoder.v1(series)))
        assert (status, written[0]) == (204, len(METRICS)), "a filtered sample counts as written"
    total = SAMPLES * len(METRICS)

    counts = metrics_of(cirrus)
    stored = SAMPLES * len(cost | (observability or set()))
    assert counts["cirrus_samples_received_total"] == total
    assert counts["cirrus_samples_stored_total"] == stored
    assert counts["cirrus_samples_filtered_total"] == total - stored
    dropped = {"cost": total - SAMPLES * len(cost), "observability": 0}
    if observability is not None:
        dropped["observability"] = total - SAMPLES * len(observability)
    for listed, count in dropped.items():
        assert counts[f'cirrus_filter_dropped_samples_total{{list="{listed}"}}'] == count

    status = cirrus.status()
    intake = status["intake"]
    sums = ("samples_stored", "samples_filtered", "samples_rejected", "samples_deduplicated")
    assert intake["samples_received"] == sum(intake[key] for key in sums)
    configured = {key: rules for key, rules in lists.items() if rules}
    assert {entry["list"]: len(entry["rules"]) for entry in intake["filters"]} == {
        key: len(rules) for key, rules in configured.items()
    }
    for entry in intake["filters"]:
        for index, one in enumerate(entry["rules"]):
            labels = f'list="{entry["list"]}",rule="{index} {one["rule"]}"'.replace("\\", "\\\\")
            assert counts.get(f"cirrus_filter_matches_total{{{labels}}}", -1) <= one["matches"]
        if not entry["list"].endswith("labels"):
            # A filter looks once at a series of a segment, whatever its samples: the first batch ends a segment.
            accepted = cost if entry["list"] == "cost" else observability
            assert len(accepted) <= sum(one["matches"] for one in entry["rules"]) < SAMPLES * len(accepted) + 1
            assert entry["dropped_samples"] == dropped[entry["list"]]
    if configured:
        text = cirrus.command("status", "--config", cirrus.config).stdout
        assert all(any(line.split()[:2] == ["FILTER", key] for line in text.splitlines()) for key in configured), text

    cirrus.drain()
    assert service.stop() == 0
    rows = shipped(cirrus)
    streams = {"metrics": cost} | ({"observability": observability} if observability else {})
    assert set(rows) == set(streams)
    for kind, metrics in streams.items():
        expected = Counter({(metric, "n1"): SAMPLES for metric in metrics})
        assert Counter((row["metric_name"], row["node_name"]) for row in rows[kind]) == expected
        kept = KEPT.get(name, {}).get(kind, {"__name__", *LABELS})
        for row in rows[kind]:
            wanted = {"__name__": row["metric_name"], **LABELS}
            assert json.loads(row["labels"]) == {key: value for key, value in wanted.items() if key in kept}


def test_streams_of_layout_native(make_cirrus, encoder):
    lists, cost, observability = CASES["both"]
    cirrus = native(make_cirrus, metrics=lists)
    cirrus.start()
    series = [(tuple(sorted({"__name__": metric, **LABELS}.items())), [(START_MS, 1.0)]) for metric in METRICS]
    assert Sender(cirrus.port).post(snappy(encoder.v1(series)))[0] == 204
    cirrus.drain()
    found: dict[str, list[str]] = {}
    for file in files_below(cirrus.destination):
        table = pyarrow.parquet.ParquetFile(file).read(["metric_name", "value"])
        assert table["value"].to_pylist() == [1.0] * table.num_rows
        found.setdefault(file.name.split("_")[0], []).extend(table["metric_name"].to_pylist())
    assert {kind: sorted(names) for kind, names in found.items()} == {
        "metrics": sorted(cost), "observability": sorted(observability),
    }  # fmt: skip


def test_series_that_differ_only_in_dropped_labels_keep_their_rows(make_cirrus, encoder):
    cirrus = make_cirrus(metrics={"cost_labels": [rule("exact", "node")]})
    cirrus.start()
    series = [((("__name__", "m"), ("node", f"n{n % 2}"), ("pod", str(n))), [(START_MS, 1.0)]) for n in range(10)]
    assert Sender(cirrus.port).post(snappy(encoder.v1(series)))[0] == 204
    cirrus.drain()
    rows = shipped(cirrus)["metrics"]
    assert Counter((row["labels"], row["value"]) for row in rows) == {
        ('{"node":"n0"}', "1"): 5, ('{"node":"n1"}', "1"): 5,
    }  # fmt: skip


def test_the_first_batch_is_flushed_at_once(make_cirrus, encoder):
    """A new install is seen upstream without waiting for an interval; with filters too."""
    cirrus = make_cirrus(
        database={"cost_max_interval": "1h", "observability_max_interval": "1h"}, wal={"segment_age": "1h"},
        metrics={"cost": [rule("regex", "^kube_")]},
    )  # fmt: skip
    cirrus.start()
    series = [((("__name__", metric),), [(START_MS, 1.0)]) for metric in METRICS]
    assert Sender(cirrus.port).post(snappy(encoder.v1(series)))[0] == 204
    wait_until(lambda: files_below(cirrus.destination), "the first file", 20)
    assert {row["metric_name"] for row in shipped(cirrus)["metrics"]} == {"kube_pod_info", "kube_node_info"}


def test_a_bad_pattern_stops_the_start_with_its_place(make_cirrus):
    cirrus = make_cirrus(metrics={"cost": [rule("regex", "a("), rule("prefix", "b"), rule("regex", "[z-a]")]})
    lines = cirrus.config.read_text().splitlines()
    result = cirrus.command("run", "--config", cirrus.config)
    assert result.returncode == 2
    for index, pattern, reason in [(0, "a(", "missing )"), (2, "[z-a]", "invalid character class range")]:
        number = next(n for n, line in enumerate(lines, 1) if pattern in line)
        column = lines[number - 1].index("pattern: ") + len("pattern: ") + 1
        assert f"{cirrus.config.name}:{number}:{column}: metrics.cost[{index}].pattern" in result.stderr
        assert reason in result.stderr
    assert yaml.safe_load(cirrus.config.read_text())["metrics"]
