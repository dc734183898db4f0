#!/usr/bin/env python3
"""What readers that are not ours find in Parquet files: rows, a content hash a leaf, counts of filtered rows.

    PYTHON engines.py --list            the readers that this Python has
    PYTHON engines.py --reader NAME     a line of JSON in for each file, a line out: `ask` below writes and reads

Each reader has a process of its own, since some crash where others raise; it is started again behind the file it died
of. A leaf's hash is that of `check_file.LeafHash`: repetition levels, definition levels and values as PLAIN has them,
which are computed here from the Arrow arrays that a reader returns, and in check_file.py from the file's own bytes.
"""

import json
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa

from check_file import BA, Bad, LeafHash

VALUE_TYPES = {"BOOLEAN": "u1", "INT32": "<i4", "INT64": "<i8", "FLOAT": "<f4", "DOUBLE": "<f8"}


# --------------------------------------------------------------------------------------- Arrow arrays to levels, values
def children(array):
    """Where the elements of each row of a list or map begin, and the elements."""
    offsets = array.offsets.to_numpy().astype(np.int64)
    return offsets, array if hasattr(array, "keys") else array.values


def child(array, how: str):
    if how in ("key", "value"):  # of a map, or of a list of pairs, as some readers have it
        if hasattr(array, "keys"):
            return array.keys if how == "key" else array.items
        return array.field(0 if how == "key" else 1)
    return array if how == "self" else array.field(how.removeprefix("field:"))


def shredded(array, steps: list):
    """Repetition and definition levels of a column's leaf, and its values: Dremel's shredding, a step at a time."""
    at = np.arange(len(array))  # each slot's place in `array`; -1 where nothing is left to descend into
    definition, repetition, depth = np.zeros(len(at), np.uint8), np.zeros(len(at), np.uint8), 0
    for kind, how in steps:
        if how == "items":
            depth += 1
            offsets, array = children(array)
            live = at >= 0
            starts = np.where(live, offsets[np.maximum(at, 0)], 0)
            counts = np.where(live, offsets[np.maximum(at, 0) + 1] - starts, 0)
            slots = np.maximum(counts, 1)
            origin = np.repeat(np.arange(len(at)), slots)
            within = np.arange(len(origin)) - (np.cumsum(slots) - slots)[origin]
            repetition = np.where(within == 0, repetition[origin], depth).astype(np.uint8)
            filled = counts[origin] > 0
            definition = definition[origin] + filled.astype(np.uint8)
            at = np.where(filled, starts[origin] + within, -1)
            continue
        array = child(array, how)
        there = at >= 0
        if array.null_count:
            there &= array.is_valid().to_numpy(zero_copy_only=False)[np.maximum(at, 0)]
        if kind == 0 and (at[~there] >= 0).any():
            raise Bad("null where the schema says REQUIRED")
        if kind == 1:
            definition = definition + there.astype(np.uint8)
        at = np.where(there, at, -1)
    chosen = at[at >= 0]
    if len(chosen) == len(array) and (chosen == np.arange(len(array))).all():
        return repetition, definition, array
    return repetition, definition, as_offsets(array).take(pa.array(chosen, pa.int64()))


def as_offsets(array):
    """Texts by 64-bit offsets: Arrow cannot choose among views."""
    if pa.types.is_string(array.type) or pa.types.is_string_view(array.type):
        return array.cast(pa.large_string())
    if pa.types.is_binary(array.type) or pa.types.is_binary_view(array.type):
        return array.cast(pa.large_binary())
    return array


def plain(array, leaf: dict):
    """The bytes of PLAIN, in pieces."""
    if leaf["type"] == "BYTE_ARRAY":
        array = as_offsets(array)
        if not (pa.types.is_large_binary(array.type) or pa.types.is_large_string(array.type)):
            raise Bad(f"{leaf['name']}: read as {array.type}")
        _, offsets, data = array.buffers()
        offsets = np.frombuffer(offsets, np.int64, len(array) + 1, array.offset * 8) if len(array) else np.zeros(1, int)
        data = np.frombuffer(data, np.uint8) if data else np.zeros(0, np.uint8)
        for start in range(0, len(array), 20000):
            yield BA(offsets[start : start + 20001], data).plain().tobytes()
        return
    if (leaf["logical"] or "").startswith("TIMESTAMP"):
        if not pa.types.is_timestamp(array.type):
            raise Bad(f"{leaf['name']}: read as {array.type}")
        array = array.cast(pa.timestamp("ms", array.type.tz)).cast(pa.int64())
    numbers = array.to_numpy(zero_copy_only=False)
    if leaf["type"] == "BOOLEAN" and numbers.dtype != bool and len(numbers):
        raise Bad(f"{leaf['name']}: read as {array.type}")
    yield np.ascontiguousarray(numbers).astype(VALUE_TYPES[leaf["type"]]).tobytes()


def hashed(batches, leaves: list[dict]) -> tuple[int, dict[str, str]]:
    hashes = {leaf["name"]: LeafHash(leaf["definition"], leaf["repetition"]) for leaf in leaves}
    rows = 0
    for batch in batches:
        table = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
        rows += table.num_rows
        for leaf in leaves:
            for chunk in table[leaf["column"]].chunks:
                if pa.types.is_dictionary(chunk.type):
                    chunk = chunk.dictionary_decode()
                try:
                    repetition, definition, values = shredded(chunk, leaf["steps"])
                except Bad as error:
                    raise Bad(f"{leaf['name']}: {error}") from None
                hashes[leaf["name"]].levels(repetition, definition)
                for piece in plain(values, leaf):
                    hashes[leaf["name"]].values(piece)
    return rows, {name: one.hexdigest() for name, one in hashes.items()}


# ------------------------------------------------------------------------------------------------------------- readers
def is_time(leaf: dict) -> bool:
    return (leaf["logical"] or "").startswith("TIMESTAMP")


def read_pyarrow(path, leaves):
    import pyarrow.parquet as pq

    return pq.ParquetFile(path, page_checksum_verification=True).iter_batches(batch_size=65536, use_threads=False)


def read_duckdb(path, leaves):
    import duckdb

    connection = duckdb.connect()
    connection.execute("set threads=1; set preserve_insertion_order=true; set timezone='UTC'")
    query = f"select * from read_parquet('{path}', hive_partitioning = false)"
    found = connection.sql(query)
    if hasattr(found, "to_arrow_reader"):
        return found.to_arrow_reader(65536)
    return connection.execute(query).fetch_record_batch(65536)


def read_polars(path, leaves):
    import polars

    return [polars.read_parquet(path, hive_partitioning=False).to_arrow()]


def read_fastparquet(path, leaves):
    """Through pandas: an absent text, number or time is what pandas has for it, a map without entries is None."""
    import fastparquet
    import pandas
    types = {"BYTE_ARRAY": pa.large_string(), "INT64": pa.int64(), "INT32": pa.int32(), "DOUBLE": pa.float64(),
             "FLOAT": pa.float32(), "BOOLEAN": pa.bool_()}  # fmt: skip

    def column(values, of: list[dict]):
        [first, *_] = of
        if first["steps"][-1][1] in ("key", "value"):
            kind = pa.map_(*(types[leaf["type"]] for leaf in of))
            return pa.array([list((row or {}).items()) for row in values], kind)
        if first["repetition"]:
            return pa.array([[] if row is None else row for row in values], pa.list_(types[first["type"]]))
        absent = pandas.isna(values).to_numpy() if first["definition"] else None
        if is_time(first):
            return pa.array(values.to_numpy().astype("datetime64[ms]"), pa.timestamp("ms"))
        if first["type"] in ("DOUBLE", "FLOAT"):  # not through objects: NaN has bits to keep
            return pa.array(values.to_numpy(), types[first["type"]], mask=absent)
        whole = values.tolist() if absent is None else [None if a else v for v, a in zip(values.tolist(), absent)]
        return pa.array(whole, types[first["type"]])

    columns: dict[str, list[dict]] = {}
    for leaf in leaves:
        columns.setdefault(leaf["column"], []).append(leaf)
    for frame in fastparquet.ParquetFile(path).iter_row_groups():
        yield pa.table({name: column(frame[name], of) for name, of in columns.items()})


def datafusion_session(path, **settings):
    import datafusion

    configuration = datafusion.SessionConfig().with_target_partitions(1)
    for name, value in settings.items():
        configuration = configuration.set(f"datafusion.execution.parquet.{name}", value)
    session = datafusion.SessionContext(configuration)
    session.register_parquet("t", path)
    return session


def read_datafusion(path, leaves):
    batches = datafusion_session(path).sql("select * from t").execute_stream()
    return (batch.to_pyarrow() for batch in batches)


def read_chdb(path, leaves):
    import chdb
    columns = {leaf["column"]: leaf for leaf in leaves}
    chosen = ",".join(
        f"toUnixTimestamp64Milli(`{name}`) as `{name}`" if is_time(leaf) else f"`{name}`"
        for name, leaf in columns.items()
    )
    stream = chdb.query(
        f"select {chosen} from file('{os.path.abspath(path)}', Parquet) settings max_threads=1, "
        "input_format_parquet_preserve_order=1, output_format_arrow_string_as_string=0, "
        "output_format_arrow_low_cardinality_as_dictionary=0",
        "ArrowStream",
    ).bytes()
    for batch in pa.ipc.open_stream(stream) if stream else []:
        table = pa.Table.from_batches([batch])
        for index, (name, leaf) in enumerate(columns.items()):
            if is_time(leaf):
                table = table.set_column(index, name, table[name].cast(pa.timestamp("ms")))
        yield table


def read_daft(path, leaves):
    import daft

    return [daft.read_parquet(path).to_arrow()]


def read_pyspark(path, leaves):
    from pyspark.sql import SparkSession
    from pyspark.sql import functions

    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    os.environ["TZ"] = "UTC"
    builder = SparkSession.builder.master("local[1]")
    for name, value in {
        "spark.ui.enabled": "false", "spark.sql.session.timeZone": "UTC", "spark.driver.memory": "9g",
        "spark.driver.maxResultSize": "0", "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.files.maxPartitionBytes": "10g", "spark.sql.execution.arrow.pyspark.enabled": "true",
    }.items():  # fmt: skip
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    columns = {leaf["column"]: leaf for leaf in leaves}
    found = session.read.parquet("file://" + os.path.abspath(path)).select(
        [functions.expr(f"unix_millis(`{name}`)").alias(name) if is_time(leaf) else functions.col(name)
         for name, leaf in columns.items()]
    )  # fmt: skip
    if not found.count():
        return []
    table = pa.Table.from_batches(found._collect_as_arrow())
    for index, (name, leaf) in enumerate(columns.items()):
        if is_time(leaf):
            table = table.set_column(index, name, table[name].cast(pa.int64()).cast(pa.timestamp("ms")))
    return [table]


READERS = {
    "pyarrow": read_pyarrow,
    "duckdb": read_duckdb,
    "polars": read_polars,
    "fastparquet": read_fastparquet,
    "datafusion": read_datafusion,
    "chdb": read_chdb,
    "daft": read_daft,
    "pyspark": read_pyspark,
}


# ------------------------------------------------------------------- rows where a column is a text, found with pruning
def count_pyarrow(path, column, value):
    import pyarrow.dataset as ds

    return ds.dataset(path, partitioning=None).count_rows(filter=ds.field(column) == value)


def count_duckdb(path, column, value):
    import duckdb

    query = f"select count(*) from read_parquet('{path}', hive_partitioning = false) where \"{column}\" = ?"
    return duckdb.execute(query, [value]).fetchone()[0]


def count_polars(path, column, value):
    import polars

    lazy = polars.scan_parquet(path, hive_partitioning=False)
    return lazy.filter(polars.col(column) == value).select(polars.len()).collect().item()


def count_datafusion(path, column, value):
    session = datafusion_session(path, pushdown_filters="true")
    literal = value.replace("'", "''")
    return session.sql(f"select count(*) c from t where \"{column}\" = '{literal}'").to_pydict()["c"][0]


def count_chdb(path, column, value):
    import chdb

    # A parameter, since a query is 256 KiB at most; its text is read as a field of TSV is.
    escaped = value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
    query = f"select count() from file('{os.path.abspath(path)}', Parquet) where `{column}` = {{text:String}}"
    return int(chdb.query(query, "CSV", params={"text": escaped}).bytes())


def count_daft(path, column, value):
    import daft

    return daft.read_parquet(path).where(daft.col(column) == daft.lit(value)).count_rows()


COUNTS = {
    "pyarrow": count_pyarrow,
    "duckdb": count_duckdb,
    "polars": count_polars,
    "datafusion": count_datafusion,
    "chdb": count_chdb,
    "daft": count_daft,
}


# ------------------------------------------------------------------------------------------------ one process a reader
def said(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:240] if lines else ''}"


def answer(reader: str, version: str, request: dict) -> dict:
    found = {"reader": reader, "version": version}
    try:
        batches = READERS[reader](request["path"], request["leaves"])
        found["rows"], found["hash"] = hashed(batches, request["leaves"])
    except BaseException as error:
        return found | {"error": said(error)}
    found["counts"] = []
    for column, value in request["conditions"] if reader in COUNTS else []:
        try:
            found["counts"].append(COUNTS[reader](request["path"], column, value))
        except BaseException as error:
            found["counts"].append(said(error))
    return found


def serve(reader: str):
    import importlib.metadata

    answers, sys.stdout = sys.stdout, sys.stderr  # progress that a reader prints is no answer
    try:
        version = importlib.metadata.version({"chdb": "chdb-core"}.get(reader, reader))
    except importlib.metadata.PackageNotFoundError:
        version = "?"
    for line in sys.stdin:
        print(json.dumps(answer(reader, version, json.loads(line))), file=answers, flush=True)


def here(python: str = sys.executable) -> list[str]:
    """The readers of an environment."""
    done = subprocess.run([python, __file__, "--list"], capture_output=True, text=True)
    if done.returncode:
        raise Bad(f"{python}: {done.stderr.strip()[-200:]}")
    return json.loads(done.stdout)


def ask(python: str, reader: str, requests: list[dict]) -> list[dict]:
    """An answer to each request, in order."""
    found: list[dict] = []
    while len(found) < len(requests):
        rest = "".join(json.dumps(request) + "\n" for request in requests[len(found) :])
        done = subprocess.run([python, __file__, "--reader", reader], input=rest, capture_output=True, text=True)
        found += [json.loads(line) for line in done.stdout.splitlines()]
        if len(found) < len(requests):
            error = f"the process ended with {done.returncode}: {done.stderr.strip()[-200:]}"
            found.append({"reader": reader, "version": "?", "error": error})
    return found


def main():
    import importlib.util

    if sys.argv[1:] == ["--list"]:
        print(json.dumps([name for name in READERS if importlib.util.find_spec(name)]))
    else:
        serve(sys.argv[2])


if __name__ == "__main__":
    main()
