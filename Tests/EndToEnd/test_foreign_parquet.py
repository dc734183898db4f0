"""Parquet files of other writers, as these make them by default and otherwise: read as DuckDB reads them, and never
called damaged."""

import csv
import io
import json
import subprocess

import datafusion
import duckdb
import fastparquet
import polars
import pyarrow
import pyarrow.parquet
import pytest

from processes import czctl_path
from receiver import NOW

ROWS = 3000


def samples() -> pyarrow.Table:
    """The agent's twelve columns, and what a native layout has: null in some rows of each."""
    rows = range(ROWS)

    def texts(value) -> list[str]:
        return [value(row) for row in rows]

    names = texts(lambda row: ("cpu", "up")[row % 2])
    made = {name: texts(lambda row: name) for name in ("cluster_name", "cloud_account_id")}
    made |= {"year": texts(lambda row: "2026"), "month": texts(lambda row: "07")}
    made |= {"day": texts(lambda row: "01"), "hour": texts(lambda row: "10")}
    made |= {"metric_name": names, "node_name": [None if row % 9 == 0 else f"n{row % 7}" for row in rows]}
    times = pyarrow.timestamp("ms", "UTC")
    made["created_at"] = pyarrow.array([NOW] * ROWS, times)
    # Random enough that writers give up their dictionaries.
    made["timestamp"] = pyarrow.array([None if row % 500 == 7 else NOW + row * 997 for row in rows], times)
    made["labels"] = texts(lambda row: json.dumps({"__name__": names[row], "pod": ("a", 'q"\u00fc', "😀")[row % 3]}))
    made["value"] = [None if row % 11 == 5 else f"{row * 0.25}" for row in rows]
    pairs, numbers = pyarrow.map_(pyarrow.string(), pyarrow.string()), pyarrow.list_(pyarrow.int64())
    made["map"] = pyarrow.array([[("a", f"{row}"), ("b", None)] if row % 4 else [] for row in rows], pairs)
    made["list"] = pyarrow.array([[row, None, -row] if row % 3 else [] for row in rows], numbers)
    made["int"] = pyarrow.array([None if row % 5 == 0 else row - 1500 for row in rows], pyarrow.int32())
    made["float"] = pyarrow.array([row * 0.1 for row in rows], pyarrow.float32())
    made["double"] = [None if row % 6 == 0 else row * 0.1 for row in rows]
    made["bool"] = [None if row % 8 == 0 else row % 3 == 0 for row in rows]
    return pyarrow.table(made)


def by_pyarrow(**options):
    return lambda table, path: pyarrow.parquet.write_table(table, path, **options)


def by_duckdb(options: str):
    def write(table, path):
        with duckdb.connect() as connection:
            connection.register("samples", table)
            connection.execute(f"copy samples to '{path}' (format parquet {options})")

    return write


def by_datafusion(table, path):
    datafusion.SessionContext().from_arrow(table).write_parquet(str(path.with_suffix("")))
    next(path.with_suffix("").rglob("*.parquet")).rename(path)


DELTA = {"timestamp": "DELTA_BINARY_PACKED", "int": "DELTA_BINARY_PACKED", "labels": "DELTA_LENGTH_BYTE_ARRAY"}
PREFIXES = {"labels": "DELTA_BYTE_ARRAY", "node_name": "DELTA_BYTE_ARRAY", "value": "DELTA_BYTE_ARRAY"}
WRITERS = {
    "pyarrow": by_pyarrow(),
    "pyarrow-1.0": by_pyarrow(version="1.0", row_group_size=1000),
    "pyarrow-v2-pages": by_pyarrow(data_page_version="2.0", data_page_size=4096),
    "pyarrow-fallback": by_pyarrow(dictionary_pagesize_limit=512, data_page_size=1024),
    "pyarrow-delta": by_pyarrow(use_dictionary=["metric_name"], column_encoding=DELTA),
    "pyarrow-prefixes": by_pyarrow(use_dictionary=False, column_encoding=PREFIXES, data_page_size=2048),
    "pyarrow-gzip": by_pyarrow(compression="gzip", data_page_version="2.0"),
    "duckdb": by_duckdb(""),
    "duckdb-v2": by_duckdb(", parquet_version v2"),
    "duckdb-zstd": by_duckdb(", codec zstd, row_group_size 2048"),
    "polars": lambda table, path: polars.from_arrow(table.drop(["map"])).write_parquet(path),
    "fastparquet": lambda table, path: fastparquet.write(str(path), table.drop(["map", "list"]).to_pandas()),
    "datafusion": by_datafusion,
}  # fmt: skip


def czctl(*arguments) -> subprocess.CompletedProcess:
    words = [str(czctl_path()), *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


def by_duck(query: str, path) -> list[tuple]:
    with duckdb.connect() as connection:
        return connection.execute(query.replace("FILE", f"'{path}'")).fetchall()


@pytest.fixture(scope="module", params=WRITERS)
def file(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("foreign") / f"{request.param}.parquet"
    WRITERS[request.param](samples(), path)
    return path


def test_query(file):
    answer = czctl("query", file, "--by", "metric_name", "--by", "pod", "-o", "json")
    assert answer.returncode == 0, answer.stderr
    found = [(*row["key"], row["count"], row["sum"]) for row in json.loads(answer.stdout)["rows"]]
    query = "select metric_name, labels::json ->> 'pod' as pod, count(*), sum(value::double) from FILE group by all"
    assert sorted(found) == sorted(by_duck(query, file)) and len(found) == 6
    span = ["--since", NOW + 100_000, "--until", NOW + 200_000, "--metric", "up", "--where", "pod!=a"]
    answer = czctl("query", file, *span, "-o", "json")
    query = f"""select count(*) from FILE where epoch_ms(timestamp) between {NOW + 100_000} and {NOW + 200_000}
                and metric_name = 'up' and labels::json ->> 'pod' <> 'a'"""
    assert [(row["count"],) for row in json.loads(answer.stdout)["rows"]] == by_duck(query, file)


def test_cat(file):
    """Every value of every column; DuckDB's times are text, and its null lists are ours that are empty."""
    printed = czctl("cat", file, "-o", "jsonl")
    assert printed.returncode == 0, printed.stderr
    lines = [json.loads(line) for line in printed.stdout.splitlines()]
    with duckdb.connect() as connection:
        names = [row[0] for row in connection.execute(f"describe from '{file}'").fetchall()]
        times = "replace (epoch_ms(timestamp) as timestamp, epoch_ms(created_at) as created_at)"
        if "map" in names:
            times = times[:-1] + ", to_json(map) as map)"
        wanted = connection.execute(f"select * {times} from '{file}'").fetchall()
    assert len(lines) == ROWS and list(lines[0]) == names
    for line, row in zip(lines, wanted):
        expected = dict(zip(names, row))
        if "map" in expected:
            expected["map"] = json.loads(expected["map"])
        if "list" in expected:
            expected["list"] = expected["list"] or []
        single = expected.pop("float")
        assert line.pop("float") == pytest.approx(single, rel=1e-6)
        assert line == expected
    wanted = ["--metric", "up", "--where", 'pod=q"ü', "--since", NOW, "--until", NOW + 99_999]
    chosen = czctl("cat", file, "-o", "csv", *wanted)
    rows = list(csv.DictReader(io.StringIO(chosen.stdout)))
    query = f"""select value from FILE where metric_name = 'up' and labels::json ->> 'pod' = 'q"ü'
                and epoch_ms(timestamp) between {NOW} and {NOW + 99_999}"""
    assert [row["value"] for row in rows] == [value or "" for (value,) in by_duck(query, file)]
    assert 10 < len(rows) < ROWS / 10


def test_inspect_and_verify(file):
    shown = czctl("inspect", "parquet", "--head", "3", "--count", file, "-o", "json")
    assert shown.returncode == 0, shown.stderr
    report = json.loads(shown.stdout)
    assert report["verdict"] == "foreign" and report["rows"] == ROWS and "unreadable" not in report
    assert '{"__name__": "cpu", "pod": "a"}' in report["head"][0]
    footer = czctl("verify", file)
    assert footer.returncode == 0 and "3,000 rows" in footer.stdout, footer.stdout
    deep = czctl("verify", "--deep", file, "-o", "json")
    assert deep.returncode == 8 and "damaged" not in deep.stderr
    report = json.loads(deep.stdout)
    assert report["problems"] == [] and "of another writer is not supported" in report["unchecked"][0]["cause"]


def test_what_cannot_be_read_is_named(tmp_path):
    """Types and encodings that are not ours leave out their columns, and nothing else."""
    path = tmp_path / "some.parquet"
    columns = {
        "metric_name": ["up"] * 3,
        "day": pyarrow.array([1, 2, 3], pyarrow.date32()),
        "nested": [[[1]], [[2]], [[3]]],
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    shown = czctl("cat", path, "-o", "json")
    assert shown.returncode == 8 and shown.stdout == '{"metric_name":"up"}\n' * 3
    assert "the column day is left out" in shown.stderr and "a column of INT32" in shown.stderr
    head = czctl("inspect", "parquet", "--head", "1", path)
    assert head.returncode == 0 and "the column day is not shown" in head.stderr
    assert head.stdout.splitlines()[-1].split() == ["up", "?", "?"]
    asked = czctl("query", path)
    assert asked.returncode == 1 and "a file without a column timestamp" in asked.stderr
    assert czctl("inspect", "parquet", "--count", path).stdout == "3\n"
    path = tmp_path / "lz4.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"metric_name": ["up"] * 3}), path, compression="lz4")
    assert "LZ4_RAW is not supported" in czctl("cat", path).stderr


def test_without_a_name(tmp_path):
    """created_by is optional."""
    path = tmp_path / "nameless.parquet"
    fastparquet.write(str(path), samples().drop(["map", "list"]).to_pandas())
    data = path.read_bytes()
    # The field's header and text: the next field's header counts from the one before.
    name = fastparquet.ParquetFile(str(path)).fmd.created_by
    name = name if isinstance(name, bytes) else name.encode()
    at = data.index(bytes([0x18, len(name)]) + name, len(data) - 30_000)
    cut = 2 + len(name)
    assert data[at + cut] == 0, "created_by comes last"
    length = int.from_bytes(data[-8:-4], "little") - cut
    path.write_bytes(data[:at] + data[at + cut : -8] + length.to_bytes(4, "little") + b"PAR1")
    assert czctl("verify", path).returncode == 0
    assert json.loads(czctl("query", path, "-o", "json").stdout)["rows"][0]["count"] == ROWS
