"""`czctl import`: the unsent files of the CloudZero agent become rows of the volume, each exactly once."""

import json
import os
import pty
import re
import signal
import subprocess
from pathlib import Path

import cramjam
import google_crc32c
import pytest

import agent_files
from agent_files import as_row, row, write
from parquet_rows import files_below, read_by_duckdb, read_by_pyarrow
from processes import Program, clean_environment, czctl_path
from strace import injecting

MANY = 25_000  # rows of one file: three requests


def rows_of(kind: str, count: int, first: int = 0) -> list[dict]:
    return [
        row(f"{kind}_total", (first + n) * 10, str(n), pod=f"pod-{n % 500}", node=f"n{n % 7}") for n in range(count)
    ]


def imported(cirrus, *arguments, code: int = 0) -> dict:
    result = cirrus.command("import", *arguments, "--config", cirrus.config, "-o", "json")
    assert result.returncode == code, result.stdout + result.stderr
    answer = json.loads(result.stdout)
    assert answer["schema"] == "czctl.import/v1"
    return answer


def shipped(cirrus, kind: str = "metrics") -> list[tuple]:
    files = [file for file in files_below(cirrus.destination) if file.name.startswith(kind + "_")]
    rows = read_by_duckdb(files)
    assert rows == read_by_pyarrow(files)
    return rows


@pytest.fixture
def old(tmp_path) -> Path:
    """The agent's volume."""
    folder = tmp_path / "agent"
    folder.mkdir()
    return folder


def test_both_streams_arrive_once(make_cirrus, old):
    cost = rows_of("cost", MANY)
    seen = rows_of("seen", 10, first=5)
    strange = [
        row("up", 1, "NaN"),
        row("up", 2, "+Inf", zone='quoted "x" \\ \n'),
        row("up", 3, "-0.25", zone="<&> äöü 😀 \u2028"),
        row("up", 4, "1" + "0" * 30, instance="10.0.0.1:9100"),
    ]
    files = [write(old, "metrics", cost), write(old, "metrics", strange, 1), write(old, "observability", seen)]
    (old / "1a2b3c4d.1751400000000").write_bytes(b"the file that was open")
    before = {path: path.read_bytes() for path in old.iterdir()}
    cirrus = make_cirrus()
    dry = imported(cirrus, old, "--dry-run")
    assert [entry["result"] for entry in dry["files"]] == ["would be imported"] * 3
    assert list(cirrus.data.iterdir()) == [], "it only looks"
    answer = imported(cirrus, old)
    assert [(entry["path"], entry["rows"]) for entry in answer["files"]] == [
        (str(file), count) for file, count in zip(files, [MANY, 4, 10])
    ]
    assert {path: path.read_bytes() for path in old.iterdir()} == before, "the files stay"
    again = imported(cirrus, old, files[0])
    assert [entry["result"] for entry in again["files"]] == ["already imported"] * 4
    cirrus.start()
    cirrus.drain()
    assert shipped(cirrus) == sorted(as_row(line) for line in cost + strange)
    assert shipped(cirrus, "observability") == sorted(as_row(line) for line in seen)


def test_killed_at_any_instant(make_cirrus, old):
    """Each attempt dies at another call; whatever the log has then is not stored again."""
    cost = rows_of("cost", MANY)
    more = rows_of("more", 12_000)
    write(old, "metrics", cost)
    write(old, "metrics", more, 1)
    cirrus = make_cirrus(dedup={"window": "0s"}, database={"cost_max_interval": "1s"})
    killed = 0
    for call in ["rename", "fdatasync"]:
        for when in [1, 2, 3, 6]:
            under = injecting(call, f"signal=SIGKILL:when={when}", cirrus.data)
            words = [*under, czctl_path(), "import", old, "--config", cirrus.config]
            program = Program(words, cirrus.home / "import.log")
            program.wait_end(60)
            killed += program.process.returncode == -signal.SIGKILL
    assert killed > 3, "most attempts are interrupted"
    imported(cirrus, old)
    cirrus.start()
    cirrus.drain()
    assert shipped(cirrus) == sorted(as_row(line) for line in cost + more)


@pytest.mark.parametrize("through", ["import", "service"])
def test_a_request_handed_over_and_not_noted(make_cirrus, old, through):
    """The log has the request, the journal does not say so: the next start looks, after any time and compaction."""
    cost = rows_of("cost", 10)
    write(old, "metrics", cost)
    cirrus = make_cirrus(dedup={"window": "0s"})
    imported(cirrus, old)
    (journal,) = (cirrus.data / "imports").iterdir()
    assert "stored 1\n" in journal.read_text()
    # As the disk was before the last step: the request handed over, nothing noted.
    fingerprint = handed_over(cirrus)
    lines = journal.read_text().replace("stored 1", "stored 0").replace("handed -", f"handed {fingerprint}")
    journal.write_text(checked(lines))
    if through == "service":
        service = cirrus.start()
        assert service.stop() == 0
        assert "stored 1\n" in journal.read_text(), "the start of a service has settled it"
    answer = imported(cirrus, old)
    assert answer["files"][0]["rows"] == 10
    cirrus.start()
    cirrus.drain()
    assert shipped(cirrus) == sorted(as_row(line) for line in cost)


def handed_over(cirrus) -> str:
    """The fingerprint of the one request in the log."""
    listed = cirrus.command("cat", "--data", cirrus.data, "-o", "json").stdout.splitlines()
    (request,) = [entry for entry in map(json.loads, listed) if entry["kind"] == "request"]
    return request["fingerprint"]


def checked(text: str) -> str:
    """With the CRC of its lines."""
    body = text[: text.index("crc32c ")]
    return f"{body}crc32c {google_crc32c.value(body.encode()):x}\n"


BAD = {
    "cut": lambda data: data[: len(data) // 2],
    "flipped": lambda data: data[:50] + bytes([data[50] ^ 0xFF]) * 20 + data[70:],
    "trailed": lambda data: data + b"more",
    "empty": lambda data: b"",
    "not an array": lambda data: bytes(cramjam.brotli.compress(b'{"a":1}')),
    "array cut": lambda data: bytes(cramjam.brotli.compress(agent_files.text(rows_of("x", 3))[:-1])),
    "no value": lambda data: bytes(cramjam.brotli.compress(b'[{"timestamp":"1","labels":{}}]')),
    "bad value": lambda data: bytes(cramjam.brotli.compress(b'[{"timestamp":"1","value":"one","labels":{}}]')),
    "bad time": lambda data: bytes(cramjam.brotli.compress(b'[{"timestamp":"soon","value":"1","labels":{}}]')),
    "other cluster": lambda data: bytes(
        cramjam.brotli.compress(agent_files.text([row("up", 1, "1") | {"cluster_name": "another"}]))
    ),
}


@pytest.mark.parametrize("damage", BAD)
def test_a_damaged_file_is_left_out_whole(make_cirrus, old, damage):
    good = rows_of("good", 20)
    write(old, "metrics", good, 1)
    bad = write(old, "metrics", rows_of("bad", 11_000))
    bad.write_bytes(BAD[damage](bad.read_bytes()))
    cirrus = make_cirrus()
    answer = imported(cirrus, old, code=7)
    entry, other = answer["files"]
    assert entry["result"] == "not imported" and entry["error"].startswith(f"cannot import {bad}: ")
    assert "; " in entry["error"], "what to do"
    assert (other["result"], other["rows"]) == ("imported", 20)
    cirrus.start()
    cirrus.drain()
    assert shipped(cirrus) == sorted(as_row(line) for line in good)


def test_refusals(make_cirrus, old):
    write(old, "metrics", rows_of("cost", 3))
    cirrus = make_cirrus()
    service = cirrus.start()
    running = cirrus.command("import", old, "--config", cirrus.config)
    assert running.returncode == 5 and "a collector has the volume" in running.stderr
    assert service.stop() == 0
    for wrong, code in [(old / "none", 4), (cirrus.config, 2)]:
        result = cirrus.command("import", wrong, "--config", cirrus.config)
        assert result.returncode == code and "Try:" in result.stderr or code == 4, result.stderr
    sent = old / "uploaded"
    sent.mkdir()
    write(sent, "metrics", rows_of("cost", 3))
    assert cirrus.command("import", sent, "--config", cirrus.config).returncode == 2


def test_rows_over_the_limits_are_counted_and_files_moved(make_cirrus, old, tmp_path):
    wide = row("wide", 1, "1", **{f"l{n}": "v" for n in range(40)})
    narrow = row("narrow", 1, "1")
    path = write(old, "metrics", [wide, narrow])
    cirrus = make_cirrus(limits={"labels_per_series": 30})
    away = tmp_path / "away"
    away.mkdir()
    answer = imported(cirrus, old, "--move-to", away, code=8)
    assert answer["files"][0]["refused_rows"] == 1
    assert [file.name for file in away.iterdir()] == [path.name] and not path.exists()
    cirrus.start()
    cirrus.drain()
    assert shipped(cirrus) == [as_row(narrow)]


def test_progress(make_cirrus, old):
    """A line that is drawn over itself, on a terminal alone."""
    write(old, "metrics", rows_of("cost", MANY))
    cirrus = make_cirrus()
    controller, terminal = pty.openpty()
    words = [czctl_path(), "import", old, "--config", cirrus.config]
    environment = clean_environment() | {"TERM": "xterm"}
    child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=terminal, env=environment)
    os.close(terminal)
    text = b""
    try:
        while chunk := os.read(controller, 4096):
            text += chunk
    except OSError:  # EIO: nobody has the terminal open any more
        pass
    os.close(controller)
    assert child.wait(60) == 0, text
    # Whatever is said after it, the bar is gone.
    assert re.search(rb"\r[\d,]+ rows imported +[\d,]+/s\x1b\[K\r\x1b\[K", text), text
    assert b"rows imported" not in text.rpartition(b"\x1b[K\r\x1b[K")[2], text
    again = cirrus.command("import", old, "--config", cirrus.config)
    assert "rows imported" not in again.stderr


def test_memory_is_bounded(make_cirrus, old):
    """The text of the file is far longer than what may be held: the kernel refuses more."""
    write(old, "metrics", rows_of("cost", 100_000))
    cirrus = make_cirrus()
    small, large = (peak(cirrus, path) for path in [write(old, "metrics", rows_of("few", 2), 1), old])
    assert large - small < 120 << 10, "KiB above what two rows take, in a debug build"


def peak(cirrus, path: Path) -> int:
    """KiB resident at most."""
    program = Program([czctl_path(), "import", path, "--config", cirrus.config], cirrus.home / "import.log")
    _, status, usage = os.wait4(program.process.pid, 0)
    program.process.returncode = os.waitstatus_to_exitcode(status)
    assert program.process.returncode == 0, program.tail()
    return usage.ru_maxrss


def test_a_request_that_ends_near_its_limit(make_cirrus, old, encoder):
    """What is counted beforehand is what is handed over, though only the second names the file."""
    limit, identity = 4 << 20, 38

    def padded(number: int, labels: int, length: int) -> dict:
        wide = {f"l{n:02}": f"{number:03}" + "v" * 1997 for n in range(labels)}
        return row("wide_total", number * 10, "1", **wide, pad="p" * length)

    def size(line: dict) -> int:
        labels, time, value = as_row(line)
        return len(encoder.v1([(labels, [(time, float(value))])]))

    rows = [padded(number, 20, 100) for number in range((limit - 3000) // size(padded(100, 20, 100)))]
    # The last but one: with the name just over the limit, without it just below.
    rest = limit - identity + 16 - sum(map(size, rows))
    labels = (rest - 500) // size(padded(0, 1, 0))
    last = next(line for length in range(5000) if size(line := padded(200, labels, length)) == rest)
    rows += [last, padded(201, 1, 0)]
    write(old, "metrics", rows)
    cirrus = make_cirrus(limits={"label_value_bytes": "16Ki"})
    assert imported(cirrus, old)["files"][0]["result"] == "imported"
    assert imported(cirrus, old)["files"][0]["result"] == "already imported"
    cirrus.start()
    cirrus.drain()
    assert shipped(cirrus) == sorted(map(as_row, rows))


def test_a_file_that_cannot_be_moved_stops_no_other(make_cirrus, old, tmp_path):
    paths = [write(old, "metrics", rows_of(f"file{number}", 3), number) for number in range(2)]
    away = tmp_path / "away"
    away.mkdir()
    (away / paths[0].name).write_text("another")
    cirrus = make_cirrus()
    answer = imported(cirrus, old, "--move-to", away, code=8)
    assert [file["result"] for file in answer["files"]] == ["imported", "imported"]
    assert "cannot move" in answer["files"][0]["error"] and "error" not in answer["files"][1]
    assert paths[0].exists() and not paths[1].exists()
