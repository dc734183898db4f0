"""Presigned URLs of `czctl mock` at buckets that others wrote: moto (keeps what S3 keeps), rclone (checks them)."""

import os
import threading
import time
from collections import Counter

import pytest
import requests

from processes import Program, czctl_path, free_port, wait_until
from s3_servers import ACCESS_KEY, SECRET_KEY, Bucket, Moto, Rclone, put_in_outbox
from upload_api import API_KEY

BUCKET = "testbucket"  # the mock's


@pytest.fixture
def rclone(tmp_path):
    made = Rclone(tmp_path)
    (made.folder / BUCKET).mkdir()
    yield made
    made.stop()


@pytest.fixture(params=["moto", "rclone"])
def bucket_server(request, tmp_path):
    if request.param == "rclone":
        return request.getfixturevalue("rclone")
    made = Moto()
    made.s3.create_bucket(Bucket=BUCKET)
    request.addfinalizer(made.stop)
    return made


@pytest.fixture
def mock(tmp_path, programs):
    """Starts a mock that signs for an S3 server; its port."""

    def make(endpoint: str, *arguments: str, secret: str = SECRET_KEY, port: int = 0, key: str = API_KEY) -> int:
        port = port or free_port()
        env = {"PORT": str(port), "API_KEY": key, "S3_ENDPOINT": endpoint}
        env |= {"S3_ACCESS_KEY": ACCESS_KEY, "S3_PRIVATE_KEY": secret}
        program = Program([czctl_path(), "mock", "--address", "127.0.0.1", *arguments], tmp_path / "mock.log", env)
        programs.append(program)
        program.wait_ready(state_url(port))
        return port

    return make


def state_url(port: int) -> str:
    return f"http://127.0.0.1:{port}/v1/container-metrics/mock/state"


def allocated(port: int) -> Counter[str]:
    """Times each id was given a URL."""
    return Counter(requests.get(state_url(port), timeout=30).json()["allocated"])


def install(make_cirrus, tmp_path, port: int, **more):
    key = tmp_path / "api-key"
    if not key.exists():
        key.write_text(API_KEY + "\n")
    return make_cirrus(
        destination={"kind": "cloudzero"},
        cloudzero={
            "api_key_path": str(key), "host": f"127.0.0.1:{port}", "use_http": True, "http_max_wait": "100ms",
            "send_interval": "1s",
        },
        **more,
    )  # fmt: skip


def put_files(cirrus, count: int, byte_count: int = 1000) -> dict[str, bytes]:
    return dict(put_in_outbox(cirrus.data, number, byte_count) for number in range(count))


def objects(server: Bucket) -> dict[str, bytes]:
    listed = server.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
    return {item["Key"]: server.s3.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read() for item in listed}


def wait_delivered(cirrus, shipper, seconds: float = 60):
    wait_until(lambda: not list((cirrus.data / "outbox").iterdir()), f"an empty outbox\n{shipper.tail()}", seconds)


def assert_no_secrets(shipper, cirrus):
    text = shipper.log.read_text() + str(cirrus.status())
    assert API_KEY not in text and "X-Amz-Signature=" not in text and SECRET_KEY not in text


def test_files_arrive(make_cirrus, mock, bucket_server, tmp_path):
    port = mock(bucket_server.endpoint)
    cirrus = install(make_cirrus, tmp_path, port)
    sent = put_files(cirrus, 20) | dict([put_in_outbox(cirrus.data, 100, 3 << 20)])
    shipper = cirrus.start("shipper")
    wait_delivered(cirrus, shipper)
    assert objects(bucket_server) == sent
    assert allocated(port) == Counter(sent.keys())
    assert_no_secrets(shipper, cirrus)


def test_urls_that_are_dead_on_arrival(make_cirrus, mock, bucket_server, tmp_path):
    """rclone refuses them, and new ones are asked for; moto does not look."""
    port = mock(bucket_server.endpoint, "--fault", "expired-url:3")
    cirrus = install(make_cirrus, tmp_path, port)
    sent = put_files(cirrus, 5)
    shipper = cirrus.start("shipper")

    def delivered() -> bool:
        cirrus.command("retry", "--state", "failed", "--config", cirrus.config)
        return not list((cirrus.data / "outbox").iterdir())

    wait_until(delivered, f"an empty outbox\n{shipper.tail()}", 60, every=0.5)
    assert objects(bucket_server) == sent
    # One of each call before, one for each refusal, one of a cycle after.
    assert max(allocated(port).values()) <= (1 if isinstance(bucket_server, Moto) else 4)
    assert_no_secrets(shipper, cirrus)


def test_urls_that_die_in_the_queue(make_cirrus, mock, rclone, tmp_path, summarize):
    """URLs of a second, at a rate that sends the last files some seconds later: each gets a new one in time."""
    port = mock(rclone.endpoint, "--url-seconds", "1")
    cirrus = install(make_cirrus, tmp_path, port, http={"rate_limit": "1Mi"})
    sent = put_files(cirrus, 10, 512 << 10)
    start = time.monotonic()
    shipper = cirrus.start("shipper")
    wait_delivered(cirrus, shipper, 120)
    assert objects(rclone) == sent
    counts = allocated(port)
    assert max(counts.values()) >= 2, "no URL expired: the test shows nothing"
    assert max(counts.values()) <= 4
    summarize(
        f"presigned URLs of 1 s: {len(sent)} files in {time.monotonic() - start:.0f} s, {counts.total()} URLs"
    )


def test_urls_that_die_while_the_shipper_is_down(make_cirrus, mock, bucket_server, tmp_path):
    """What the ledger holds is not used after its end: killed with URLs stored, started when they are dead."""
    port = mock(bucket_server.endpoint, "--url-seconds", "2")
    cirrus = install(make_cirrus, tmp_path, port, http={"rate_limit": "64Ki"})
    sent = put_files(cirrus, 3, 256 << 10)
    shipper = cirrus.start("shipper")
    wait_until(lambda: len(allocated(port)) == 3, "URLs")
    shipper.kill()
    time.sleep(2.5)  # the URLs' life: nothing else to wait for
    cirrus.config.write_text(cirrus.config.read_text().replace("64Ki", "64Mi"))
    shipper = cirrus.start("shipper")
    wait_delivered(cirrus, shipper)
    assert objects(bucket_server) == sent
    assert set(allocated(port).values()) == {2}


def test_urls_signed_with_a_wrong_key(make_cirrus, mock, rclone, programs, tmp_path):
    port = mock(rclone.endpoint, secret="another-key-canary")
    cirrus = install(make_cirrus, tmp_path, port)
    sent = put_files(cirrus, 10)
    shipper = cirrus.start("shipper")
    wait_until(lambda: cirrus.status()["files"]["failed"] == 10, f"failures\n{shipper.tail()}")
    status = cirrus.status()
    assert "err-unauthorized" in str(status["destinations"]) and "SignatureDoesNotMatch" in str(status["destinations"])
    assert objects(rclone) == {}
    assert set(allocated(port).values()) == {1}, "files that wait out their back-off ask for nothing"
    assert_no_secrets(shipper, cirrus)
    programs[-1].kill()
    mock(rclone.endpoint, port=port)
    cirrus.command("retry", "--all", "--config", cirrus.config)
    wait_delivered(cirrus, shipper)
    assert objects(rclone) == sent


@pytest.mark.parametrize("shift", [-7200, 7200, 10 * 365 * 86400], ids=["-2h", "+2h", "+10y"])
def test_wrong_clock(make_cirrus, mock, bucket_server, wall_clock, tmp_path, shift):
    """A URL ends by its signer's clock; the `Date` of the API's answer says how far ours is off."""
    port = mock(bucket_server.endpoint)
    cirrus = install(make_cirrus, tmp_path, port)
    sent = put_files(cirrus, 5)
    shipper = cirrus.start("shipper", wall_clock(shift))
    wait_delivered(cirrus, shipper)
    assert objects(bucket_server) == sent
    assert allocated(port) == Counter(sent.keys())


@pytest.mark.parametrize("shift", [-7200, 7200], ids=["-2h", "+2h"])
def test_stored_urls_outlive_a_restart_with_a_wrong_clock(make_cirrus, mock, rclone, wall_clock, tmp_path, shift):
    """Killed while it sends: the URLs in the ledger still live, and are used again."""
    port = mock(rclone.endpoint)
    cirrus = install(make_cirrus, tmp_path, port, http={"rate_limit": "64Ki"})
    sent = put_files(cirrus, 3, 256 << 10)
    shipper = cirrus.start("shipper", wall_clock(shift))
    wait_until(lambda: cirrus.status()["files"]["uploading"] > 0, f"uploads\n{shipper.tail()}")
    shipper.kill()
    cirrus.config.write_text(cirrus.config.read_text().replace("64Ki", "64Mi"))
    shipper = cirrus.start("shipper", wall_clock(shift))
    wait_delivered(cirrus, shipper)
    assert objects(rclone) == sent
    assert allocated(port) == Counter(sent.keys()), "a URL that lives is used, not asked for again"


def test_key_swapped_through_a_link_while_the_shipper_runs(make_cirrus, mock, rclone, tmp_path):
    """As Kubernetes does it: the file is a link below `..data`, which is a link that is renamed over."""
    for name, key in (("first", "revoked-canary"), ("second", API_KEY), ("third", "newest-canary")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "value").write_text(key + "\n")

    def swap(name: str):
        (tmp_path / "..next").symlink_to(tmp_path / name)
        os.rename(tmp_path / "..next", tmp_path / "..data")

    swap("first")
    (tmp_path / "api-key").symlink_to(tmp_path / "..data" / "value")
    port = mock(rclone.endpoint)
    cirrus = install(make_cirrus, tmp_path, port)
    sent = put_files(cirrus, 3)
    shipper = cirrus.start("shipper")
    wait_until(lambda: "Invalid API key" in shipper.log.read_text(), f"a refusal\n{shipper.tail()}")
    assert allocated(port) == Counter() and objects(rclone) == {}
    swap("second")
    wait_delivered(cirrus, shipper)
    assert objects(rclone) == sent
    # Swaps without end while files go out: each call has one key or the other, whole.
    ended = threading.Event()

    def keep_swapping():
        while not ended.wait(0.01):
            swap("third")
            swap("second")

    swapper = threading.Thread(target=keep_swapping)
    swapper.start()
    try:
        sent |= dict(put_in_outbox(cirrus.data, number) for number in range(10, 20))
        wait_delivered(cirrus, shipper)
    finally:
        ended.set()
        swapper.join()
    assert objects(rclone) == sent
    text = shipper.log.read_text()
    assert "err-get-remote-base" not in text and "cannot read the API key" not in text
    assert not any(word in text + str(cirrus.status()) for word in ("canary", API_KEY))
