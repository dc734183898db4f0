"""The S3 destination, against moto (keeps what S3 keeps) and `rclone serve s3` (checks signatures)."""

import cramjam
import pytest

from processes import free_port, wait_until
from s3_servers import ACCESS_KEY, BUCKET, SECRET_KEY, Issuer, Moto, Rclone, put_in_outbox

KEYS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
MIB = 1 << 20


@pytest.fixture(params=["moto", "rclone"])
def server(request, tmp_path):
    made = Moto() if request.param == "moto" else Rclone(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def moto():
    made = Moto()
    yield made
    made.stop()


@pytest.fixture
def rclone(tmp_path):
    made = Rclone(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def issuer():
    made = Issuer()
    yield made
    made.stop()


def lake(make_cirrus, endpoint: str, **destination):
    """An installation that ships to the bucket; only its shipper runs."""
    keys = {"kind": "s3", "bucket": BUCKET, "endpoint": endpoint, "path_style": True}
    return make_cirrus(destination=keys | destination, cloudzero={"send_interval": "1s", "http_max_wait": "1s"})


def files(cirrus, count: int, byte_count: int = 1000) -> dict[str, bytes]:
    return dict(put_in_outbox(cirrus.data, number, byte_count) for number in range(count))


def ship(cirrus, env: dict[str, str], seconds: float = 60):
    shipper = cirrus.start("shipper", env)
    wait_until(lambda: not list((cirrus.data / "outbox").iterdir()), f"an empty outbox\n{shipper.tail()}", seconds)
    return shipper


def by_name(objects: dict[str, bytes]) -> dict[str, bytes]:
    return {key.rsplit("/", 1)[-1]: content for key, content in objects.items()}


def test_files_arrive(make_cirrus, server):
    cirrus = lake(make_cirrus, server.endpoint, prefix="raw/{cluster}")
    sent = files(cirrus, 20)
    ship(cirrus, KEYS)
    objects = server.objects()
    assert by_name(objects) == sent
    assert all(key.startswith("raw/end-to-end/dt=2026-07-01/hr=20/metrics_") for key in objects)


def test_keys_of_files_and_profiles(make_cirrus, rclone, tmp_path):
    (tmp_path / "access").write_text(ACCESS_KEY + "\n")
    (tmp_path / "secret").write_text(SECRET_KEY + "\n")
    keys = {"access_key_file": str(tmp_path / "access"), "secret_key_file": str(tmp_path / "secret")}
    cirrus = lake(make_cirrus, rclone.endpoint, **keys)
    sent = files(cirrus, 2)
    ship(cirrus, {})
    profile = make_cirrus("profile", destination={
        "kind": "s3", "bucket": BUCKET, "endpoint": rclone.endpoint, "path_style": True, "prefix": "profile",
    }, cloudzero={"send_interval": "1s"})  # fmt: skip
    (tmp_path / "credentials").write_text(
        f"[lab]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n")  # fmt: skip
    sent |= files(profile, 3)
    ship(profile, {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"), "AWS_PROFILE": "lab"})
    assert by_name(rclone.objects()) == sent and len(rclone.keys()) == 5


def test_parts(make_cirrus, server):
    cirrus = lake(make_cirrus, server.endpoint, part_bytes="5Mi")
    sent = files(cirrus, 2, 12 * MIB)
    shipper = ship(cirrus, KEYS)
    assert by_name(server.objects()) == sent
    assert server.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []) == [], shipper.tail()


def test_parts_survive_kills(make_cirrus, server):
    """Killed again and again: each file is one object, and no parts are left."""
    cirrus = lake(make_cirrus, server.endpoint, part_bytes="5Mi")
    sent = files(cirrus, 6, 11 * MIB)
    for _ in range(5):
        before = len(list((cirrus.data / "outbox").iterdir()))
        if not before:
            break  # a fast machine delivers several before each kill
        shipper = cirrus.start("shipper", KEYS)
        wait_until(lambda: len(list((cirrus.data / "outbox").iterdir())) < before, "a delivery", 60)
        shipper.kill()
    ship(cirrus, KEYS)
    assert by_name(server.objects()) == sent
    assert server.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []) == []


@pytest.mark.parametrize(
    "wrong", [{"AWS_ACCESS_KEY_ID": "AKIDOTHER"}, {"AWS_SECRET_ACCESS_KEY": "another"}], ids=["id", "secret"]
)
def test_wrong_key(make_cirrus, rclone, wrong):
    cirrus = lake(make_cirrus, rclone.endpoint)
    sent = files(cirrus, 10)
    shipper = cirrus.start("shipper", KEYS | wrong)
    wait_until(lambda: "err-unauthorized" in shipper.log.read_text(), "a refusal")
    status = cirrus.status()
    waiting = sum(status["files"][state] for state in ("ready", "uploading", "failed"))
    assert rclone.keys() == [] and waiting == 10
    assert "err-unauthorized" in str(status)
    shipper.stop()
    assert SECRET_KEY not in shipper.log.read_text()
    ship(cirrus, KEYS)
    assert by_name(rclone.objects()) == sent


@pytest.mark.parametrize("shift", [-7200, 7200, 10 * 365 * 86400], ids=["-2h", "+2h", "+10y"])
def test_wrong_clock(make_cirrus, rclone, wall_clock, shift):
    """The server's time is taken for signatures when it refuses ours."""
    cirrus = lake(make_cirrus, rclone.endpoint)
    sent = files(cirrus, 5)
    shipper = ship(cirrus, KEYS | wall_clock(shift))
    assert by_name(rclone.objects()) == sent
    assert "this machine's clock differs" in shipper.log.read_text()


def test_objects_are_not_overwritten(make_cirrus, moto):
    """`If-None-Match: *`: what is there and ours is delivered, what is there and another's stays and is said."""
    cirrus = lake(make_cirrus, moto.endpoint, if_none_match=True, prefix="{kind}-{dt}-{hr}")
    sent = files(cirrus, 3)
    folder = "metrics-2026-07-01-20/"
    ours, theirs, _ = sorted(sent)
    moto.s3.put_object(Bucket=BUCKET, Key=folder + ours, Body=sent[ours])
    moto.s3.put_object(Bucket=BUCKET, Key=folder + theirs, Body=b"other")
    shipper = cirrus.start("shipper", KEYS)
    wait_until(lambda: len(list((cirrus.data / "outbox").iterdir())) == 1, f"two deliveries\n{shipper.tail()}")
    wait_until(lambda: "another object has the key" in shipper.log.read_text(), "a word on the third")
    assert by_name(moto.objects()) == sent | {theirs: b"other"}


def test_encryption_is_asked_for(make_cirrus, moto):
    cirrus = lake(make_cirrus, moto.endpoint, sse="AES256", part_bytes="5Mi")
    sent = files(cirrus, 1) | dict([put_in_outbox(cirrus.data, 7, 6 * MIB)])
    ship(cirrus, KEYS)
    assert by_name(moto.objects()) == sent
    for key in moto.keys():
        assert moto.s3.head_object(Bucket=BUCKET, Key=key)["ServerSideEncryption"] == "AES256"


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_copies_are_compressed(make_cirrus, rclone, kind):
    """Whole and in parts; other programs give the file back."""
    cirrus = lake(make_cirrus, rclone.endpoint, compression=kind, part_bytes="5Mi")
    sent = files(cirrus, 2, 100_000) | dict([put_in_outbox(cirrus.data, 7, 6 * MIB)])
    ship(cirrus, KEYS)
    suffix = {"gzip": ".gz", "zstd": ".zst"}[kind]
    found = {}
    for name, content in by_name(rclone.objects()).items():
        assert name.endswith(".parquet" + suffix)
        found[name.removesuffix(suffix)] = bytes(getattr(cramjam, kind).decompress(content))
    assert found == sent
    assert list((cirrus.data / "compressed").iterdir()) == []


@pytest.mark.parametrize("kind", ["metadata", "pod", "web"])
def test_issued_credentials(make_cirrus, rclone, issuer, tmp_path, kind):
    (tmp_path / "pod").write_text(Issuer.POD_TOKEN)
    (tmp_path / "web").write_text(Issuer.WEB_TOKEN + "\n")
    environments = {
        "metadata": {"AWS_EC2_METADATA_SERVICE_ENDPOINT": issuer.url},
        "pod": {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": issuer.url + "/pod-identity",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "pod"),
        },
        "web": {
            "AWS_ENDPOINT_URL_STS": issuer.url,
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "web"),
            "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/cirrus",
        },
    }
    cirrus = lake(make_cirrus, rclone.endpoint)
    sent = files(cirrus, 5)
    shipper = ship(cirrus, environments[kind])
    assert by_name(rclone.objects()) == sent
    assert "canary" not in shipper.log.read_text() + str(cirrus.status())
    # The doctor asks the same chain, and says which link answered.
    links = {"metadata": "the instance metadata", "pod": "the container's agent", "web": "the web identity of"}
    command = ("doctor", "--config", cirrus.config, "--only", "key", "--only", "bucket", "--role", "shipper")
    doctor = cirrus.command(*command, env=environments[kind])
    lines = doctor.stdout.splitlines()
    assert doctor.returncode == 0 and lines[0].startswith("ok     key") and f"from {links[kind]}" in lines[0], lines
    assert lines[1].startswith("ok     bucket") and "canary" not in doctor.stdout + doctor.stderr, lines


def test_several_destinations(make_cirrus, rclone, tmp_path):
    """A file leaves the outbox when every destination has it; each has a row of its own."""
    down = f"http://127.0.0.1:{free_port()}"
    s3 = {"kind": "s3", "bucket": BUCKET, "path_style": True}
    destinations = [
        {"kind": "directory", "path": str(tmp_path / "lake")},
        s3 | {"name": "near", "endpoint": rclone.endpoint},
        s3 | {"name": "far", "endpoint": down},
    ]
    cirrus = make_cirrus(destinations=destinations, cloudzero={"send_interval": "1s", "http_max_wait": "1s"})
    sent = files(cirrus, 5)
    cirrus.start("shipper", KEYS)
    wait_until(lambda: len(rclone.keys()) == 5, "deliveries to one bucket")
    assert len(list((cirrus.data / "outbox").iterdir())) == 5
    assert by_name(rclone.objects()) == sent
