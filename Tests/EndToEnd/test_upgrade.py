"""Volumes that earlier versions wrote open in this one: everything in them is compacted, shipped and counted.

`MAKE_GOLDEN_VOLUME=1 pytest Tests/EndToEnd/test_upgrade.py` writes the present version's, once it is tagged.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from parquet_rows import read_rows
from processes import ROOT, wait_until
from remote_write import V1, V2, Sender, snappy

VOLUMES = ROOT / "Tests/Fixtures/volumes"
NOW = 1_782_900_000_000
LEFT_OUT = shutil.ignore_patterns("reserve", "*.lock", "*.sock", "collector-shutdown-complete")
# A name of the machine that made it says nothing; the shipper's does.
HOST = {"HOSTNAME": "golden-0"}


def series(name: str, count: int) -> list:
    return [
        (tuple(sorted({"__name__": name, "pod": f"p{n % 3}"}.items())), [(NOW + n * 1000, n + 0.25)])
        for n in range(count)
    ]


def rows_of(*parts: list) -> list:
    return sorted((labels, at, str(value)) for part in parts for labels, [(at, value)] in part)


DELIVERED, WAITING, LOGGED = series("delivered", 20), series("waiting", 30), series("logged", 40)


@pytest.mark.skipif("MAKE_GOLDEN_VOLUME" not in os.environ, reason="writes a fixture")
def test_make(make_cirrus, encoder):
    cirrus = make_cirrus(database={"cost_max_interval": "1h"}, wal={"segment_age": "1h"})
    service = cirrus.start(env=HOST)
    store(cirrus, encoder.v1(DELIVERED), V1)
    cirrus.drain()
    assert service.stop() == 0
    service = cirrus.start("collector", env=HOST)
    store(cirrus, encoder.v2(WAITING), V2)
    assert cirrus.command("flush", "--config", cirrus.config).returncode == 0
    for part in (LOGGED[:15], LOGGED[15:]):
        store(cirrus, encoder.v1(part), V1)
    service.kill()
    version = cirrus.command("version").stdout.split()[1]
    place = VOLUMES / version
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(cirrus.data, place / "data", ignore=LEFT_OUT)
    shutil.copytree(cirrus.destination, place / "lake")


def store(cirrus, message: bytes, kind: str):
    status, text, _ = Sender(cirrus.port).post(snappy(message), kind)
    assert status == 204, text


@pytest.mark.parametrize("version", sorted(path.name for path in VOLUMES.glob("*")))
def test_opens(make_cirrus, version):
    cirrus = make_cirrus(database={"purge_rules": {"metrics_older_than": "87600h"}})  # however old the volume is
    for name, place in [("data", cirrus.data), ("lake", cirrus.destination)]:
        shutil.copytree(VOLUMES / version / name, place, dirs_exist_ok=True)
    before = json.loads((cirrus.command("status", "--data", cirrus.data, "-o", "json")).stdout)
    assert before["state"] == "stopped" and before["log"]["rows"] == len(LOGGED)
    assert before["files"]["uploaded"] == 1
    verified = cirrus.command("verify", "--deep", "--data", cirrus.data)
    assert verified.returncode == 0, verified.stdout
    identity = (cirrus.data / ".shipperid").read_text()
    cirrus.start(env=HOST)
    cirrus.drain()
    wait_until(lambda: not list((cirrus.data / "outbox").iterdir()), "an empty outbox")
    assert read_rows(cirrus.destination) == rows_of(DELIVERED, WAITING, LOGGED)
    status = cirrus.status()
    assert status["log"]["rows"] == 0 and status["unsent"]["files"] == 0 and status["files"]["uploaded"] >= 3
    assert status["volume"] == before["volume"] and (cirrus.data / ".shipperid").read_text() == identity
    assert status["balance"][0]["total"] == status["balance"][0]["uploaded"] == 90
    assert not Path(cirrus.data / "quarantine").exists() or not list((cirrus.data / "quarantine").iterdir())


def test_each_version_has_one():
    """Each that was tagged, and the present one, as it calls itself."""
    tags = subprocess.run(["git", "-C", ROOT, "tag"], capture_output=True, text=True, timeout=60, check=True).stdout
    present = re.search(r'number = "([^"]+)"', (ROOT / "Sources/czctl/Version.swift").read_text())[1]
    versions = {tag.removeprefix("v") for tag in tags.split() if re.fullmatch(r"v?\d+\.\d+\.\d+", tag)} | {present}
    assert versions == {path.parents[1].name for path in VOLUMES.glob("*/data/VOLUME")}, "MAKE_GOLDEN_VOLUME=1"
