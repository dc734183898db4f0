"""Files as the CloudZero agent's collector leaves them: a JSON array of rows in one Brotli stream."""

import json
from pathlib import Path

import cramjam

START_MS = 1_751_400_000_000
ORIGIN = {"cluster_name": "end-to-end", "cloud_account_id": "123456789"}


def row(metric: str, at: int, value: str, **labels: str) -> dict:
    """In Go's order of the keys; `node` stands beside the labels."""
    node = labels.pop("node", "")
    return {
        "cloud_account_id": ORIGIN["cloud_account_id"],
        "cluster_name": ORIGIN["cluster_name"],
        "created_at": str(START_MS + at + 1500),
        "id": f"00000000-0000-4000-8000-{at:012}",
        "labels": labels,
        "metric_name": metric,
        "node_name": node,
        "timestamp": str(START_MS + at),
        "value": value,
    }


def text(rows: list[dict]) -> bytes:
    """As Go writes it: no spaces, and `<`, `>`, `&` escaped."""
    made = json.dumps(rows, separators=(",", ":"))
    return made.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026").encode()


def write(folder: Path, kind: str, rows: list[dict], number: int = 0) -> Path:
    start = START_MS + number * 600_000
    path = folder / f"{kind}_{start}_{start + 600_000}.json.br"
    path.write_bytes(bytes(cramjam.brotli.compress(text(rows), level=4)))
    return path


def as_row(line: dict) -> tuple:
    """As `parquet_rows.Row`."""
    labels = line["labels"] | {"__name__": line["metric_name"]}
    if line["node_name"]:
        labels["node"] = line["node_name"]
    return tuple(sorted(labels.items())), int(line["timestamp"]), line["value"]
