"""What the columns of layout `native` must hold of a log's samples, and what readers that are not ours find there."""

import hashlib
import struct

STALE = 0x7FF0000000000002
# Labels with a column of their own, in the tests that leave evidence.
PROMOTED = ("node", "pod")
# fastparquet reads the flat columns and maps only as Python objects: Tests/EndToEnd/test_native.py looks at these.
READERS = ["pyarrow", "duckdb", "polars", "datafusion"]
# Years 0001 to 9999.
TIMES = range(-62_135_596_800_000, 253_402_300_800_000)


def plain(values: list[str]) -> bytes:
    encoded = [value.encode() for value in values]
    return b"".join(struct.pack("<I", len(value)) + value for value in encoded)


def words(values: list[int]) -> bytes:
    return struct.pack(f"<{len(values)}q", *values)


def digest(presence: bytes, *values: bytes) -> str:
    found = hashlib.sha256(presence)
    for value in values:
        found.update(value)
    return found.hexdigest()


def optional(values: list, encode) -> str:
    return digest(
        bytes(value is not None for value in values), encode([value for value in values if value is not None])
    )


def series_hash(labels: list[tuple[str, str]]) -> int:
    import xxhash

    data = b"".join(name.encode() + b"\xff" + value.encode() + b"\xff" for name, value in labels)
    return struct.unpack("<q", struct.pack("<Q", xxhash.xxh64_intdigest(data)))[0]


def hashes_of(rows: list[tuple]) -> dict[str, str]:
    """SHA-256 of each column: which rows have a value, then the values as PLAIN has them; of the map lengths first."""
    series = {}
    for row in rows:
        if row[6] not in series:
            labels = sorted(row[6], key=lambda label: label[0].encode())
            rest = [label for label in labels if label[0] not in ("__name__", *PROMOTED)]
            series[row[6]] = (series_hash(labels), dict(labels), rest)
    of_rows = [series[row[6]] for row in rows]
    starts = [row[8] if row[8] is not None and row[8] in TIMES else None for row in rows]
    entries = [entry for _, _, rest in of_rows for entry in rest]
    present = b"\1" * len(rows)
    return {
        "metric_name": digest(present, plain([row[0] for row in rows])),
        "timestamp": digest(present, words([row[3] for row in rows])),
        "value": digest(present, struct.pack(f"<{len(rows)}Q", *(row[7] for row in rows))),
        "is_stale": digest(present, bytes(row[7] == STALE for row in rows)),
        "start_timestamp": optional(starts, words),
        "series_hash": digest(present, words([one[0] for one in of_rows])),
        **{name: optional([labels.get(name) for _, labels, _ in of_rows], plain) for name in PROMOTED},
        "labels": digest(
            present, words([len(rest) for _, _, rest in of_rows]), plain([name for name, _ in entries]),
            plain([value for _, value in entries]),
        ),
    }  # fmt: skip


def table(reader: str, path: str):
    import pyarrow as pa

    if reader == "pyarrow":
        import pyarrow.parquet

        with pyarrow.parquet.ParquetFile(path, page_checksum_verification=True) as opened:
            return opened.read()
    if reader == "duckdb":
        import duckdb

        with duckdb.connect() as connection:
            connection.execute("set threads=1; set preserve_insertion_order=true; set timezone='UTC'")
            found = connection.sql(f"select * from read_parquet('{path}', hive_partitioning = false)")
            return found.to_arrow_table()
    if reader == "polars":
        import polars

        return polars.read_parquet(path).to_arrow()
    import datafusion

    session = datafusion.SessionContext(datafusion.SessionConfig().with_target_partitions(1))
    session.register_parquet("t", path)
    return pa.Table.from_batches([batch.to_pyarrow() for batch in session.sql("select * from t").execute_stream()])


def bytes_of(array) -> bytes:
    """Of the values that are there."""
    import pyarrow as pa

    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_string_view(array.type):
        array = array.cast(pa.large_string())
    array = array.drop_null()
    if pa.types.is_timestamp(array.type):
        array = array.cast(pa.timestamp("ms", array.type.tz)).cast(pa.int64())
    if pa.types.is_boolean(array.type):
        return array.to_numpy(zero_copy_only=False).astype("u1").tobytes()
    if pa.types.is_integer(array.type) or pa.types.is_floating(array.type):
        return array.to_numpy(zero_copy_only=False).astype("<f8" if array.type == pa.float64() else "<i8").tobytes()
    return plain(array.to_pylist())


def column_digest(column) -> str:
    import numpy
    import pyarrow as pa

    array = pa.concat_arrays(column.chunks) if column.num_chunks != 1 else column.chunk(0)
    presence = array.is_valid().to_numpy(zero_copy_only=False).astype("u1").tobytes()
    if not pa.types.is_nested(array.type):
        return digest(presence, bytes_of(array))
    offsets = array.offsets.to_numpy()
    # A map, or a list of pairs.
    pairs = (array.keys, array.items) if pa.types.is_map(array.type) else array.values.flatten()
    values = [bytes_of(part[int(offsets[0]) : int(offsets[-1])]) for part in pairs]
    return digest(presence, numpy.diff(offsets).astype("<i8").tobytes(), *values)


def reading(reader: str, path: str) -> dict:
    try:
        found = table(reader, path)
        return {"rows": found.num_rows, "hash": {name: column_digest(found[name]) for name in found.column_names}}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {str(error)[:240]}"}
