"""`czctl repair` and `support-bundle`."""

import json
import tarfile

import pytest
import requests

from bucket import API_KEY
from processes import wait_until
from test_doctor import fill, store, tree_state

NEVER = {"cost_max_interval": "1h", "observability_max_interval": "1h"}


@pytest.fixture
def damaged(make_cirrus, encoder):
    """A stopped volume with a damaged segment, a damaged ledger, and a damaged file that waits."""
    cirrus = make_cirrus(database=NEVER)
    service = fill(cirrus, encoder)
    wait_until(lambda: list(cirrus.data.glob("uploaded/*.parquet")), "a delivered file")
    store(cirrus, encoder, "later")
    assert service.stop() == 0
    segment = max((cirrus.data / "wal").glob("*.wal"), key=lambda path: path.stat().st_size)
    damage(segment, 4200)
    damage(cirrus.data / "ledger.sqlite", 100, 3000)
    (delivered,) = cirrus.data.glob("uploaded/*.parquet")
    waiting = cirrus.data / "outbox" / delivered.name
    delivered.rename(waiting)
    damage(waiting, 1000)
    return cirrus, [segment, cirrus.data / "ledger.sqlite", waiting]


def damage(path, offset: int, count: int = 1):
    data = bytearray(path.read_bytes())
    for index in range(offset, offset + count):
        data[index] ^= 0x10
    path.write_bytes(data)


def repair(cirrus, *arguments) -> tuple[list[str], int]:
    result = cirrus.command("repair", "--config", cirrus.config, "-o", "json", *arguments)
    answer = json.loads(result.stdout)
    assert answer["schema"] == "czctl.repair/v1"
    return [entry["path"] for entry in answer["damage"]], result.returncode


def test_repair(damaged):
    cirrus, paths = damaged
    before = tree_state(cirrus.data)
    assert repair(cirrus, "--dry-run") == ([str(path) for path in paths], 7)
    assert tree_state(cirrus.data) == before, "it only says so"
    assert repair(cirrus) == ([str(path) for path in paths], 0)
    kept = [path.name for path in (cirrus.data / "quarantine").iterdir()]
    assert any(name.startswith("ledger-") for name in kept) and any(paths[0].name in name for name in kept), kept
    left, code = repair(cirrus, "--dry-run")
    assert code == 7 and str(paths[1]) not in left and str(paths[2]) in left, "the shipper's part is left"


def test_nothing_to_repair(make_cirrus):
    cirrus = make_cirrus()
    assert repair(cirrus, "--dry-run") == ([], 0)
    assert repair(cirrus) == ([], 0)
    assert list(cirrus.data.iterdir()) == []


def test_a_running_service_is_left_alone(make_cirrus, encoder):
    cirrus = make_cirrus(database=NEVER)
    fill(cirrus, encoder)
    manifest = cirrus.data / "wal" / "00000000000000000007-00000000000000000008.commit"
    manifest.write_text("garbage\n")
    assert repair(cirrus, "--dry-run") == ([str(manifest)], 7)
    refused = cirrus.command("repair", "--config", cirrus.config)
    assert refused.returncode == 5 and "collector.lock" in refused.stderr and manifest.exists()


def test_support_bundle_has_no_secrets(make_cirrus, bucket, encoder, tmp_path):
    settings = bucket.settings
    bucket.key.write_text("canary-key")  # refused: errors are recorded, and files wait
    settings["cloudzero"]["http_max_retries"] = 0
    cirrus = make_cirrus(**settings)
    service = fill(cirrus, encoder)
    wait_until(lambda: cirrus.status()["files"]["failed"] > 0, "a refused file", 60)
    bucket.key.write_text(API_KEY)
    wait_until(lambda: cirrus.status()["files"]["uploaded"] > 0, "a delivered file", 60)
    # The answer names the series, and so does the log; the bundle does not.
    refused = [([("__name__", "refused_metric"), ("pod", "a"), ("pod", "b")], [(1_700_000_000_000, 1.0)])]
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
    assert requests.post(cirrus.write_url, encoder.v1(refused), headers=headers, timeout=30).status_code == 400
    wait_until(lambda: "a request is refused" in service.tail(), "its line")
    file = tmp_path / "bundle.tar"
    made = cirrus.command("support-bundle", "--config", cirrus.config, "--file", file, "-o", "json")
    assert made.returncode == 0, made.stderr
    assert service.stop() == 0
    answer = json.loads(made.stdout)
    with tarfile.open(file) as archive:
        texts = {member.name.split("/")[1]: archive.extractfile(member).read() for member in archive.getmembers()}
    assert [(entry["name"], entry["bytes"]) for entry in answer["entries"]] == [
        (name, len(text)) for name, text in texts.items()
    ]
    assert set(texts) >= {"version.txt", "configuration.txt", "doctor.txt", "status.json", "files.json", "volume.txt"}
    assert json.loads(texts["status.json"])["schema"] == "czctl.status/v1"
    assert json.loads(texts["files.json"])["files"][0]["state"] == "uploaded"
    # Of the service that runs, as it was logged: the refusal is in it.
    assert b"cirrus_samples_stored_total " in texts["metrics-collector.txt"] and "log-shipper.txt" not in texts
    assert b"err-unauthorized" in texts["log-collector.txt"] and b'"listening"' in texts["log-collector.txt"]
    assert b"a request is refused" in texts["log-collector.txt"]
    assert b"ok     volume" in texts["doctor.txt"] and b"VOLUME" in texts["volume.txt"]
    everything = b"\n".join(texts.values())
    for secret in [b"canary", b"ak-test", b"X-Amz-Signature", b"X-Amz-Credential", b"__name__", b"refused_metric"]:
        assert secret not in everything, secret
    again = cirrus.command("support-bundle", "--config", cirrus.config, "--file", file)
    assert again.returncode == 1 and "file exists" in again.stderr, "nothing is overwritten"
