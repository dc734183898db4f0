"""The CloudZero destination, against `czctl mock` and against a stub before moto's S3."""

import hashlib
from pathlib import Path

import pytest
import requests

from parquet_rows import files_below, read_rows
from processes import Program, czctl_path, free_port, wait_until
from remote_write import V2, snappy
from test_v2_sender import expected_rows, known_requests, send_all
from upload_api import API_KEY, UploadAPI


@pytest.fixture
def upload_api():
    api = UploadAPI()
    yield api
    api.stop()


def cloudzero(make_cirrus, tmp_path: Path, host: str):
    key = tmp_path / "api-key"
    key.write_text(API_KEY + "\n")
    return make_cirrus(
        destination={"kind": "cloudzero"},
        cloudzero={"api_key_path": str(key), "host": host, "use_http": True, "http_max_wait": "1s"},
    )


def check_objects(objects: dict[str, bytes], cirrus, folder: Path):
    """One object a reference id, whose bytes are the local file's and have the SHA-256 of the name."""
    for name, content in objects.items():
        assert hashlib.sha256(content).hexdigest()[:32] == Path(name).stem.split("_")[3]
        (folder / name).write_bytes(content)
    local = {file.name: file.read_bytes() for file in files_below(cirrus.data / "uploaded")}
    assert local == objects
    assert files_below(cirrus.data / "outbox") == []


def send_known(cirrus, encoder, prefix: str, count: int) -> list:
    series = known_requests(prefix)[:count]
    answers = send_all(cirrus.port, [snappy(encoder.v2(entry)) for entry in series], V2)
    assert {status for status, _, _ in answers} == {204}
    return series


def test_shipper_killed_between_put_and_commit(make_cirrus, encoder, upload_api, tmp_path):
    cirrus = cloudzero(make_cirrus, tmp_path, upload_api.host)
    cirrus.start("collector")
    sent = []
    for round_number in range(3):
        shipper = cirrus.start("shipper")
        upload_api.kill_after_next_put(shipper.pid)
        sent += send_known(cirrus, encoder, f"round{round_number}", 4)
        assert upload_api.killed.wait(60), shipper.tail()
        shipper.wait_end()
    cirrus.start("shipper")
    wait_until(lambda: cirrus.status()["files"]["ready"] == 0, "an empty outbox", 60)
    cirrus.drain()
    assert upload_api.faults == []
    assert max(upload_api.puts.values()) >= 2, "no upload was repeated, so nothing was killed between PUT and commit"
    objects = upload_api.objects()
    assert set(upload_api.puts) == set(objects)
    folder = tmp_path / "objects"
    folder.mkdir()
    check_objects(objects, cirrus, folder)
    assert read_rows(folder) == expected_rows(sent)


MOCK_FAULTS = ["503:2", "429:1", "subset:2", "put-503:1", "put-reset:1", "put-lost:2", "put-truncated:1"]


def test_the_mock_receives_each_file_once_through_faults_and_kills(make_cirrus, encoder, programs, tmp_path):
    port, bucket = free_port(), tmp_path / "bucket"
    faults = [argument for fault in MOCK_FAULTS for argument in ("--fault", fault)]
    mock = Program(
        [czctl_path(), "mock", "--address", "127.0.0.1", "--data", bucket, *faults],
        tmp_path / "mock.log",
        {"PORT": str(port), "API_KEY": API_KEY},
    )
    programs.append(mock)
    state_url = f"http://127.0.0.1:{port}/v1/container-metrics/mock/state"
    mock.wait_ready(state_url)
    cirrus = cloudzero(make_cirrus, tmp_path, f"127.0.0.1:{port}")
    sent = []
    for round_number in range(3):
        service = cirrus.start()
        arrived = len(files_below(bucket))
        sent += send_known(cirrus, encoder, f"round{round_number}", 5)
        # Killed as soon as an object is there: the ledger may or may not have its row by then.
        wait_until(lambda: len(files_below(bucket)) > arrived, "an object in the bucket", 60, every=0.002)
        service.kill()
    cirrus.start()
    cirrus.drain()
    folder = tmp_path / "objects"
    folder.mkdir()
    check_objects({file.name: file.read_bytes() for file in files_below(bucket)}, cirrus, folder)
    assert read_rows(folder) == expected_rows(sent)
    objects = requests.get(state_url, timeout=30).json()["objects"]
    assert {name: entry["sha256"][:32] for name, entry in objects.items()} == {
        name: Path(name).stem.split("_")[3] for name in objects
    }


def test_a_wrong_key_is_reported_and_nothing_is_lost(make_cirrus, encoder, upload_api, tmp_path):
    cirrus = cloudzero(make_cirrus, tmp_path, upload_api.host)
    key = tmp_path / "api-key"
    key.write_text("wrong")
    service = cirrus.start()
    sent = send_known(cirrus, encoder, "refused", 2)
    wait_until(lambda: cirrus.status()["files"]["failed"] > 0, "a failed file in status", 60)
    assert cirrus.command("status", "--config", cirrus.config).returncode == 3
    assert upload_api.objects() == {}
    key.write_text(API_KEY)
    service.stop()
    cirrus.start()
    cirrus.command("retry", "--all", "--config", cirrus.config)
    cirrus.drain()
    folder = tmp_path / "objects"
    folder.mkdir()
    check_objects(upload_api.objects(), cirrus, folder)
    assert read_rows(folder) == expected_rows(sent)
    assert API_KEY not in service.log.read_text() and "X-Amz-Signature=" not in service.log.read_text()
