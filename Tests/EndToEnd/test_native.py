"""Layout `native`: what was sent, bit for bit, through four readers that are not ours; and nothing kept aside."""

import contextlib
import io
import json
import re
import sqlite3
import struct
import subprocess
import sys

import duckdb
import fastparquet
import polars
import pyarrow.parquet
import pytest

from parquet_rows import read_rows
from processes import ROOT, wait_until
from remote_write import V1, V2, Sender, snappy
from test_v2_sender import START_MS, STEP_MS, expected_rows, known_requests, send_all, series_labels
from upload_api import API_KEY, UploadAPI

sys.path.insert(0, str(ROOT / "Tests/Independent"))
from native_rows import schemas  # noqa: E402

JUDGE = ROOT / "Tests/Independent/judge_files.py"

PROMOTED = ["namespace", "pod", "container", "node"]
STALE = 0x7FF0000000000002
KINDS = ("metrics", "histograms", "exemplars", "metadata")


def bits(value: float) -> int:
    return struct.unpack("<Q", struct.pack("<d", value))[0]


def native(make_cirrus, **overrides):
    cirrus = make_cirrus(**overrides)
    text = cirrus.config.read_text().replace("kind: directory", "kind: directory\n  layout: native")
    cirrus.config.write_text(text)
    return cirrus


def files(cirrus, kind: str) -> list[str]:
    found = sorted(str(file) for file in (cirrus.destination / kind).rglob("*.parquet"))
    assert found and all(f"/{kind}/dt=" in file and f"/{kind}_" in file for file in found)
    return found


def by_pyarrow(paths: list[str]) -> list[dict]:
    rows = []
    for path in paths:
        with pyarrow.parquet.ParquetFile(path, page_checksum_verification=True) as opened:
            table = opened.read()
        for index, field in enumerate(table.schema):
            if field.name.endswith("timestamp"):
                table = table.set_column(index, field.name, table[field.name].cast("int64"))
        rows += table.to_pylist(maps_as_pydicts="strict")
    return rows


def by_duckdb(paths: list[str]) -> list[dict]:
    with duckdb.connect() as connection:
        relation = connection.execute("from read_parquet(?, hive_partitioning = false)", [paths])
        names = [column[0] for column in relation.description]
        rows = [dict(zip(names, row)) for row in relation.fetchall()]
    return [{name: milliseconds(value) if name.endswith("timestamp") else value for name, value in row.items()}
            for row in rows]  # fmt: skip


def milliseconds(time) -> int | None:
    return None if time is None else round(time.timestamp() * 1000)


def by_polars(paths: list[str]) -> list[dict]:
    rows = []
    for path in paths:
        table = polars.read_parquet(path, hive_partitioning=False)
        for row in table.with_columns(polars.col(polars.Datetime).dt.epoch("ms")).to_dicts():
            for name, value in row.items():
                if value and isinstance(value, list) and isinstance(value[0], dict):
                    row[name] = {entry["key"]: entry["value"] for entry in value}
                elif value == [] and "labels" in name:
                    row[name] = {}
            rows.append(row)
    return rows


def row_of(row: dict) -> tuple:
    """Labels, time, bits, staleness, start: as sent."""
    labels = dict(row["labels"]) | {name: row[name] for name in PROMOTED if row[name] is not None}
    labels["__name__"] = row["metric_name"]
    return (tuple(sorted(labels.items())), row["timestamp"], bits(row["value"]), row["is_stale"],
            row["start_timestamp"])  # fmt: skip


def check_files(cirrus, kinds=KINDS):
    for kind in kinds:
        for path in (cirrus.destination / kind).rglob("*.parquet"):
            names = pyarrow.parquet.read_schema(path).names
            assert kind == "metadata" or names[names.index("series_hash") + 1 : names.index("labels")] == PROMOTED
        if (cirrus.destination / kind).exists():
            command = [sys.executable, JUDGE, cirrus.destination / kind]
            done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
            assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_samples_arrive_bit_for_bit(make_cirrus, encoder):
    cirrus = native(make_cirrus)
    cirrus.start()
    requests = known_requests("known")
    bodies = []
    for request in requests:
        message = encoder.v2_request(request)
        for entry in message.timeseries[::3]:
            for sample in entry.samples:
                sample.start_timestamp = START_MS - 5
        bodies.append(snappy(message.SerializeToString()))
    assert {answer[0] for answer in send_all(cirrus.port, bodies, V2)} == {204}
    cirrus.drain()
    wanted = sorted(
        (labels, timestamp, bits(value), bits(value) == STALE, START_MS - 5 if index % 3 == 0 else None)
        for request in requests
        for index, (labels, samples) in enumerate(request)
        for timestamp, value in samples
    )
    paths = files(cirrus, "metrics")
    for read in (by_pyarrow, by_duckdb, by_polars):
        rows = read(paths)
        assert sorted(map(row_of, rows), key=str) == sorted(wanted, key=str), read.__name__
    hashes = {}
    for row in rows:
        hashes.setdefault(row["series_hash"], set()).add(row_of(row)[0])
    assert len(hashes) == 1000 and all(len(labels) == 1 for labels in hashes.values())
    by_fastparquet(paths, rows)
    check_files(cirrus)
    answered(cirrus, paths, requests)


def by_fastparquet(paths: list[str], rows: list[dict]):
    """Flat columns and maps; its times are pandas', its absent texts None."""
    read = []
    for path in paths:
        table = fastparquet.ParquetFile(path).to_pandas()
        read += zip(table["metric_name"], table["value"], table["pod"], table["node"], table["labels.key_value"]
                    if "labels.key_value" in table else table["labels"])  # fmt: skip
    assert len(read) == len(rows)
    for (metric, value, pod, node, labels), row in zip(read, rows):
        node = None if node != node else node
        assert (metric, bits(value), pod, node) == (row["metric_name"], bits(row["value"]), row["pod"], row["node"])
        assert dict(labels) == dict(row["labels"])


def answered(cirrus, paths: list[str], requests: list):
    """Our own reader: `query`, `inspect` and `verify`."""
    answer = json.loads(cirrus.command("query", *paths, "--by", "note", "--by", "pod", "-o", "json").stdout)
    with duckdb.connect() as connection:
        query = "select labels['note'], pod, count(*) from read_parquet(?) group by all"
        wanted = {row[:2]: row[2] for row in connection.execute(query, [paths]).fetchall()}
    assert {tuple(row["key"]): row["count"] for row in answer["rows"]} == wanted
    arguments = ["--where", "node=", "--where", "note=plain", "--metric", "known_5_total", "-o", "json"]
    answer = json.loads(cirrus.command("query", *paths, *arguments).stdout)
    chosen = [
        len(samples)
        for request in requests
        for labels, samples in request
        if dict(labels)["__name__"] == "known_5_total"
        and dict(labels)["note"] == "plain"
        and "node" not in dict(labels)
    ]
    assert answer["rows"][0]["count"] == sum(chosen) > 0
    shown = cirrus.command("inspect", paths[0], "--schema", "--stats", "--head", "2")
    assert shown.returncode == 0 and "labels.key" in shown.stdout and "DOUBLE" in shown.stdout, shown.stderr
    assert cirrus.command("verify", "--deep", *paths).returncode == 0


HISTOGRAMS = [
    {"count_int": 12, "sum": 7.5, "schema": 3, "zero_threshold": 1e-128, "zero_count_int": 1,
     "positive_spans": [{"offset": -2, "length": 2}, {"offset": 3, "length": 1}], "positive_deltas": [4, -3, 2],
     "negative_spans": [{"offset": 0, "length": 1}], "negative_deltas": [3], "reset_hint": 1},
    {"count_float": 2.5, "sum": -0.0, "schema": 0, "zero_threshold": 0.001, "zero_count_float": 0.25,
     "positive_spans": [{"offset": 1, "length": 2}], "positive_counts": [1.5, 0.75], "reset_hint": 3},
    {"count_int": 3, "sum": 4.0, "schema": -53, "positive_spans": [{"offset": 0, "length": 3}],
     "positive_deltas": [1, 0, 0], "custom_values": [0.5, 5.0]},
    {"count_int": 0, "sum": struct.unpack("<d", struct.pack("<Q", STALE))[0], "schema": 1},
]  # fmt: skip


def histogram_row(labels, time: int, sent: dict, start: int | None) -> dict:
    """What the columns must say of a message."""
    def counts(deltas):
        total, found = 0, []
        for delta in deltas:
            total += delta
            found.append(total)
        return found

    row = {
        "labels": labels, "timestamp": time, "start_timestamp": start, "schema": sent["schema"],
        "count": sent.get("count_int"), "count_float": sent.get("count_float"), "sum": bits(sent["sum"]),
        "zero_threshold": sent.get("zero_threshold", 0.0),
        "zero_count": None if "count_float" in sent else sent.get("zero_count_int", 0),
        "zero_count_float": sent.get("zero_count_float", 0.0) if "count_float" in sent else None,
        "reset_hint": ["unknown", "yes", "no", "gauge"][sent.get("reset_hint", 0)],
        "custom_values": sent.get("custom_values", []),
    }  # fmt: skip
    for side in ("positive", "negative"):
        spans = sent.get(f"{side}_spans", [])
        row[f"{side}_span_offsets"] = [span["offset"] for span in spans]
        row[f"{side}_span_lengths"] = [span["length"] for span in spans]
        row[f"{side}_counts"] = counts(sent.get(f"{side}_deltas", []))
        row[f"{side}_counts_float"] = sent.get(f"{side}_counts", [])
    return row


def found_histogram(row: dict) -> dict:
    found = {name: value for name, value in row.items() if name not in (*PROMOTED, "series_hash", "metric_name")}
    return found | {"labels": labels_of(row), "sum": bits(row["sum"])}


def labels_of(row: dict) -> tuple:
    labels = dict(row["labels"]) | {name: row[name] for name in PROMOTED if row[name] is not None}
    return tuple(sorted((labels | {"__name__": row["metric_name"]}).items()))


def send_everything(cirrus, encoder) -> tuple[list, list[dict]]:
    """Samples, and all that is no sample. The series with samples, and what the histograms' columns must say."""
    series = known_requests("mixed")[0][:4]
    request = encoder.v2_request(series + [(series_labels(n, "latency"), []) for n in range(3)])
    wanted = []
    for number, entry in enumerate(request.timeseries[4:]):
        for step, sent in enumerate(HISTOGRAMS):
            time = START_MS + step * STEP_MS
            start = START_MS - 1000 if number == 1 else None
            entry.histograms.add(timestamp=time, start_timestamp=start or 0, **sent)
            wanted.append(histogram_row(series_labels(number, "latency"), time, sent, start))
    trace = len(request.symbols)
    request.symbols.extend(["trace_id", "abc", "seconds of waiting", "s", "a shorter name, and behind it"])
    request.timeseries[0].exemplars.add(labels_refs=[trace, trace + 1], value=-0.0, timestamp=START_MS)
    request.timeseries[1].exemplars.add(value=2.5, timestamp=START_MS + 1)
    request.timeseries[4].metadata.type = 3
    request.timeseries[4].metadata.help_ref = trace + 2
    request.timeseries[4].metadata.unit_ref = trace + 3
    request.timeseries[0].metadata.type = 1
    request.timeseries[0].metadata.help_ref = trace + 4
    assert Sender(cirrus.port).post(snappy(request.SerializeToString()), V2)[0] == 204
    return series, wanted


def check_others(lake, series: list, wanted: list[dict]):
    paths = files(lake, "histograms")
    for read in (by_pyarrow, by_duckdb, by_polars):
        rows = sorted(map(found_histogram, read(paths)), key=lambda row: (row["labels"], row["timestamp"]))
        assert rows == sorted(wanted, key=lambda row: (row["labels"], row["timestamp"])), read.__name__
    for read in (by_pyarrow, by_duckdb, by_polars):
        found = {
            (labels_of(row), row["timestamp"], bits(row["value"]), tuple(dict(row["exemplar_labels"]).items()))
            for row in read(files(lake, "exemplars"))
        }
        assert found == {
            (series[0][0], START_MS, bits(-0.0), (("trace_id", "abc"),)),
            (series[1][0], START_MS + 1, bits(2.5), ()),
        }
    metadata = by_pyarrow(files(lake, "metadata"))
    assert [(row["metric_family"], row["type"], row["unit"], row["help"]) for row in metadata] == [
        ("latency_0_total", "histogram", "s", "seconds of waiting"),
        ("mixed_0_total", "counter", "", "a shorter name, and behind it"),
    ]
    frame = fastparquet.ParquetFile(paths).to_pandas()
    assert [bits(value) for value in frame["sum"]] == [bits(row["sum"]) for row in by_pyarrow(paths)]


def test_histograms_exemplars_and_metadata_have_files_of_their_own(make_cirrus, encoder):
    cirrus = native(make_cirrus)
    cirrus.start()
    series, wanted = send_everything(cirrus, encoder)
    cirrus.drain()
    assert not list((cirrus.data / "wal").glob("*.kept"))
    check_others(cirrus, series, wanted)
    paths = files(cirrus, "histograms")
    check_files(cirrus)
    verified = [path for kind in KINDS for path in files(cirrus, kind)]
    assert cirrus.command("verify", "--deep", *verified).returncode == 0
    remote = cirrus.command("verify", "--remote", "--config", cirrus.config, "-o", "json")
    assert json.loads(remote.stdout)["destinations"][0]["same"] == len(verified), remote.stdout
    replayed = cirrus.command("replay", *paths, "--to-url", "http://127.0.0.1:9/api/v1/write")
    assert replayed.returncode == 2 and "layout native" in replayed.stderr
    printed = cirrus.command("cat", *paths, "-o", "jsonl")
    assert printed.returncode == 0, printed.stderr
    lines, rows = [json.loads(line) for line in printed.stdout.splitlines()], by_duckdb(paths)
    assert len(lines) == len(rows) > 0
    for line, row in zip(lines, rows):
        assert list(line) == list(row) and line["labels"] == dict(row["labels"])
        for name in ("metric_name", "namespace", "schema", "reset_hint", "positive_span_offsets", "negative_counts"):
            assert line[name] == row[name], name
        assert [float(value) for value in line["custom_values"]] == row["custom_values"]
    refused = cirrus.command("query", *paths)
    assert refused.returncode != 0 and "without a column value" in refused.stderr


@pytest.mark.parametrize("is_mixed", [False, True])
def test_layout_cloudzero_has_the_same_files_beside_its_samples(make_cirrus, encoder, tmp_path, is_mixed):
    """Each row once, nothing kept aside, and the upload API is given samples alone."""
    lake = {"kind": "directory", "path": str(tmp_path / "lake")}
    api = UploadAPI()
    try:
        key = tmp_path / "api-key"
        key.write_text(API_KEY)
        cirrus = make_cirrus(
            destinations=[lake, {"kind": "cloudzero"}][: 1 + is_mixed],
            cloudzero={"api_key_path": str(key), "host": api.host, "use_http": True},
        )
        cirrus.destination = tmp_path / "lake"
        cirrus.start()
        series, wanted = send_everything(cirrus, encoder)
        cirrus.drain()
        objects = api.objects()
    finally:
        api.stop()
    assert not list((cirrus.data / "wal").glob("*.kept"))
    assert not list((cirrus.data / "outbox").iterdir())
    check_others(cirrus, series, wanted)
    samples = sorted(cirrus.destination.glob("dt=*/hr=*/*.parquet"))
    assert {path.name.split("_")[0] for path in samples} == {"metrics"}
    assert sorted(objects) == ([path.name for path in samples] if is_mixed else [])
    assert read_rows(cirrus.destination) == expected_rows([series])
    status = cirrus.status()
    rows = len(expected_rows([series]))
    names = ["cloudzero", "directory"] if is_mixed else ["directory"]
    assert [(one["destination"], one["uploaded"], one["total"]) for one in status["balance"]] == [
        (name, rows, rows) for name in names
    ]
    assert status["unsent"]["files"] == 0 and status["log"]["kept"]["segments"] == 0
    for kind in ("histograms", "exemplars", "metadata"):
        assert cirrus.command("verify", "--deep", *files(cirrus, kind)).returncode == 0
    check_files(cirrus, ["histograms", "exemplars", "metadata"])
    with duckdb.connect() as connection:
        found = [connection.execute(query).fetchall() for query in documented("sql", cirrus.destination)[2:]]
    assert found[0] and found[1]
    # The ledger is lost: a directory's rows come back for every kind, the upload API's for samples.
    assert cirrus.programs[-1].stop() == 0
    (cirrus.data / "ledger.sqlite").unlink()
    cirrus.start()
    wait_until(lambda: cirrus.status()["balance"][0]["uploaded"] == rows, "the rows of the directories", 30)
    assert [one["total"] for one in cirrus.status()["balance"]] == [rows] * len(names)
    with contextlib.closing(sqlite3.connect(cirrus.data / "ledger.sqlite")) as ledger:
        query = "select distinct substr(file, 1, 4), destination from shipment order by 1, 2"
        places = [(kind, "directory") for kind in ("exem", "hist", "meta")] + [("metr", name) for name in names]
        assert ledger.execute(query).fetchall() == places


def test_once_in_one_file_through_kills(make_cirrus, encoder):
    cirrus = native(make_cirrus)
    requests = known_requests("killed")[:12]
    for part in range(3):
        program = cirrus.start()
        sender = Sender(cirrus.port)
        for number, request in enumerate(requests[part * 4 : part * 4 + 4]):
            message = encoder.v2_request([*request, (series_labels(part * 4 + number, "latency"), [])])
            message.timeseries[-1].histograms.add(timestamp=START_MS, **HISTOGRAMS[0])
            assert sender.post(snappy(message.SerializeToString()), V2)[0] == 204
        program.kill()
    cirrus.start()
    cirrus.drain()
    rows = sorted((row_of(row)[:3] for row in by_pyarrow(files(cirrus, "metrics"))), key=str)
    wanted = [
        (labels, timestamp, bits(value))
        for request in requests
        for labels, samples in request
        for timestamp, value in samples
    ]
    assert rows == sorted(wanted, key=str)
    found = sorted(labels_of(row) for row in by_pyarrow(files(cirrus, "histograms")))
    assert found == sorted(series_labels(number, "latency") for number in range(12))


def test_promoted_labels_are_configured(make_cirrus, encoder):
    cirrus = native(make_cirrus, parquet={"promoted_labels": ["note", "absent"]})
    cirrus.start()
    request = known_requests("chosen")[0][:3]
    assert Sender(cirrus.port).post(snappy(encoder.v1(request)), V1)[0] == 204
    cirrus.drain()
    rows = by_pyarrow(files(cirrus, "metrics"))
    assert {row["note"] for row in rows} == {dict(labels)["note"] for labels, _ in request}
    assert {row["absent"] for row in rows} == {None}
    assert {"namespace", "pod"} <= set(rows[0]["labels"]) and "note" not in rows[0]["labels"]


def documented(language: str, lake) -> list[str]:
    """The examples of docs/querying.md for this layout."""
    page = (ROOT / "docs/querying.md").read_text().split("## Layout `native`")[1].split("\n## ")[0]
    return [text.replace("<lake>", str(lake)) for text in re.findall(rf"^```{language}\n(.*?)^```", page, re.S | re.M)]


def test_documented_queries(make_cirrus, encoder):
    cirrus = native(make_cirrus)
    cirrus.start()
    stale = struct.unpack("<d", struct.pack("<Q", STALE))[0]
    names = ("container_memory_working_set_bytes", "container_cpu_usage_seconds_total", "up")
    series = [
        ((("__name__", name), ("job", "j"), ("namespace", "shop"), ("pod", "p")),
         [(START_MS, 3.0), (START_MS + 1, 5.0), (START_MS + 2, stale)])
        for name in names
    ]  # fmt: skip
    message = encoder.v2_request([*series, ((("__name__", "waited"), ("namespace", "shop")), [])])
    message.timeseries[3].histograms.add(timestamp=START_MS, **HISTOGRAMS[0])
    message.symbols.append("how long")
    message.timeseries[3].metadata.type = 3
    message.timeseries[3].metadata.help_ref = len(message.symbols) - 1
    assert Sender(cirrus.port).post(snappy(message.SerializeToString()), V2)[0] == 204
    cirrus.drain()
    with duckdb.connect() as connection:
        found = [connection.execute(query).fetchall() for query in documented("sql", cirrus.destination)]
    assert found == [
        [("shop", "p", 4.0)], [("j", 2.0)], [("waited", "shop", 12, 0.625)], [("waited", "histogram", "how long")],
    ]  # fmt: skip
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(documented("python", cirrus.destination)[0], {})
    assert re.search(r"^j +4.0$", printed.getvalue(), re.M)


@pytest.mark.parametrize(
    "label", sorted({name for schema in schemas([]).values() for name, *_ in schema} - {"key", "value", "list"}
                    - {"element", "key_value", "metric_family", "type", "unit", "help", *PROMOTED})
)  # fmt: skip
def test_no_label_takes_the_place_of_a_column(make_cirrus, label):
    cirrus = native(make_cirrus, parquet={"promoted_labels": [label]})
    refused = cirrus.command("config", "check", "--config", cirrus.config)
    assert refused.returncode == 2 and "parquet.promoted_labels" in refused.stderr + refused.stdout


def test_what_would_be_too_large_in_a_file_is_refused(make_cirrus, encoder):
    cirrus = native(make_cirrus)
    cirrus.start()

    def answer(buckets: int, label: int) -> tuple:
        """Of a histogram of empty buckets, and an exemplar with a label of so many bytes."""
        request = encoder.v2_request([(series_labels(0, "large"), []), (series_labels(1, "small"), [(START_MS, 1.0)])])
        span = {"offset": 0, "length": buckets}
        request.timeseries[0].histograms.add(
            timestamp=START_MS, count_int=0, schema=3, positive_spans=[span], positive_deltas=[0] * buckets
        )
        name = len(request.symbols)
        request.symbols.extend(["trace", "t" * label])
        request.timeseries[1].exemplars.add(labels_refs=[name, name + 1], value=1, timestamp=START_MS)
        return Sender(cirrus.port).post(snappy(request.SerializeToString()), V2)[:2]

    status, reason = answer(65_536, 5000)
    assert status == 400 and "more than 65,536" in reason and "an exemplar may have 4096" in reason
    assert answer(65_535, 4000)[0] == 204
    cirrus.drain()
    [row] = by_pyarrow(files(cirrus, "histograms"))
    assert row["positive_counts"] == [0] * 65_535
    [row] = by_pyarrow(files(cirrus, "exemplars"))
    assert row["exemplar_labels"] == {"trace": "t" * 4000}
    check_files(cirrus)
