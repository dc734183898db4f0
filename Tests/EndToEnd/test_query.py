"""`czctl query` and `czctl verify`: answers as DuckDB's, damage told; the documented queries work as they stand."""

import contextlib
import io
import json
import math
import random
import re

import duckdb
import pyarrow.parquet
import pytest

from processes import ROOT
from receiver import NOW
from remote_write import V1, Sender, snappy

COLUMNS = "metric_name, labels::json ->> 'pod' as pod, count(*), sum(value::double), min(value::double)"


@pytest.fixture(scope="module")
def rows():
    chance = random.Random(5)
    series = []
    for metric in ("cpu", "mem", 'quoted"name'):
        for pod in ("a", "b\\c", 'd"e', "µ"):
            samples = [(NOW + step * 1000, chance.choice([0.5, -3.0, 1e9])) for step in range(20)]
            series.append(((("__name__", metric), ("pod", pod)), samples))
    return series


@pytest.fixture
def shipped(make_cirrus, encoder, rows):
    cirrus = make_cirrus()
    program = cirrus.start()
    sender = Sender(cirrus.port)
    assert sender.post(snappy(encoder.v1(rows)), V1)[0] == 204
    cirrus.drain()
    program.kill()
    return cirrus


def test_answers_are_duckdbs(shipped):
    files = sorted(str(file) for file in shipped.destination.rglob("*.parquet"))
    answer = json.loads(shipped.command("query", *files, "--by", "metric_name", "--by", "pod", "-o", "json").stdout)
    found = {tuple(row["key"]): (row["count"], row["sum"], row["min"]) for row in answer["rows"]}
    query = f"select {COLUMNS} from read_parquet(?, hive_partitioning = false) group by all"
    with duckdb.connect() as connection:
        wanted = {row[:2]: row[2:] for row in connection.execute(query, [files]).fetchall()}
    assert found == wanted and len(found) == 12

    since = (NOW + 5000, NOW + 9000)
    arguments = ["--metric", "cpu", "--where", "pod!=a", "--since", since[0], "--until", since[1], "-o", "json"]
    answer = json.loads(shipped.command("query", *files, *arguments).stdout)
    assert [row["count"] for row in answer["rows"]] == [15]
    # The volume's own copies, which are kept until retention.
    answer = json.loads(shipped.command("query", "--data", shipped.data, "-o", "json").stdout)
    assert answer["rows"][0]["count"] == 240


def test_verify(shipped):
    good = shipped.command("verify", "--deep", "--data", shipped.data, "-o", "json")
    assert good.returncode == 0, good.stderr
    report = json.loads(good.stdout)
    assert report["rows"] == 240 and report["problems"] == []
    file = next(shipped.destination.rglob("*.parquet"))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 4
    file.write_bytes(data)
    for arguments in (["verify"], ["verify", "--deep"]):
        bad = shipped.command(*arguments, file)
        assert bad.returncode == 7 and "is damaged" in bad.stderr
    assert shipped.command("query", file, "--by", "pod").returncode in (0, 7)
    assert shipped.command("verify", "nowhere.parquet").returncode == 4


def documented(engine: str, lake) -> str:
    """The example of docs/formats/parquet.md, for a lake whose samples are of NOW's hour."""
    page = (ROOT / "docs/formats/parquet.md").read_text()
    example = re.search(rf"^{engine}:\n\n```\w+\n(.*?)^```", page, re.DOTALL | re.MULTILINE)[1]
    return example.replace("<lake>", str(lake)).replace("hr = '15'", "hr = '10'").replace("hr=15", "hr=10")


def test_documented_queries(make_cirrus, encoder):
    cirrus = make_cirrus()
    program = cirrus.start()
    memory = "container_memory_working_set_bytes"
    series = [
        ((("__name__", memory), ("namespace", name)), [(NOW, value), (NOW + 1000, value + 2), (NOW + 2000, math.nan)])
        for name, value in (("shop", 10.0), ("bank", 40.0))
    ]
    series += [((("__name__", "up"), ("job", job)), [(NOW, 1.0), (NOW + 1000, 0.0)]) for job in ("a", "b")]
    assert Sender(cirrus.port).post(snappy(encoder.v1(series)), V1)[0] == 204
    cirrus.drain()
    program.kill()
    with duckdb.connect() as connection:
        found = connection.execute(documented("DuckDB", cirrus.destination)).fetchall()
    assert sorted(found) == [(memory, "bank", 2, 41.0), (memory, "shop", 2, 11.0)]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(documented("pandas", cirrus.destination), {})
    assert re.findall(r"^(\w) +(\S+)$", printed.getvalue(), re.MULTILINE) == [("a", "0.5"), ("b", "0.5")]


def test_cat_of_files(shipped, rows):
    """Every row of the `cloudzero` layout, as DuckDB reads it, and those that a query would count."""
    files = sorted(str(file) for file in shipped.destination.rglob("*.parquet"))
    printed = shipped.command("cat", *files, "-o", "jsonl")
    assert printed.returncode == 0, printed.stderr
    lines = [json.loads(line) for line in printed.stdout.splitlines()]
    times = "replace (epoch_ms(timestamp) as timestamp, epoch_ms(created_at) as created_at)"
    with duckdb.connect() as connection:
        query = f"select * {times} from read_parquet(?, hive_partitioning = false)"
        wanted = connection.execute(query, [files]).fetchall()
    assert [tuple(line.values()) for line in lines] == wanted and len(wanted) == 240
    chosen = ["--metric", "mem", "--where", 'pod=d"e', "--since", NOW + 3000, "--until", NOW + 9000]
    text = shipped.command("cat", *files, *chosen).stdout.splitlines()
    assert len(text) == 7 and all(' metric_name="mem" ' in line for line in text)
    assert text[0].startswith('cluster_name="') and "timestamp=2026-07-01T10:00:03.000Z" in text[0]
    # pyarrow copies the footer's keys into what it writes: they are not about that file.
    copy = shipped.data / "copy.parquet"
    pyarrow.parquet.write_table(pyarrow.parquet.read_table(files[0], partitioning=None).slice(0, 5), copy)
    checked = shipped.command("verify", copy)
    assert checked.returncode == 0 and "5 rows" in checked.stdout, checked.stdout
