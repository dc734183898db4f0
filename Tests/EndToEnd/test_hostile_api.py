"""An upload API that wants to lead the shipper astray, drown it, hold it, or make it tell secrets.

The API and the bucket speak TLS (fault_api.py); besides S3's, `cloudzero.upload_hosts` allows this server alone.
"""

import json
import re
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest
import requests

import fault_api as api
import faults
from certificates import Authority
from fault_api import API_KEY, SIGNATURE, FaultAPI, Side
from processes import wait_until
from s3_servers import put_in_outbox

MIB = 1 << 20
ATTEMPT_SECONDS = 2
MEMORY_LIMIT = 24 * MIB


class Trap:
    """Listens where nobody may come, and counts who comes."""

    def __init__(self):
        self.visits: list[str] = []
        self.sockets: list[socket.socket] = []
        self.port = self._listen("127.0.0.1", 0)
        low = [(address, port) for address in ("127.0.0.1", "::1") for port in (443, 80)]
        for address, port in [("127.0.0.2", self.port), ("::1", self.port), *low]:
            try:
                self._listen(address, port)
            except OSError:
                continue  # no IPv6, or no right to low ports: the others do

    def _listen(self, address: str, port: int) -> int:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = socket.create_server((address, port), family=family)
        self.sockets.append(listener)
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener.getsockname()[1]

    def _accept(self, listener: socket.socket):
        while True:
            try:
                connection, peer = listener.accept()
            except OSError:
                return
            self.visits.append(f"{listener.getsockname()} from {peer}")
            connection.close()

    def stop(self):
        for listener in self.sockets:
            listener.shutdown(socket.SHUT_RDWR)  # wakes the thread, which would keep the port
            listener.close()


@pytest.fixture
def trap():
    made = Trap()
    yield made
    made.stop()


@pytest.fixture
def authority(tmp_path):
    made = Authority("private")
    made.file(tmp_path / "ca.pem")
    return made


@pytest.fixture
def server(authority, tmp_path):
    made = FaultAPI(tls=authority.issue().files(tmp_path / "server"))
    yield made
    made.stop()
    assert made.errors == []


@pytest.fixture
def install(make_cirrus, server, tmp_path):
    """Makes an installation and its side of the server."""

    def make(name: str = "cirrus", **cloudzero):
        side = server.side(name)
        (tmp_path / f"{name}-key").write_text(API_KEY + "\n")
        cirrus = make_cirrus(name, destination={"kind": "cloudzero"}, http={"ca_file": str(tmp_path / "ca.pem")},
            cloudzero={
                "api_key_path": str(tmp_path / f"{name}-key"), "host": f"{server.host}/{name}", "send_interval": "1s",
                "upload_hosts": ["*.amazonaws.com", server.host], "http_max_wait": "100ms",
                "send_timeout": f"{ATTEMPT_SECONDS}s",
            } | cloudzero)  # fmt: skip
        return cirrus, side

    return make


def outbox(cirrus) -> list[Path]:
    return list((cirrus.data / "outbox").iterdir())


def put_files(cirrus, count: int, byte_count: int = 600) -> dict[str, bytes]:
    return dict(put_in_outbox(cirrus.data, number, byte_count) for number in range(count))


def errors(cirrus) -> dict[str, str]:
    """File and error code, of those that failed."""
    result = cirrus.command("files", "list", "--state", "failed", "--config", cirrus.config, "-o", "json")
    assert result.returncode == 0, result.stderr
    return {row["id"]: row["last_error"]["code"] for row in json.loads(result.stdout)["files"]}


def deliver(cirrus, side: Side, shipper, sent: dict[str, bytes], seconds: float = 60):
    """The server is good from now on: everything arrives."""
    for scripted in side.faults.values():
        scripted.clear()
    cirrus.command("retry", "--all", "--config", cirrus.config)
    wait_until(lambda: not outbox(cirrus), f"an empty outbox\n{shipper.tail()}", seconds)
    assert side.content() == sent
    assert side.violations == [] and side.trapped == []


def hostile_urls(trap: int, home: int) -> list[str]:
    """`trap` is a port where a trap listens on loopback addresses, `home` the allowed server's."""
    tail = f"/bucket/x?X-Amz-Date=20260101T000000Z&X-Amz-Expires=604800&X-Amz-Signature={SIGNATURE}"
    s3 = "s3.amazonaws.com"
    hosts = [  # addresses in every notation
        "127.0.0.1", "127.0.0.2", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7F.1", "0x7f.0x0.0x0.0x1",
        "0177.0.0.1", "017700000001", "127.0.0.1.", "0.0.0.0", "0", "[::1]", "[::]", "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]", "[0:0:0:0:0:0:0:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[::1%25lo]", "[::1%lo]",
        "[fe80::1%25lo]", "[fc00::1]", "169.254.169.254", "[fd00:ec2::254]", "10.0.0.1", "172.16.0.1", "192.168.0.1",
        "100.100.100.200", "1.1.1.1", "0xa9fea9fe", "2852039166", "\u2460\u2461\u2466.\u24ea.\u24ea.\u2460",
        "127\u30020\u30020\u30021", "%31%32%37.0.0.1", "localhost", "LOCALHOST", "localhost.", "trap.localhost",
        # names that look like S3's
        "amazonaws.com", "evilamazonaws.com", "s3-amazonaws.com", f"{s3}.localhost", f"{s3}.", f"{s3}..",
        ".amazonaws.com", "..amazonaws.com", "*.amazonaws.com", "s3_.amazonaws.com", f"{s3}%00.localhost",
        f"{s3}%2elocalhost", f"{s3},localhost", f"{s3};localhost", f"localhost;.{s3}", "s3.amazonaws\u3002com",
        "s3.\u0430mazonaws.com", "s3.amazonaws.co", f"localhost\\.{s3}", f"localhost\\@{s3}", f"{s3} localhost",
        f"localhost\0.{s3}", f"localhost\r\n.{s3}", f"localhost\t.{s3}", f"[{s3}]", f"[::1].{s3}", f"[::1]{s3}",
    ]  # fmt: skip
    made = [f"https://{host}{tail}" for host in hosts]
    made += [f"https://{host}:{trap}{tail}" for host in hosts]
    users = [f"{s3}@", "user@", "user:password@", f"{s3}:443@", f"127.0.0.1:{home}@", "@", ":@", f"{s3}%40", f"{s3}\\@"]
    made += [f"https://{user}127.0.0.1:{trap}{tail}" for user in users]
    made += [f"https://{user}{s3}{tail}" for user in users[:7]]
    ports = ["80", "8443", "22", "0", "65536", "9" * 20, "-1", "+443", "443:443", " 443", "", "0x1bb", "44e1", "443."]
    made += [f"https://{s3}:{port}{tail}" for port in ports] + [f"https://127.0.0.1:{home}.{tail}"]
    schemes = [
        "http", "HTTP", "ftp", "gopher", "file", "dict", "ldap", "smtp", "telnet", "ws", "wss", "s3", "scp", "httpsx",
        "xhttps", "h\ttps", "https ", "-K", "javascript", "",
    ]  # fmt: skip
    made += [f"{scheme}://{host}{tail}" for scheme in schemes for host in (f"127.0.0.1:{trap}", s3)]
    made.append(f"http://127.0.0.1:{home}{tail}")
    place = f"127.0.0.1:{trap}{tail}"
    made += [
        f"https:/{place}", f"https:{place}", f"https:///{place}", f"https:\\\\{place}", f"https:/\\{place}", place,
        f"//{place}", f"/{place}", f" https://{place}", f"\0https://{place}", f"\ufeffhttps://{place}", "https://",
        f"https://?{tail}", f"https://#{tail}", f"https://127.0.0.1:{trap}#.{s3}/", f"https://127.0.0.1:{trap}?.{s3}/",
        f"https://{s3}/#@{place}", f"https://{s3}/\r\nHost: localhost{tail}", f"https://{s3}/\x7f", f"https://{s3}/\n",
        f"https://{s3}/{'x' * 9000}", f"https://{'x' * 9000}.{s3}/", f"https://{'x.' * 5000}{s3}/", "data:,x",
        "file:///etc/passwd", "/etc/passwd", "-o/tmp/x", "", " ", "\0", "{}", "https", f"https://{s3}\u2028/",
        f"https://{s3}/\u00e9",
    ]  # fmt: skip
    return made


def test_no_hostile_url_is_contacted(install, server, trap, tmp_path, summarize):
    cirrus, side = install()
    hostile = hostile_urls(trap.port, int(server.host.rsplit(":", 1)[1]))
    assert len(set(hostile)) == len(hostile) >= 60
    sent = put_files(cirrus, len(hostile))
    # The ids of more than one call: which gets which URL is kept.
    given = dict(zip(sorted(sent), hostile, strict=True))
    side.faults["upload"] = [faults.urls(lambda _, good: {key: given[key] for key in good})] * 1000
    trace = tmp_path / "trace"
    words = ["strace", "-D", "-f", "--seccomp-bpf", "--quiet=all", "-e", "trace=connect", "-o", str(trace)]
    shipper = cirrus.start("shipper", under=words)
    failed = wait_until(lambda: len(found := errors(cirrus)) == len(sent) and found, f"failures\n{shipper.tail()}", 60)
    odd = {given[file]: code for file, code in failed.items() if code != "err-no-urls"}
    assert odd == {}
    assert trap.visits == [] and side.count("put") == 0 and side.objects == {}
    # Neither did it ask a name server.
    home = f'sin_port=htons({server.host.rsplit(":", 1)[1]}), sin_addr=inet_addr("127.0.0.1")'
    connections = re.findall(r"connect\(.*AF_INET.*", trace.read_text())
    assert connections and [one for one in connections if home not in one] == []
    deliver(cirrus, side, shipper, sent)
    assert trap.visits == []
    assert_no_secrets(cirrus, shipper)
    summarize(f"hostile API: {len(hostile)} URLs, 0 contacted, {len(side.objects)} files delivered afterwards")


def test_a_name_that_leads_to_a_private_address_is_not_connected(install, server, trap):
    """`*.localhost` is allowed by its name; where it leads is not."""
    if not any(listener.getsockname()[1] == 443 for listener in trap.sockets):
        pytest.skip("needs the right to listen on port 443")
    cirrus, side = install(upload_hosts=["*.localhost", server.host])
    sent = put_files(cirrus, 3)
    side.faults["upload"] = [faults.urls(lambda one, good: {
        key: one.url(key, base="https://trap.localhost") for key in good})] * 1000  # fmt: skip
    shipper = cirrus.start("shipper")
    wait_until(lambda: len(errors(cirrus)) == 3, f"failures\n{shipper.tail()}", 60)
    assert trap.visits == []
    deliver(cirrus, side, shipper, sent)
    assert trap.visits == []


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(install, trap, code):
    cirrus, side = install()
    sent = put_files(cirrus, 2)
    away = [
        faults.status(code, Location=f"https://127.0.0.1:{trap.port}/x"),
        faults.status(code, Location=f"http://127.0.0.1:{trap.port}/x"),
        faults.status(code, Location="//localhost/x"),
        faults.redirect(code),
    ]
    side.faults["upload"], side.faults["put"] = list(away), list(away)
    shipper = cirrus.start("shipper")

    def served() -> bool:
        cirrus.command("retry", "--all", "--config", cirrus.config)
        return side.behaves

    wait_until(served, f"all redirects\n{shipper.tail()}", 60, every=0.3)
    deliver(cirrus, side, shipper, sent)
    assert trap.visits == [] and side.served == 8


def byte_a_second(x: api.Exchange):
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n" + b" " * 60:
        x.raw(bytes([byte]))
        time.sleep(1)


def endless_header(x: api.Exchange):
    x.raw(b"HTTP/1.1 200 OK\r\n")
    for number in range(1_000_000):
        x.raw(b"X-%d: %s\r\n" % (number, b"x" * 1000))


def endless_interim(x: api.Exchange):
    while True:
        x.raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


FLOODS = {
    "100 MB": faults.flood(100), "100 MB without length": faults.flood(100, says_length=False),
    "endless": faults.dribble, "error of 100 MB": faults.flood(100, 500), "byte a second": byte_a_second,
    "silence": faults.slow(3600),
    "endless header": endless_header, "endless interim answers": endless_interim,
    "header line of 10 MB": lambda x: x.raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10 * MIB),
}  # fmt: skip


def test_floods_and_stalls_are_bounded(install, summarize):
    """Each as the answer to allocate and to PUT, one installation, one shipper: its memory and the time."""
    cirrus, side = install()
    shipper = cirrus.start("shipper")
    sent = put_files(cirrus, 1)
    wait_until(lambda: not outbox(cirrus), f"a first delivery\n{shipper.tail()}")
    Path(f"/proc/{shipper.pid}/clear_refs").write_text("5")  # the peak counts from now, not from the start
    idle = shipper.peak_memory_bytes()
    side.faults["upload"], side.faults["put"] = list(FLOODS.values()), list(FLOODS.values())
    start = time.monotonic()
    sent |= dict([put_in_outbox(cirrus.data, number) for number in range(1, 4)])

    def served() -> bool:
        cirrus.command("retry", "--all", "--config", cirrus.config)
        assert shipper.running, shipper.tail()
        return side.behaves

    # Each stalls an attempt for its time at most; a cycle and a retry come between some.
    limit = 2 * len(FLOODS) * (ATTEMPT_SECONDS + 2)
    wait_until(served, f"all floods\n{shipper.tail()}", limit, every=0.5)
    deliver(cirrus, side, shipper, sent)
    seconds, grown = time.monotonic() - start, shipper.peak_memory_bytes() - idle
    assert grown <= MEMORY_LIMIT
    summarize(
        f"hostile API: {side.served} floods and stalls in {seconds:.0f} s, peak memory {idle / MIB:.0f} MiB idle "
        f"and {grown / MIB:.1f} MiB more"
    )


def reflections() -> dict[str, api.Fault]:
    """Answers that hold what the request held: the key of a call, the presigned URL of a PUT."""

    def secret(x: api.Exchange) -> str:
        return SIGNATURE if x.kind == "put" else API_KEY

    def words(x: api.Exchange) -> str:
        url = f"{x.side.base.removesuffix('/' + x.side.name)}{x.handler.path}"
        headers = str(x.handler.headers).strip().replace("\r", "").replace("\n", "; ")
        return f"refused: {secret(x)} {headers} {url}"

    return {
        "JSON": lambda x: x.send(400, json.dumps({"message": words(x)})),
        "JSON in JSON": lambda x: x.send(400, json.dumps({"body": json.dumps({"message": words(x)})})),
        "XML": lambda x: x.send(400, api.xml("InvalidRequest", words(x))),
        "XML code": lambda x: x.send(400, api.xml(words(x), "x")),
        "text": lambda x: x.send(400, words(x)),
        "401": lambda x: x.send(401, json.dumps({"message": f"key={secret(x)}"})),
        "quoted": lambda x: x.send(400, json.dumps({"message": f"'{secret(x)}',"})),
        "signature": lambda x: x.send(403, api.xml("SignatureDoesNotMatch", f"got {secret(x)}")),
        "URL": lambda x: x.send(403, api.xml("AccessDenied", f"{x.side.base}{x.handler.path}")),
        "query": lambda x: x.send(403, api.xml("AccessDenied", x.handler.path.split("?")[1])),
        "headers": lambda x: x.send(
            400, "{}", ETag=secret(x), X_Amz_Request_Id=secret(x), Date=secret(x), Retry_After=secret(x),
            X_CloudZero_Replay=secret(x)),
        "reason": lambda x: x.raw(f"HTTP/1.1 400 {secret(x)}\r\nContent-Length: 0\r\n\r\n".encode()),
        "no HTTP": lambda x: x.raw(f"{secret(x)}\r\n\r\n".encode()),
        "bad map": lambda x: (x.kind == "put" and x.store(), x.send(200, json.dumps([secret(x)]))),
    }  # fmt: skip


def assert_no_secrets(cirrus, shipper):
    outputs = {
        "log": shipper.log.read_text(),
        "metrics": requests.get(f"http://127.0.0.1:{cirrus.shipper_port}/metrics", timeout=30).text,
        "status": json.dumps(cirrus.status()),
        "status text": cirrus.command("status", "--config", cirrus.config).stdout,
        "files": cirrus.command("files", "list", "--config", cirrus.config, "-o", "json").stdout,
        "ledger": (cirrus.data / "ledger.sqlite").read_bytes().decode(errors="replace"),
    }
    for name, text in outputs.items():
        assert "canary" not in text, f"{name}: …{text[max(0, text.index('canary') - 300) :][:400]}…"


@pytest.mark.parametrize("how", list(reflections()))
def test_reflected_secrets_are_not_repeated(install, how):
    cirrus, side = install()
    fault = reflections()[how]
    sent = put_files(cirrus, 2)
    side.faults["upload"], side.faults["put"] = [fault], [fault] * 2
    shipper = cirrus.start("shipper")

    def served() -> bool:
        cirrus.command("retry", "--all", "--config", cirrus.config)
        return side.behaves

    wait_until(served, f"all answers\n{shipper.tail()}", 60, every=0.3)
    deliver(cirrus, side, shipper, sent)
    assert_no_secrets(cirrus, shipper)


@pytest.mark.parametrize("fault", ["unknown", "expired", "old"])
def test_an_api_that_is_not_trusted_learns_nothing(install, authority, server, tmp_path, fault):
    """Not the key: the handshake fails before a request is made."""
    days = -1 if fault == "expired" else 1
    issuer = Authority("another") if fault == "unknown" else authority
    other = FaultAPI(tls=issuer.issue(days=days).files(tmp_path / "other"))
    if fault == "old":
        other.server.socket.context.minimum_version = ssl.TLSVersion.TLSv1
        other.server.socket.context.set_ciphers("ALL:@SECLEVEL=0")
        other.server.socket.context.maximum_version = ssl.TLSVersion.TLSv1_1
    try:
        cirrus, side = install(host=f"{other.host}/cirrus")
        other.sides["cirrus"] = side
        put_files(cirrus, 1)
        shipper = cirrus.start("shipper")
        wait_until(lambda: "err-http-request-failed" in errors(cirrus).values(), f"a failure\n{shipper.tail()}")
        assert side.requests == [] and len(outbox(cirrus)) == 1
    finally:
        other.stop()
