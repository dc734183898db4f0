"""What the commands print of one volume, word for word, and the keys and types of everything they say in JSON.

`UPDATE_DOCS=1 pytest Tests/EndToEnd/test_golden.py` writes golden/*.txt and golden/*.json; docs/man holds the helps.
"""

import json
import os
import re
import shutil
import time
from pathlib import Path

import pytest
import requests

import agent_files
from processes import ROOT, Program, clean_environment, czctl_path, wait_until

GOLDEN = Path(__file__).with_name("golden")
VOLUME = ROOT / "Tests/Fixtures/volumes/0.1.0"
DELIVERED = "metrics_1782900000000_1782900019000_83546ef5c3d546b7d6a6aefb7968b505.parquet"
WAITING = "metrics_1782900000000_1782900029000_49a12dc0f2e91af18e6383c75491512d.parquet"
SEGMENT = "00000000000000000004.wal"
MADE_AT = 1_795_451_966  # 2026-11-23T16:39:26Z, when the volume was left
NOW = MADE_AT + 25 * 3600 + 1800  # no age is near its next hour

TEXTS = {
    "status": ["status", "--data", "DATA"],
    "files-list": ["files", "list", "--data", "DATA"],
    "files-list-name": ["files", "list", "--data", "DATA", "-o", "name"],
    "files-list-wide": ["files", "list", "--data", "DATA", "-o", "wide"],
    "files-describe": ["files", "describe", DELIVERED, WAITING, "--data", "DATA"],
    "segments-list": ["segments", "list", "--data", "DATA"],
    "segments-describe": ["segments", "describe", "4", "--data", "DATA"],
    "segments-describe-compacted": ["segments", "describe", "2", "--data", "DATA"],
    "trace-series": ["trace", "--metric", "waiting", "--data", "DATA"],
    "trace-segment": ["trace", "2", "--data", "DATA"],
    "doctor": ["doctor", "--data", "DATA"],
    "verify": ["verify", "--deep", "--data", "DATA"],
    "query": ["query", "--by", "metric_name", "--by", "pod", "--data", "DATA"],
    "inspect-wal": ["inspect", "wal", f"DATA/wal/{SEGMENT}"],
    "inspect-parquet": ["inspect", "parquet", f"DATA/outbox/{WAITING}", "--schema", "--meta", "--stats"],
    "config-explain": ["config", "explain", "wal"],
    "config-print": ["config", "print"],
}


def compare(name: str, text: str):
    """With the file of that name, or makes it so."""
    path = GOLDEN / name
    if "UPDATE_DOCS" in os.environ:
        path.write_text(text)
    assert path.exists() and text == path.read_text(), f"{name} differs: look, then UPDATE_DOCS=1"


@pytest.fixture
def at_rest(tmp_path) -> Path:
    """The volume, stopped, its files as old as they were."""
    data = tmp_path / "data"
    shutil.copytree(VOLUME / "data", data)
    data.chmod(0o755)
    for path in data.rglob("*"):
        os.utime(path, (MADE_AT, MADE_AT))
    return data


def plain(text: str, data: Path) -> str:
    """Without what is the machine's and not the volume's."""
    text = text.replace(str(data.resolve()), "/data")
    text = re.sub(r"[0-9.]+ [KMGT]iB (of|free)\b", r"N GiB \1", text)
    text = re.sub(r"\bof [0-9.]+ [KMGT]iB( \([0-9]+ %\)| are free)", r"of N GiB (N %)", text)
    return re.sub(r"\buid [0-9]+", "uid N", text)


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_texts(at_rest, make_cirrus, wall_clock, name):
    arguments = [word.replace("DATA", str(at_rest)) for word in TEXTS[name]]
    result = make_cirrus().command(*arguments, env=wall_clock(NOW - int(time.time())) | {"HOSTNAME": "golden-0"})
    assert result.returncode == 0, result.stderr
    compare(f"{name}.txt", plain(result.stdout, at_rest))


# A whole number here is a number without a fraction by chance.
FRACTIONS = re.compile(r"seconds|ratio|_per_|^(value|sum|min|max)$")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def shape(values: list, key: str = ""):
    """The type of the values that stand at one place; of objects, the keys, with `?` where some have none."""
    if any(isinstance(value, dict) for value in values):
        keys = sorted({key for value in values for key in value})
        optional = {key: "" if all(key in value for value in values) else "?" for key in keys}
        return {key + optional[key]: shape([value[key] for value in values if key in value], key) for key in keys}
    if any(isinstance(value, list) for value in values):
        return [shape([element for value in values for element in value], key)]
    return " or ".join(sorted({kind(value, key) for value in values})) or "nothing"


def kind(value, key: str) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number" if isinstance(value, float) or FRACTIONS.search(key) else "integer"
    if key == "schema":
        return value
    return "time" if TIME.fullmatch(value) else "string"


class Answers:
    """What the commands say of one installation, by schema."""

    def __init__(self, cirrus):
        self.cirrus = cirrus
        self.by_schema: dict[str, list] = {}

    def ask(self, *arguments, codes=(0,)):
        result = self.cirrus.command(*arguments, "-o", "json")
        assert result.returncode in codes, f"{arguments}: {result.returncode}\n{result.stdout}\n{result.stderr}"
        lines = result.stdout.splitlines() if result.stdout.startswith('{"') else [result.stdout]
        for answer in map(json.loads, lines):
            self.take(answer)

    def take(self, answer: dict):
        self.by_schema.setdefault(answer["schema"], []).append(answer)


def stopped(answers: Answers, data: list, config: list):
    """A volume that was left with a file on its way and rows in its log."""
    path = answers.cirrus.data
    answers.ask("version")
    answers.ask("config", "print", *config)
    answers.ask("doctor", *config, codes=(0, 3))
    for command in [["status"], ["files", "list"], ["segments", "list"], ["verify"], ["query"]]:
        answers.ask(*command, *data)
    for name in (DELIVERED, WAITING):
        answers.ask("files", "describe", name, *data)
    for segment in ("2", "4"):
        answers.ask("segments", "describe", segment, *data)
    for what in [["--metric", "waiting"], ["--metric", "logged"], ["2"], ["4"]]:
        answers.ask("trace", *what, *data)
    answers.ask("inspect", "wal", path / "wal" / SEGMENT)
    answers.ask("inspect", "parquet", path / "outbox" / WAITING, "--schema", "--meta", "--stats", "--head", "2")
    answers.ask("verify", "--remote", *config)
    answers.ask("purge", "--uploaded", "--older-than", "1s", "--dry-run", *data)


def failing(answers: Answers, data: list, config: list):
    """Its destination takes nothing; its log and a file are damaged."""
    cirrus = answers.cirrus
    lake = cirrus.destination.rename(cirrus.home / "aside")
    cirrus.destination.write_text("in the way")
    answers.ask("ship", *config, codes=(8,))
    for command in [["files", "list"], ["files", "describe", WAITING], ["retry", WAITING, "--dry-run"]]:
        answers.ask(*command, *data)
    answers.ask("status", *data, codes=(0, 3))
    answers.ask("doctor", *config, codes=(3,))
    answers.ask("abandon", WAITING, "--reason", "golden", "--dry-run", *config)
    answers.ask("verify", "--remote", *config, codes=(7, 8))
    cirrus.destination.unlink()
    lake.rename(cirrus.destination)
    segment = cirrus.data / "wal" / SEGMENT
    whole = segment.read_bytes()
    segment.write_bytes(whole[:4200] + b"damage" + whole[4206:])
    answers.ask("inspect", "wal", segment, codes=(7,))
    answers.ask("segments", "describe", "4", *data, codes=(7,))
    answers.ask("verify", *data, codes=(7,))
    answers.ask("status", *data, codes=(0, 3))
    answers.ask("repair", "--dry-run", *config, codes=(0, 3, 7))
    segment.write_bytes(whole)


def running(answers: Answers, data: list, config: list):
    cirrus = answers.cirrus
    old = cirrus.home / "agent"
    old.mkdir()
    agent_files.write(old, "metrics", [agent_files.row("imported", 1, "0.5", pod="p0")])
    answers.ask("import", old, *config)
    cirrus.start()
    answers.ask("send", "--generate", "50", "--series", "10", "--url", cirrus.write_url)
    answers.ask("flush", *config)
    answers.ask("ship", *config)
    wait_until(lambda: not list((cirrus.data / "outbox").iterdir()), "an empty outbox")
    # The rates of the last minutes are there a second after the start, from then on each time.
    wait_until(lambda: "recent_fsync_p99_seconds" in json.dumps(cirrus.status()), "recent rates")
    for command in [["status"], ["files", "list"], ["segments", "list"], ["verify"], ["query"], ["trace", "2"]]:
        answers.ask(*command, *data)
    answers.ask("reload", *config)
    answers.take(requests.get(cirrus.url + "/debug/state", timeout=30).json())
    # Latencies are those between two looks: something is written the whole time.
    before = cirrus.status()["log"]["rows"]
    load = ["--generate", "100000", "--series", "10", "--batch", "10", "--rate", "500", "--url", cirrus.write_url]
    sender = Program([czctl_path(), "send", *load], cirrus.home / "send.log")
    wait_until(lambda: cirrus.status()["log"]["rows"] > before, "the first of them")
    answers.ask("top", "--interval", "1s", "--count", "2", *data)
    sender.kill()
    answers.ask("replay", "--to-url", cirrus.write_url, *data)
    answers.ask("doctor", *config, codes=(0, 3))
    answers.ask("verify", "--remote", *config)
    answers.ask("support-bundle", "--file", cirrus.home / "bundle.tar", *config)
    answers.ask("drain", *config)


def test_json_of_every_schema(make_cirrus):
    cirrus = make_cirrus(
        server={"profiling": True},
        database={"purge_rules": {"metrics_older_than": "87600h"}, "cost_max_interval": "1h"},
    )
    shutil.copytree(VOLUME / "data", cirrus.data, dirs_exist_ok=True)
    shutil.copytree(VOLUME / "lake", cirrus.destination, dirs_exist_ok=True)
    answers = Answers(cirrus)
    for look in (stopped, failing, running):
        look(answers, ["--data", cirrus.data], ["--config", cirrus.config])
    sources = (ROOT / "Sources").rglob("*.swift")
    known = {schema for source in sources for schema in re.findall(r'= "(czctl\.[a-z.-]+/v1)"', source.read_text())}
    assert set(answers.by_schema) == known, "each schema is looked at"
    for schema, found in answers.by_schema.items():
        name = schema.removeprefix("czctl.").replace("/", ".")
        compare(f"{name}.json", json.dumps(shape(found), indent=2) + "\n")
