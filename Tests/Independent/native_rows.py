"""Layout `native`: the schema of each kind of file, and what the columns must hold of a log's samples."""

import hashlib
import struct

import check_file

STALE = 0x7FF0000000000002
# Labels with a column of their own, in the tests that leave evidence.
PROMOTED = ("node", "pod")
# Years 0001 to 9999.
TIMES = range(-62_135_596_800_000, 253_402_300_800_000)
ROOTS = {"metrics": "Sample", "observability": "Sample", "histograms": "Histogram", "exemplars": "Exemplar",
         "metadata": "Metadata"}  # fmt: skip
TEXT, TIME = ["BYTE_ARRAY", "STRING"], ["INT64", "TIMESTAMP(MILLIS,UTC)"]
WORD, DOUBLE = ["INT64", None], ["DOUBLE", None]


def map_of_texts(name: str) -> list:
    return [[name, "GROUP", "MAP"], ["key_value", "GROUP", None], ["key", *TEXT], ["value", *TEXT]]


def list_of(name: str, kind: list) -> list:
    return [[name, "GROUP", "LIST"], ["list", "GROUP", None], ["element", *kind]]


BUCKETS = [
    element
    for side in ("positive", "negative")
    for name, kind in (("span_offsets", WORD), ("span_lengths", WORD), ("counts", WORD), ("counts_float", DOUBLE))
    for element in list_of(f"{side}_{name}", kind)
]


def schemas(promoted: list[str]) -> dict[str, list]:
    """Name, physical and logical type of each element of each root."""
    series = [["series_hash", *WORD], *([name, *TEXT] for name in promoted), *map_of_texts("labels")]
    return {
        "Sample": [
            ["metric_name", *TEXT], ["timestamp", *TIME], ["value", *DOUBLE], ["is_stale", "BOOLEAN", None],
            ["start_timestamp", *TIME], *series,
        ],
        "Histogram": [
            ["metric_name", *TEXT], ["timestamp", *TIME], ["start_timestamp", *TIME], ["schema", *WORD],
            ["count", *WORD], ["count_float", *DOUBLE], ["sum", *DOUBLE], ["zero_threshold", *DOUBLE],
            ["zero_count", *WORD], ["zero_count_float", *DOUBLE], ["reset_hint", *TEXT], *BUCKETS,
            *list_of("custom_values", DOUBLE), *series,
        ],
        "Exemplar": [
            ["metric_name", *TEXT], ["timestamp", *TIME], ["value", *DOUBLE], *map_of_texts("exemplar_labels"), *series,
        ],
        "Metadata": [
            ["metric_family", *TEXT], ["timestamp", *TIME], ["type", *TEXT], ["unit", *TEXT], ["help", *TEXT],
        ],
    }  # fmt: skip


def wrong_schema(kind: str, report: dict) -> str | None:
    """Why a file, as `check_file.part1` tells it, is of no layout of its kind; any labels may be promoted."""
    root, found = report["root"], report["schema"]
    if root == "ParquetMetric" and ROOTS[kind] == "Sample":
        return None if found == check_file.CLOUDZERO and report["flat_required"] else f"not of cloudzero: {found}"
    if root != ROOTS[kind]:
        return f"root {root} in a file of {kind}"
    names = [name for name, *_ in found]
    promoted = names[names.index("series_hash") + 1 : names.index("labels")] if "series_hash" in names else []
    if found != schemas(promoted)[root]:
        return f"not of native: {found}"
    # Absent are starts, promoted labels, and the half of a histogram's numbers that is of the other kind.
    optional = {"start_timestamp", *promoted}
    optional |= {f"{name}{half}" for name in ("count", "zero_count") for half in ("", "_float")}
    wrong = [
        leaf["name"] for leaf in report["leaves"]
        if leaf["definition"] != (leaf["repetition"] or leaf["column"] in optional)
    ]  # fmt: skip
    return f"not as often there as documented: {wrong}" if wrong else None


def plain(values: list[str]) -> bytes:
    encoded = [value.encode() for value in values]
    return b"".join(struct.pack("<I", len(value)) + value for value in encoded)


def words(values: list[int]) -> bytes:
    return struct.pack(f"<{len(values)}q", *values)


def digest(values: bytes) -> str:
    """Of a column that every row has."""
    return hashlib.sha256(values).hexdigest()


def digest_of_levels(repetition: bytes, definition: bytes, values: bytes) -> str:
    """Of one that rows may lack or have several of: as `check_file.LeafHash` says."""
    parts = [hashlib.sha256(part).digest() for part in (repetition, definition, values)]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def optional(values: list, encode) -> str:
    present = [value for value in values if value is not None]
    return digest_of_levels(bytes(len(values)), bytes(value is not None for value in values), encode(present))


def series_hash(labels: list[tuple[str, str]]) -> int:
    import xxhash

    data = b"".join(name.encode() + b"\xff" + value.encode() + b"\xff" for name, value in labels)
    return struct.unpack("<q", struct.pack("<Q", xxhash.xxh64_intdigest(data)))[0]


def hashes_of(rows: list[tuple]) -> dict[str, str]:
    """Content hash of each leaf."""
    series = {}
    for row in rows:
        if row[6] not in series:
            labels = sorted(row[6], key=lambda label: label[0].encode())
            rest = [label for label in labels if label[0] not in ("__name__", *PROMOTED)]
            series[row[6]] = (series_hash(labels), dict(labels), rest)
    of_rows = [series[row[6]] for row in rows]
    starts = [row[8] if row[8] is not None and row[8] in TIMES else None for row in rows]
    entries = [entry for _, _, rest in of_rows for entry in rest]
    # A row's first entry begins it; a row without entries has one slot, in which nothing is.
    repetition = b"".join(b"\0" + b"\1" * (len(rest) - 1) for _, _, rest in of_rows)
    definition = b"".join(b"\1" * len(rest) or b"\0" for _, _, rest in of_rows)
    return {
        "metric_name": digest(plain([row[0] for row in rows])),
        "timestamp": digest(words([row[3] for row in rows])),
        "value": digest(struct.pack(f"<{len(rows)}Q", *(row[7] for row in rows))),
        "is_stale": digest(bytes(row[7] == STALE for row in rows)),
        "start_timestamp": optional(starts, words),
        "series_hash": digest(words([one[0] for one in of_rows])),
        **{name: optional([labels.get(name) for _, labels, _ in of_rows], plain) for name in PROMOTED},
        **{
            f"labels.key_value.{name}": digest_of_levels(repetition, definition, plain([one[part] for one in entries]))
            for part, name in enumerate(("key", "value"))
        },
    }  # fmt: skip
