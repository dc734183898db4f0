"""pyarrow's cost of the table that `parquet-bench write` writes: row groups of 131,072 rows, each with dictionaries of
its own, which are ready in memory.

    parquet_peer.py PREFIX OUT        one JSON line: rows, bytes, cpu_s
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Tests/Independent"))
import cluster

ROW_GROUP = 131072


def with_own_dictionaries(group: pa.Table) -> pa.Table:
    for index, field in enumerate(group.schema):
        if pa.types.is_dictionary(field.type):
            column = group.column(index).combine_chunks()
            column = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
            used, indexes = np.unique(column.indices.to_numpy(), return_inverse=True)
            entries = column.dictionary.take(pa.array(used))
            array = pa.DictionaryArray.from_arrays(pa.array(indexes.astype(np.int32)), entries)
            group = group.set_column(index, field, array)
    return group


def main():
    prefix, out = sys.argv[1:]
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    table = cluster.table(prefix, "metric")
    start = time.process_time()
    options = {"dictionary_pagesize_limit": 1 << 30, "write_page_index": True, "write_page_checksum": True}
    with pq.ParquetWriter(out, table.schema, compression="snappy", store_schema=False, **options) as writer:
        for row in range(0, table.num_rows, ROW_GROUP):
            writer.write_table(with_own_dictionaries(table.slice(row, ROW_GROUP)), row_group_size=ROW_GROUP)
    cpu = time.process_time() - start
    print(json.dumps({"rows": table.num_rows, "bytes": Path(out).stat().st_size, "cpu_s": cpu}))


if __name__ == "__main__":
    main()
