"""`czctl doctor` names the cause first: each test breaks one thing of an installation that works."""

import http.server
import json
import os
import shutil
import socket
import sqlite3
import ssl
import threading
import time
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from moto.server import ThreadedMotoServer

from certificates import Authority
from processes import free_port, wait_until
from remote_write import Sender, snappy
from test_v2_sender import START_MS, series_labels

TIMEOUT = "5s"


def examine(cirrus, *arguments, under=(), env=None):
    """The answer, its exit code, and the first check that is not fine."""
    command = ["doctor", "--config", cirrus.config, "--timeout", TIMEOUT, "-o", "json", *arguments]
    result = cirrus.command(*command, under=under, env=env)
    assert result.returncode in (0, 3), result.stderr
    answer = json.loads(result.stdout)
    assert answer["schema"] == "czctl.doctor/v1"
    assert (result.returncode == 3) == (answer["failures"] > 0)
    first = next((check for check in answer["checks"] if check["state"] in ("fail", "warn")), None)
    return answer, first


def as_plain_user() -> list[str]:
    """Takes from root what lets it pass over modes: then its own files are as anybody's own."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all", "--"]


def tree_state(folder: Path) -> list:
    return sorted((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in [folder, *folder.rglob("*")])


def check_first(cirrus, check: str, words: list[str], state="fail", is_live=False, **how) -> dict:
    """The cause comes first, says what and where, and what to do; nothing was changed."""
    before = tree_state(cirrus.data) if cirrus.data.is_dir() and not is_live else None
    answer, first = examine(cirrus, **how)
    assert first is not None, answer
    assert (first["check"], first["state"]) == (check, state), answer
    for word in words:
        assert word in first["text"], first
    assert first["advice"], first
    if before is not None:
        assert tree_state(cirrus.data) == before, "doctor changes nothing"
    return first


class API(http.server.BaseHTTPRequestHandler):
    """An upload API that answers every question with `status` at the time of `skew` seconds from now."""

    protocol_version = "HTTP/1.1"
    status, skew, asked, key = 200, 0.0, [], "ak-test"

    def do_GET(self):
        type(self).asked.append((self.path, self.headers.get("Authorization")))
        status = self.status if self.headers.get("Authorization") == self.key else 403
        body = b'{"message":"User is not authorized to access this resource"}' if status == 403 else b"{}"
        self.send_response_only(status)
        self.send_header("Date", formatdate(time.time() + self.skew, usegmt=True))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_GET

    def log_message(self, *_):
        pass


@contextmanager
def upload_api(kind=None, **behaviour):
    handler = type("Handler", (kind or API,), {"asked": [], **behaviour})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1], handler.asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def make_uploader(make_cirrus, tmp_path):
    """An installation that ships to the upload API at a port of this machine."""

    def make(port: int, key: str = "ak-test\n", **overrides):
        key_file = tmp_path / "key"
        key_file.write_text(key)
        upload = {"api_key_path": str(key_file), "host": f"127.0.0.1:{port}", "use_http": True}
        return make_cirrus(destination={"kind": "cloudzero"}, cloudzero=upload, **overrides)

    return make


def store(cirrus, encoder, name="doctor"):
    series = [(series_labels(n, name), [(START_MS, float(n))]) for n in range(500)]
    assert Sender(cirrus.port).post(snappy(encoder.v1(series)))[0] == 204


def fill(cirrus, encoder):
    """A service that has stored something."""
    service = cirrus.start()
    store(cirrus, encoder)
    return service


def test_nothing_is_wrong(make_uploader, encoder):
    with upload_api() as (port, asked):
        cirrus = make_uploader(port)
        answer, first = examine(cirrus)
        assert first is None, answer
        assert asked == [("/v2/insights", "ak-test")], "one question, that changes nothing"
        names = [check["check"] for check in answer["checks"]]
        order = "config volume disk lock port tls log ledger proxy api clock key destination bucket files service"
        assert names == order.split()
        fill(cirrus, encoder)
        answer, first = examine(cirrus)
        assert first is None and answer["checks"][-1]["text"].startswith("run "), answer
        text = cirrus.command("doctor", "--config", cirrus.config)
        assert text.returncode == 0 and text.stdout.splitlines()[-1].startswith("0 failures, 0 warnings")


def test_wrong_key(make_uploader):
    with upload_api() as (port, _):
        cirrus = make_uploader(port, key="another\n")
        first = check_first(cirrus, "key", ["refuses the key of 7 bytes", "403", "not authorized"])
        assert "another" not in json.dumps(first)


@pytest.mark.parametrize("kind", ["mode", "missing", "empty", "two lines"])
def test_unreadable_key_file(make_uploader, tmp_path, kind):
    with upload_api() as (port, _):
        cirrus = make_uploader(port)
        key = tmp_path / "key"
        if kind == "mode":
            key.chmod(0)
        elif kind == "missing":
            key.unlink()
        else:
            key.write_text("" if kind == "empty" else "one\ntwo\n")
        words = {
            "mode": "permission denied", "missing": "no such file", "empty": "is empty",
            "two lines": "more than one line",
        }  # fmt: skip
        check_first(cirrus, "key", [str(key), words[kind]], under=as_plain_user())


@pytest.mark.parametrize("skew", [-7200, 7200])
def test_clock_is_off(make_uploader, skew):
    with upload_api(skew=skew) as (port, _):
        check_first(make_uploader(port), "clock", ["2h00m", "ahead of" if skew < 0 else "behind"])


def test_clock_is_off_and_therefore_the_key_is_refused(make_uploader):
    with upload_api(skew=7200, status=403) as (port, _):
        check_first(make_uploader(port), "clock", ["2h00m behind"])


def test_api_is_down(make_uploader):
    port = free_port()
    check_first(make_uploader(port), "api", [f"cannot reach 127.0.0.1:{port}", "connection refused"])


def test_api_answers_503(make_uploader):
    with upload_api(status=503) as (port, _):
        check_first(make_uploader(port), "api", ["503"])


def test_api_does_not_answer(make_uploader):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        cirrus = make_uploader(silent.getsockname()[1])
        _, first = examine(cirrus, "--timeout", "1s")
        assert first["check"] == "api" and "does not answer" in first["text"]


def test_name_that_nobody_knows(make_uploader):
    cirrus = make_uploader(1)
    # Longer than a label may be: the resolver says no by itself, and no server elsewhere has to answer in time.
    host = "no-such-host-" + "x" * 64 + ".invalid"
    cirrus.config.write_text(cirrus.config.read_text().replace("127.0.0.1:1\n", f"{host}\n"))
    check_first(cirrus, "api", [host, "DNS"])


def test_bad_proxy(make_uploader):
    with upload_api() as (port, asked):
        dead = free_port()
        cirrus = make_uploader(port)
        proxy = {"http_proxy": f"http://user:canary@127.0.0.1:{dead}"}
        first = check_first(cirrus, "proxy", [f"http://127.0.0.1:{dead}", "http_proxy", "refused"], env=proxy)
        assert "canary" not in json.dumps(first) and not asked
        answer, first = examine(cirrus, env=proxy | {"no_proxy": "127.0.0.1"})
        assert first is None, answer


def test_bad_proxy_of_the_configuration(make_uploader):
    with upload_api() as (port, asked):
        dead = free_port()
        cirrus = make_uploader(port, http={"proxy": f"http://user:canary@127.0.0.1:{dead}"})
        check_first(cirrus, "proxy", [f"http://127.0.0.1:{dead}", "http.proxy", "refused"])
        assert not asked


def test_expired_certificate_of_the_api(make_cirrus, tmp_path):
    authority = Authority("ours")
    certificate, key = authority.issue(days=-2).files(tmp_path / "server")
    with http.server.HTTPServer(("127.0.0.1", 0), API) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.handle_error = lambda *_: None
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (tmp_path / "key").write_text("ak-test")
        upload = {"api_key_path": str(tmp_path / "key"), "host": f"localhost:{server.server_address[1]}"}
        http_settings = {"ca_file": str(authority.file(tmp_path / "ca.pem"))}
        cirrus = make_cirrus(destination={"kind": "cloudzero"}, cloudzero=upload, http=http_settings)
        first = check_first(cirrus, "api", ["does not answer", "expired"])
        assert "-dates" in first["advice"]
        server.shutdown()


def test_proxy_that_wants_a_password(make_uploader):
    with upload_api(status=407) as (proxy, _), upload_api() as (port, _):
        cirrus = make_uploader(port)
        check_first(cirrus, "proxy", ["407"], env={"http_proxy": f"http://127.0.0.1:{proxy}"})


class Bucket(http.server.BaseHTTPRequestHandler):
    """A bucket that answers as S3 does: `code` and `region` of its XML."""

    protocol_version = "HTTP/1.1"
    status, code, region, skew, asked = 200, "", "", 0, []

    def do_GET(self):
        type(self).asked.append((self.path, self.headers["Host"]))
        region = f"<Region>{self.region}</Region>" if self.region else ""
        body = f"<Error><Code>{self.code}</Code><Message>words of S3</Message>{region}</Error>".encode()
        self.send_response_only(self.status)
        self.send_header("Date", formatdate(time.time() + self.skew, usegmt=True))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def make_bucket_user(make_cirrus, tmp_path):
    """An installation that ships to a bucket at a port of this machine."""

    def make(port: int, bucket="metrics", region="eu-west-1"):
        (tmp_path / "access").write_text("AKIDTEST\n")
        (tmp_path / "secret").write_text("canary-secret\n")
        destination = {
            "kind": "s3", "bucket": bucket, "region": region, "endpoint": f"http://127.0.0.1:{port}",
            "access_key_file": str(tmp_path / "access"), "secret_key_file": str(tmp_path / "secret"),
        }  # fmt: skip
        return make_cirrus(destination=destination)

    return make


def test_bucket_is_fine(make_bucket_user):
    with upload_api(Bucket) as (port, asked):
        answer, first = examine(make_bucket_user(port))
        assert first is None, answer
        ((target, host),) = asked
        query = {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
        assert (urlsplit(target).path, host) == ("/metrics/", f"127.0.0.1:{port}")
        assert (query["list-type"], query["max-keys"]) == ("2", "1"), "it lists, which changes nothing"
        assert query["X-Amz-Credential"].startswith("AKIDTEST/") and "/eu-west-1/s3/" in query["X-Amz-Credential"]


def test_wrong_bucket(make_bucket_user):
    """As moto, which is somebody else's, answers it."""
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    try:
        _, port = moto.get_host_and_port()
        cirrus = make_bucket_user(port, bucket="no-such-bucket")
        check_first(cirrus, "bucket", ["no bucket no-such-bucket", f"127.0.0.1:{port}"])
    finally:
        moto.stop()


@pytest.mark.parametrize(
    "status, code, region",
    [
        (301, "PermanentRedirect", ""),
        (400, "AuthorizationQueryParametersError", "us-east-2"),
        (403, "AccessDenied", "us-east-2"),
    ],
)
def test_wrong_region(make_bucket_user, status, code, region):
    with upload_api(Bucket, status=status, code=code, region=region) as (port, _):
        first = check_first(make_bucket_user(port), "bucket", ["eu-west-1", region])
        assert region in first["advice"]


@pytest.mark.parametrize("code", ["InvalidAccessKeyId", "SignatureDoesNotMatch"])
def test_wrong_keys_of_a_bucket(make_bucket_user, code):
    with upload_api(Bucket, status=403, code=code) as (port, _):
        first = check_first(make_bucket_user(port), "key", ["refuses the keys", code])
        assert "canary" not in json.dumps(first)


def test_clock_is_off_at_a_bucket(make_bucket_user):
    with upload_api(Bucket, status=403, code="RequestTimeTooSkewed", skew=3600) as (port, _):
        check_first(make_bucket_user(port), "clock", ["1h00m behind"])


def test_a_role_that_nobody_gives_keys_for(make_cirrus):
    with upload_api(Bucket) as (port, asked):
        endpoint = f"http://127.0.0.1:{port}"
        cirrus = make_cirrus(destination={"kind": "s3", "bucket": "metrics", "endpoint": endpoint})
        nobody = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
        check_first(cirrus, "key", ["s3: "], env=nobody)
        assert asked == [], "no question without keys"


def test_a_volume_of_another_host(make_cirrus, encoder):
    cirrus = make_cirrus()
    service = cirrus.start(env={"HOSTNAME": "collector-0"})
    assert service.stop() == 0
    for host, count in (("collector-0", 0), ("collector-1", 1)):
        answer, first = examine(cirrus, env={"HOSTNAME": host})
        found = [check for check in answer["checks"] if "collector-0, of .shipperid; this host is" in check["text"]]
        assert first is None and len(found) == count, answer


def test_keys_that_may_only_write(make_bucket_user):
    with upload_api(Bucket, status=403, code="AccessDenied") as (port, _):
        answer, first = examine(make_bucket_user(port))
        assert first is None, answer


def test_unwritable_volume(make_cirrus):
    cirrus = make_cirrus()
    cirrus.data.chmod(0o500)
    first = check_first(cirrus, "volume", ["may not write", str(cirrus.data), "mode 0500"], under=as_plain_user())
    assert "--fix" in first["advice"]
    answer, first = examine(cirrus, "--fix", under=as_plain_user())
    assert first is None and answer["checks"][1]["state"] == "fixed", answer
    assert cirrus.data.stat().st_mode & 0o777 == 0o700


def test_no_volume(make_cirrus):
    cirrus = make_cirrus()
    cirrus.data.rmdir()
    check_first(cirrus, "volume", [str(cirrus.data), "no such directory"])
    answer, first = examine(cirrus, "--fix")
    assert first is None and cirrus.data.is_dir(), answer


def test_full_disk(make_volume, make_cirrus):
    volume = make_volume(64)
    cirrus = make_cirrus(limits={"reserve_bytes": "8Mi"}, wal={"segment_bytes": "1Mi"})
    volume.fill(volume.path / "ballast")
    check_first(cirrus, "disk", ["0 B of", "full", "503"])


def test_full_disk_under_a_running_service(make_volume, make_cirrus, encoder):
    volume = make_volume(64)
    cirrus = make_cirrus(limits={"reserve_bytes": "8Mi"}, wal={"segment_bytes": "1Mi"})
    fill(cirrus, encoder)
    volume.fill(volume.path / "ballast")
    check_first(cirrus, "disk", ["full", "503"], is_live=True)


def test_port_is_taken(make_cirrus):
    cirrus = make_cirrus()
    with socket.create_server(("127.0.0.1", cirrus.port)):
        check_first(cirrus, "port", [str(cirrus.port), "taken", f"pid {os.getpid()}"])


def test_second_instance(make_cirrus, encoder):
    one = make_cirrus("one")
    service = fill(one, encoder)
    two = make_cirrus("two", database={"storage_path": str(one.data)})
    first = check_first(two, "lock", ["another instance", str(one.port), str(two.port)], is_live=True)
    assert str(service.pid) in first["advice"]
    assert examine(one)[1] is None, "the first is fine"


def test_a_service_that_holds_both_locks_is_named_once(make_cirrus):
    cirrus = make_cirrus()
    service = cirrus.start()
    answer, _ = examine(cirrus, "--only", "lock")
    (lock,) = [check for check in answer["checks"] if check["check"] == "lock"]
    assert lock["state"] == "ok" and f"run pid {service.pid}, up " in lock["text"], lock


def test_lock_that_a_killed_service_left(make_cirrus, encoder):
    cirrus = make_cirrus()
    service = fill(cirrus, encoder)
    service.kill()
    check_first(cirrus, "lock", ["collector.lock", f"pid {service.pid}", "killed"], state="warn")
    cirrus.start()
    assert examine(cirrus)[1] is None


def test_lock_that_cannot_be_locked(make_cirrus):
    cirrus = make_cirrus()
    lock = cirrus.data / "collector.lock"
    lock.write_text("run pid 1\n")
    lock.chmod(0)
    check_first(cirrus, "lock", [str(lock), "permission denied"], under=as_plain_user())


def test_damaged_segment(make_cirrus, encoder):
    cirrus = make_cirrus(database={"cost_max_interval": "1h", "observability_max_interval": "1h"})
    service = fill(cirrus, encoder)
    # What comes first becomes a file at once; what follows stays in the log.
    wait_until(lambda: list(cirrus.data.glob("uploaded/*.parquet")), "a delivered file")
    store(cirrus, encoder, "later")
    assert service.stop() == 0
    segment = max((cirrus.data / "wal").glob("*.wal"), key=lambda path: path.stat().st_size)
    data = bytearray(segment.read_bytes())
    data[4200] ^= 0x10
    segment.write_bytes(data)
    first = check_first(cirrus, "log", ["damaged from byte 4096"])
    assert first["advice"] == f"czctl inspect wal {segment}"


def test_damaged_ledger(make_cirrus, encoder):
    cirrus = make_cirrus()
    service = fill(cirrus, encoder)
    cirrus.drain()
    assert service.stop() == 0
    ledger = cirrus.data / "ledger.sqlite"
    data = bytearray(ledger.read_bytes())
    data[100:4000] = b"\xff" * 3900
    ledger.write_bytes(data)
    check_first(cirrus, "ledger", [str(ledger)])


def test_expired_certificate(make_cirrus, tmp_path):
    certificate, key = Authority("ours").issue(days=-2).files(tmp_path / "server")
    cirrus = make_cirrus(tls={"cert_file": str(certificate), "key_file": str(key)})
    check_first(cirrus, "tls", ["tls.cert_file", str(certificate), "expired 2d"])


def test_certificate_that_ends_soon_and_one_that_is_not_its_keys(make_cirrus, tmp_path):
    authority = Authority("ours")
    certificate, key = authority.issue(days=3).files(tmp_path / "server")
    cirrus = make_cirrus(tls={"cert_file": str(certificate), "key_file": str(key)})
    check_first(cirrus, "tls", ["expires in "], state="warn")
    _, other = authority.issue().files(tmp_path / "other")
    shutil.copy(other, key)
    check_first(cirrus, "tls", [str(key), "not the key"])


def test_a_file_where_the_destination_should_be(make_cirrus):
    cirrus = make_cirrus()
    cirrus.destination.write_text("in the way")
    check_first(cirrus, "destination", [str(cirrus.destination), "no directory"])


def test_bad_configuration(make_cirrus):
    cirrus = make_cirrus(database={"cost_max_interval": "10 minutes"})
    answer, first = examine(cirrus)
    assert first["check"] == "config" and "cost_max_interval" in first["text"]
    assert {check["state"] for check in answer["checks"][1:]} == {"skip"}


def test_failed_files_go_back_when_the_way_is_free(make_cirrus, encoder):
    cirrus = make_cirrus(cloudzero={"http_max_retries": 0, "send_interval": "1s"})
    cirrus.destination.write_text("in the way")
    service = fill(cirrus, encoder)
    wait_until(lambda: cirrus.status()["files"]["failed"] > 0, "a failed file", 60)
    assert service.stop() == 0
    _, first = examine(cirrus, "--fix")
    assert first["check"] == "destination"
    cirrus.destination.unlink()
    _, first = examine(cirrus)
    assert first["check"] == "files" and "failed" in first["text"]
    answer, first = examine(cirrus, "--fix")
    assert first is None and "fixed" in [check["state"] for check in answer["checks"]], answer
    with sqlite3.connect(cirrus.data / "ledger.sqlite") as ledger:
        assert ledger.execute("SELECT DISTINCT state FROM shipment").fetchall() == [("discovered",)]


def test_the_collectors_part(make_uploader):
    """Its container may have no key, and reach nobody."""
    answer, first = examine(make_uploader(free_port()), "--role", "collector")
    assert first is None, answer
    assert {check["state"] for check in answer["checks"] if check["check"] in ("api", "key", "clock")} == {"skip"}


def test_only_what_is_asked_for(make_uploader):
    port = free_port()
    cirrus = make_uploader(port)
    answer, first = examine(cirrus, "--only", "disk", "--only", "key")
    assert [check["check"] for check in answer["checks"]] == ["disk", "key"]
    assert answer["checks"][1]["text"] == "needs api" and first is None
    assert cirrus.command("doctor", "--only", "nonsense").returncode == 2


def test_a_volume_alone(make_cirrus, tmp_path):
    cirrus = make_cirrus()
    result = cirrus.command("doctor", "--data", cirrus.data, "-o", "json")
    states = {check["check"]: check["state"] for check in json.loads(result.stdout)["checks"]}
    assert result.returncode == 0 and states["disk"] == "ok" and states["port"] == "skip", result.stdout
