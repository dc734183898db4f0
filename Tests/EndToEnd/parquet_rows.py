"""What readers that are not ours find in Parquet files of the `cloudzero` layout."""

import hashlib
import json
from pathlib import Path

import duckdb
import pyarrow.compute
import pyarrow.parquet

COLUMNS = [
    "cluster_name", "cloud_account_id", "year", "month", "day", "hour",
    "metric_name", "node_name", "created_at", "timestamp", "labels", "value",
]  # fmt: skip

# A row for comparison: the labels as sorted pairs, the timestamp in milliseconds, the value's text.
Row = tuple[tuple[tuple[str, str], ...], int, str]


def files_below(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.parquet"))


def sample_files(folder: Path) -> list[Path]:
    """Histograms, exemplars and metadata are in files of other kinds."""
    return [file for file in files_below(folder) if file.name.startswith(("metrics_", "observability_"))]


def _rows(triples) -> list[Row]:
    parsed: dict[str, tuple] = {}
    rows = []
    for labels, timestamp, value in triples:
        key = parsed.get(labels)
        if key is None:
            key = parsed[labels] = tuple(sorted(json.loads(labels).items()))
        rows.append((key, timestamp, value))
    return sorted(rows)


def read_by_duckdb(files: list[Path]) -> list[Row]:
    query = "select labels, epoch_ms(timestamp), value from read_parquet(?, hive_partitioning = false)"
    with duckdb.connect() as connection:
        return _rows(connection.execute(query, [[str(f) for f in files]]).fetchall())


def read_by_pyarrow(files: list[Path]) -> list[Row]:
    rows = []
    for file in files:
        with pyarrow.parquet.ParquetFile(file, page_checksum_verification=True) as opened:
            table = opened.read()
        assert table.column_names == COLUMNS
        columns = [table["labels"], table["timestamp"].cast("int64"), table["value"]]
        rows += zip(*(column.to_pylist() for column in columns))
    return _rows(rows)


def read_rows(folder: Path) -> list[Row]:
    """Every row below `folder`; DuckDB and pyarrow must agree on them, and each file on its name."""
    files = sample_files(folder)
    assert files, f"no Parquet file below {folder}"
    check_names(files)
    rows = read_by_duckdb(files)
    assert rows == read_by_pyarrow(files)
    return rows


def check_names(files: list[Path]):
    """`<kind>_<minSampleMs>_<maxSampleMs>_<first 32 hex of SHA-256>.parquet`, each name once."""
    assert len({file.name for file in files}) == len(files)
    for file in files:
        kind, first, last, digest = file.stem.split("_")
        assert kind == "metrics"
        assert hashlib.sha256(file.read_bytes()).hexdigest()[:32] == digest, file
        table = pyarrow.parquet.read_table(file, columns=["timestamp"], partitioning=None)
        times = pyarrow.compute.min_max(table["timestamp"].cast("int64")).as_py()
        assert times == {"min": int(first), "max": int(last)}, file
