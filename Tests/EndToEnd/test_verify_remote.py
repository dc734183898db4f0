"""`czctl verify --remote`: what the destinations have, against the ledger."""

import json

import pytest

from processes import wait_until
from s3_servers import BUCKET, Moto, put_in_outbox
from test_s3 import KEYS, files, lake, ship


def verify(cirrus, code: int = 0, env: dict | None = None) -> tuple[dict, list[str]]:
    result = cirrus.command("verify", "--remote", "--config", cirrus.config, "-o", "json", env=env)
    assert result.returncode == code, result.stdout + result.stderr
    answer = json.loads(result.stdout)
    assert answer["schema"] == "czctl.verify-remote/v1"
    return answer["destinations"][0], [problem["cause"] for problem in answer["problems"]]


@pytest.fixture
def moto():
    made = Moto()
    yield made
    made.stop()


def test_bucket(make_cirrus, moto):
    cirrus = lake(make_cirrus, moto.endpoint)
    files(cirrus, 12)
    assert ship(cirrus, KEYS).stop() == 0
    found, problems = verify(cirrus, env=KEYS)
    assert (found["files"], found["same"], problems) == (12, 12, [])
    lost, longer, other = sorted(moto.keys())[:3]
    content = moto.objects()[other]
    moto.s3.delete_object(Bucket=BUCKET, Key=lost)
    moto.s3.put_object(Bucket=BUCKET, Key=longer, Body=moto.objects()[longer] + b"x")
    moto.s3.put_object(Bucket=BUCKET, Key=other, Body=content[:-1] + bytes([content[-1] ^ 1]))
    found, problems = verify(cirrus, 7, env=KEYS)
    assert (found["same"], found["missing"], found["different"]) == (9, 1, 2)
    assert [cause.split(":")[0] for cause in sorted(problems)] == ["another", "another", "missing"]
    assert any("bytes, the ledger" in cause for cause in problems) and any("ETag" in cause for cause in problems)
    moto.stop()
    found, problems = verify(cirrus, 8, env=KEYS)
    assert found["unknown"] == 12 and problems[0].startswith("not known")


def test_no_keys(make_cirrus, moto):
    cirrus = lake(make_cirrus, moto.endpoint, access_key_file="/nowhere/a", secret_key_file="/nowhere/b")
    files(cirrus, 1)
    cirrus.config.write_text(cirrus.config.read_text().replace("/nowhere", str(cirrus.home)))
    for name in "ab":
        (cirrus.home / name).write_text("canary-key")
    assert ship(cirrus, {}).stop() == 0
    (cirrus.home / "a").unlink()
    found, _ = verify(cirrus, 6)
    assert found["obstacle"], found


def test_directory(make_cirrus):
    cirrus = make_cirrus()
    names = [put_in_outbox(cirrus.data, number, 1000)[0] for number in range(5)]
    shipper = cirrus.start("shipper")
    wait_until(lambda: not list((cirrus.data / "outbox").iterdir()), f"an empty outbox\n{shipper.tail()}")
    assert shipper.stop() == 0
    assert verify(cirrus)[0]["same"] == 5
    found = {path.name: path for path in cirrus.destination.rglob("*.parquet")}
    found[names[0]].unlink()
    content = bytearray(found[names[1]].read_bytes())
    content[500] ^= 1
    found[names[1]].write_bytes(content)
    one, problems = verify(cirrus, 7)
    assert (one["same"], one["missing"], one["different"]) == (3, 1, 1)
    assert "SHA-256" in " ".join(problems)


def test_upload_api(make_cirrus, bucket):
    cirrus = make_cirrus(**bucket.settings)
    put_in_outbox(cirrus.data, 0, 1000)
    shipper = cirrus.start("shipper")
    wait_until(lambda: not list((cirrus.data / "outbox").iterdir()), f"an empty outbox\n{shipper.tail()}")
    assert shipper.stop() == 0
    found, problems = verify(cirrus)
    assert found["files"] == 1 and "presigned" in found["obstacle"] and problems == []
