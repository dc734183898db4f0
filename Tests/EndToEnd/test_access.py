"""Who may use the ports of `czctl collector`: TLS, client certificates, tokens and passwords, each from files that
change while it runs; and what SIGHUP changes."""

import base64
import http.client
import json
import signal
import socket
import ssl
import time
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from certificates import Authority, Leaf
from parquet_rows import read_rows
from processes import wait_until
from remote_write import V1, snappy
from test_prometheus import Prometheus
from test_v2_sender import START_MS, series_labels

TOKEN = "canary-Token_1.2~3"
USER, PASSWORD = "prometheus", "canary:pass wörd"
PROBES = ["/livez", "/readyz", "/healthz", "/readyz?verbose"]
REFUSED = "handshake refused"
# The interval of 10 s, and the time of a busy machine.
SWAP_SECONDS = 15 + 15


def bearer(token: str = TOKEN) -> dict:
    return {"Authorization": f"Bearer {token}"}


def basic(password: str = PASSWORD) -> dict:
    return {"Authorization": "Basic " + base64.b64encode(f"{USER}:{password}".encode()).decode()}


class Site:
    """A collector with files that say who may use it, and clients of every kind."""

    def __init__(self, make_cirrus, home: Path, kinds: set[str], **overrides):
        self.home = home
        self.kinds = kinds
        self.authority = Authority("ours")
        self.clients = Authority("clients")
        keys = dict(overrides)
        if "tls" in kinds or "mtls" in kinds:
            certificate, key = self.authority.issue().files(home / "server")
            keys["tls"] = {"cert_file": str(certificate), "key_file": str(key)}
        if "mtls" in kinds:
            keys["tls"]["client_ca_file"] = str(self.clients.file(home / "clients.pem"))
        keys["auth"] = {}
        if "bearer" in kinds:
            self.token_file = home / "token"
            self.token_file.write_text(f"older-token\n{TOKEN}\n")
            keys["auth"]["bearer_file"] = str(self.token_file)
        if "basic" in kinds:
            (home / "users").write_text(f"someone:else\r\n{USER}:{PASSWORD}\n")
            keys["auth"]["basic_file"] = str(home / "users")
        self.cirrus = make_cirrus("cirrus", **keys)

    @property
    def is_secure(self) -> bool:
        return "tls" in self.kinds or "mtls" in self.kinds

    def start(self, role: str = "collector"):
        self.program = self.cirrus.spawn(role)
        wait_until(lambda: self.program.running and self.probe() == 200, "the collector")
        return self

    def probe(self):
        try:
            return self.request("GET", "/readyz")[0]
        except OSError:
            return None

    def context(self, client: Leaf | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self.authority.pem.decode())
        if client:
            context.load_cert_chain(*client.files(self.home / f"client-{client.serial}"))
        return context

    def connect(self, client: Leaf | None = None, host: str = "127.0.0.1") -> http.client.HTTPConnection:
        if self.is_secure:
            return http.client.HTTPSConnection(host, self.cirrus.port, timeout=60, context=self.context(client))
        return http.client.HTTPConnection(host, self.cirrus.port, timeout=60)

    def request(self, method, path, headers=None, body=None, client=None):
        """The status and the headers; REFUSED when the server ends the handshake."""
        with closing(self.connect(client)) as connection:
            try:
                connection.request(method, path, body, headers or {})
                response = connection.getresponse()
            except (ssl.SSLError, ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected):
                if client is None:
                    raise
                # The client's handshake ends before the server has looked at its certificate.
                return REFUSED, {}
            response.read()
            return response.status, response.headers

    def post(self, body: bytes, headers=None, client=None):
        fields = {"Content-Type": V1, "Content-Encoding": "snappy"} | (headers or {})
        return self.request("POST", "/api/v1/write", fields, snappy(body), client)

    def credentials(self) -> dict:
        headers = bearer() if "bearer" in self.kinds else basic() if "basic" in self.kinds else {}
        return {"headers": headers, "client": self.clients.issue_client() if "mtls" in self.kinds else None}

    def metric(self, series: str) -> float:
        shown = self.credentials()
        with closing(self.connect(shown["client"])) as connection:
            connection.request("GET", "/metrics", headers=shown["headers"])
            for line in connection.getresponse().read().decode().splitlines():
                if line.startswith(series + " "):
                    return float(line.split()[-1])
        raise AssertionError(f"no {series}")

    def hang_up(self):
        self.program.process.send_signal(signal.SIGHUP)

    def log(self) -> list[dict]:
        return [json.loads(line) for line in self.program.log.read_text().splitlines()]

    def log_lines(self, message: str) -> list[dict]:
        return [line for line in self.log() if message in line["msg"]]


def message(encoder, start: int = 0, count: int = 3) -> bytes:
    return encoder.v1([(series_labels(n, "access"), [(START_MS, float(n))]) for n in range(start, start + count)])


def row_count(site: Site) -> int:
    """Rows that were shipped; 0 before the first file."""
    folder = site.cirrus.destination
    return len(read_rows(folder)) if any(folder.rglob("*.parquet")) else 0


def attempts(site: Site) -> list[tuple[dict, Leaf | None, object]]:
    """Right, wrong and missing credentials of each kind, and what a protected path answers."""
    right, kinds = site.credentials(), site.kinds & {"bearer", "basic", "mtls"}
    found = [(right["headers"], right["client"], 200)]
    if not kinds:
        found += [(bearer("any"), None, 200)]
    if "bearer" in kinds:
        for wrong in ("x", TOKEN + "x", TOKEN[:-1], TOKEN.swapcase()):
            found.append((bearer(wrong), right["client"], 403))
        found.append((bearer("older-token"), right["client"], 200))
    if "basic" in kinds:
        found += [(basic(), right["client"], 200), (basic("wrong"), right["client"], 403)]
    if kinds & {"bearer", "basic"}:
        found.append(({}, right["client"], 401))
        found.append(({"Authorization": "Negotiate abc"}, right["client"], 401))
    if "mtls" in kinds:
        found.append((right["headers"], None, 403))
        found.append((right["headers"], Authority("clients").issue_client(), REFUSED))
    return found


@pytest.mark.parametrize(
    "kinds", ["", "tls", "bearer", "bearer tls", "basic tls", "bearer basic tls", "mtls", "mtls bearer"]
)
def test_who_may_enter(make_cirrus, tmp_path, encoder, kinds):
    site = Site(make_cirrus, tmp_path, set(kinds.split())).start()
    refused = entered = 0
    for number, (headers, client, expected) in enumerate(attempts(site)):
        what = f"{kinds}: {headers} {'with a certificate' if client else ''}"
        status, answer = site.post(message(encoder, 3 * number), headers, client)
        assert status == (204 if expected == 200 else expected), what
        if expected == 401:
            schemes = [value.split()[0].lower() for value in answer.get_all("WWW-Authenticate")]
            assert schemes == [kind for kind in ("bearer", "basic") if kind in site.kinds]
        assert site.request("GET", "/metrics", headers, client=client)[0] == expected, what
        assert site.request("GET", "/nothing", headers, client=client)[0] == (404 if expected == 200 else expected)
        for probe in PROBES:
            assert site.request("GET", probe, headers, client=client)[0] == (REFUSED if expected is REFUSED else 200)
        refused += 3 if expected in (401, 403) else 0
        entered += expected == 200
    assert site.metric('cirrus_requests_refused_total{reason="auth"}') == refused
    # The operator's socket asks for nothing but the directory.
    assert site.cirrus.status()["schema"] == "czctl.status/v1"
    site.cirrus.drain()
    assert row_count(site) == 3 * entered
    assert "canary" not in site.program.log.read_text(), "no credential in the log"


def test_certificates_that_are_refused(make_cirrus, tmp_path):
    site = Site(make_cirrus, tmp_path, {"mtls"}).start()
    assert site.request("GET", "/metrics", client=site.clients.issue_client())[0] == 200
    before = site.metric('cirrus_connections_refused_total{reason="handshake"}')
    bad = [site.clients.issue_client(days=-1), site.clients.issue(), site.authority.issue_client()]
    for client in bad:
        assert site.request("GET", "/metrics", client=client)[0] is REFUSED
        assert site.request("GET", "/livez", client=client)[0] is REFUSED
    assert site.metric('cirrus_connections_refused_total{reason="handshake"}') >= before + 2 * len(bad)


def test_old_versions_and_plain_text_are_refused(make_cirrus, tmp_path):
    site = Site(make_cirrus, tmp_path, {"tls"}).start()
    for version, is_taken in [(ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True)]:
        context = site.context()
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = version
        with closing(http.client.HTTPSConnection("127.0.0.1", site.cirrus.port, context=context)) as connection:
            if is_taken:
                connection.request("GET", "/livez")
                assert connection.getresponse().status == 200
            else:
                with pytest.raises((ssl.SSLError, ConnectionError)):
                    connection.connect()
    with socket.create_connection(("127.0.0.1", site.cirrus.port), timeout=60) as plain:
        plain.sendall(b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n")
        assert b"HTTP/1.1 200" not in plain.recv(4096)
    assert site.probe() == 200


def secret(folder: Path, generation: str, leaf: Leaf):
    """A secret as Kubernetes mounts it: files → ..data → a folder that is swapped by one rename."""
    leaf.files(folder / generation)
    link = folder / "..data.new"
    link.symlink_to(generation)
    link.rename(folder / "..data")


def test_a_certificate_is_swapped(make_cirrus, tmp_path, encoder):
    folder = tmp_path / "secret"
    site = Site(make_cirrus, tmp_path, {"tls"})
    first, second = site.authority.issue(), site.authority.issue(days=2)
    secret(folder, "..2026_1", first)
    for file in ("tls.crt", "tls.key"):
        (folder / file).symlink_to(f"..data/{file}")
    keys = yaml.safe_load(site.cirrus.config.read_text())
    keys["tls"] = {"cert_file": str(folder / "tls.crt"), "key_file": str(folder / "tls.key")}
    site.cirrus.config.write_text(yaml.safe_dump(keys))
    site.start()

    def served() -> int:
        with closing(site.connect()) as connection:
            connection.connect()
            return x509.load_der_x509_certificate(connection.sock.getpeercert(binary_form=True)).serial_number

    assert served() == first.serial
    old = site.connect()
    old.request("GET", "/livez")  # from its first request on it may be idle for a minute
    assert old.getresponse().read()
    secret(folder, "..2026_2", second)
    swapped = time.monotonic()
    wait_until(lambda: served() == second.serial, "the new certificate", SWAP_SECONDS)
    print(f"served after {time.monotonic() - swapped:.1f} s")
    ends = second.certificate.not_valid_after_utc.timestamp()
    assert site.metric("cirrus_tls_certificate_not_after_timestamp_seconds") == ends
    # The connection of before goes on, with what it has agreed.
    socket_before = old.sock
    for _ in range(3):
        old.request("POST", "/api/v1/write", snappy(message(encoder)), {"Content-Type": V1})
        assert old.getresponse().read() == b"" and old.sock is socket_before

    # A key that is not the certificate's: the old pair stays, and everyone can see why.
    mixed = site.authority.issue()
    mixed.key_pem = first.key_pem
    secret(folder, "..2026_3", mixed)
    site.hang_up()
    wait_until(lambda: site.metric("cirrus_tls_last_reload_successful") == 0, "the bad pair to be noticed")
    assert served() == second.serial
    errors = site.log_lines("TLS certificate and key cannot be used")
    assert errors[-1]["level"] == "error"
    assert str(folder / "tls.key") in errors[-1]["error"] and str(folder / "tls.crt") in errors[-1]["error"]
    secret(folder, "..2026_4", first)
    site.hang_up()
    wait_until(lambda: served() == first.serial, "the mended pair")
    assert site.metric("cirrus_tls_last_reload_successful") == 1


def test_credentials_are_swapped(make_cirrus, tmp_path):
    site = Site(make_cirrus, tmp_path, {"bearer"}).start()
    site.token_file.write_text("")
    site.hang_up()
    wait_until(lambda: site.metric("cirrus_auth_last_reload_successful") == 0, "the empty file to be noticed")
    assert "it is empty" in site.log_lines("credentials cannot be used")[-1]["error"]
    assert site.request("GET", "/metrics", bearer())[0] == 200, "the old token holds"
    site.token_file.write_text("brand-new")
    site.hang_up()
    wait_until(lambda: site.request("GET", "/metrics", bearer("brand-new"))[0] == 200, "the new token")
    assert site.request("GET", "/metrics", bearer())[0] == 403


@pytest.mark.parametrize("content", [None, "", "\n\n", "two words\n"])
def test_a_bad_credentials_file_stops_the_start(make_cirrus, tmp_path, content):
    site = Site(make_cirrus, tmp_path, {"bearer"})
    site.token_file.unlink()
    if content is not None:
        site.token_file.write_text(content)
    program = site.cirrus.spawn("collector")
    assert program.wait_end() == 2
    assert f"auth.bearer_file {site.token_file}" in program.tail()


@pytest.mark.parametrize("kinds", ["bearer", "bearer tls"])
@pytest.mark.parametrize("authorization", ["", "Authorization: Bearer wrong\r\n"])
def test_strangers_are_answered_before_their_body(make_cirrus, tmp_path, kinds, authorization):
    site = Site(make_cirrus, tmp_path, set(kinds.split())).start()
    framings = ["Content-Length: 16000000\r\n", "Content-Length: 99\r\nExpect: 100-continue\r\n"]
    for framing in [*framings, "Transfer-Encoding: chunked\r\n"]:
        with closing(site.connect()) as connection:
            connection.connect()
            head = f"POST /api/v1/write HTTP/1.1\r\nHost: h\r\n{authorization}{framing}\r\n"
            connection.sock.sendall(head.encode())
            answer = http.client.HTTPResponse(connection.sock)
            answer.begin()  # skips a 100, which nobody may send
            assert answer.status == (403 if authorization else 401)
            assert answer.getheader("Connection") == "close"
            answer.read()
            # The end comes by itself, not when the body would.
            connection.sock.settimeout(20)
            assert connection.sock.recv(1) == b""


def test_large_bodies_over_tls(make_cirrus, tmp_path, encoder):
    site = Site(make_cirrus, tmp_path, {"tls"}).start()
    series = [(series_labels(n, "x" * 200), [(START_MS + t, float(t)) for t in range(50)]) for n in range(2000)]
    assert site.post(encoder.v1(series))[0] == 204
    with closing(site.connect()) as connection:
        connection.connect()
        body = snappy(message(encoder))
        head = f"POST /api/v1/write HTTP/1.1\r\nHost: h\r\nContent-Type: {V1}\r\nContent-Length: {len(body)}\r\n\r\n"
        # Byte by byte, each its own TLS record; then ten requests in one.
        for byte in head.encode() + body:
            connection.sock.sendall(bytes([byte]))
        connection.sock.sendall((head.encode() + body) * 10)
        received = b""
        while received.count(b"HTTP/1.1 204") < 11:
            received += connection.sock.recv(65536)
    assert site.metric("cirrus_samples_stored_total") == 100_000 + 3


def test_a_stop_ends_tls_connections_properly(make_cirrus, tmp_path):
    site = Site(make_cirrus, tmp_path, {"tls"}).start()
    with closing(site.connect()) as idle:
        idle.request("GET", "/livez")
        idle.getresponse().read()
        site.program.process.terminate()
        # A close_notify: recv gives an end, not an error of a truncated stream.
        assert idle.sock.recv(1) == b""
    assert site.program.wait_end() == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::"])
def test_addresses(make_cirrus, tmp_path, address):
    site = Site(make_cirrus, tmp_path, set(), server={"address": address})
    program = site.cirrus.spawn("collector")

    def answers(host: str) -> bool:
        try:
            with closing(http.client.HTTPConnection(host, site.cirrus.port, timeout=60)) as connection:
                connection.request("GET", "/readyz")
                return connection.getresponse().status == 200
        except ConnectionRefusedError:
            return False

    expected = {host: address in (host, "::") for host in ("127.0.0.1", "::1")}
    wait_until(lambda: program.running and any(answers(host) for host in expected), "the collector")
    assert {host: answers(host) for host in expected} == expected


@pytest.mark.parametrize("kinds", ["", "tls"])
def test_connections_of_one_address_are_limited(make_cirrus, tmp_path, kinds):
    site = Site(make_cirrus, tmp_path, set(kinds.split()), limits={"connections_per_address": 4}).start()
    # The connections of the start are closed, and the server may not have seen that yet.
    held = []
    try:

        def status() -> int:
            connection = site.connect()
            connection.request("GET", "/livez")
            response = connection.getresponse()
            response.read()
            if response.status == 200:
                held.append(connection)
            else:
                assert 1 <= int(response.getheader("Retry-After")) <= 5 and response.getheader("Connection") == "close"
                connection.close()
            return response.status

        wait_until(lambda: status() == 503, "the limit")
        wait_until(lambda: status() == 503 and len(held) == 4, "four connections")
        held.pop().close()
        wait_until(lambda: status() == 200, "room for one")
        held.pop().close()
        wait_until(lambda: site.metric('cirrus_connections_refused_total{reason="address"}') >= 2, "the count")
    finally:
        for connection in held:
            connection.close()


def change(site: Site, **keys):
    config = yaml.safe_load(site.cirrus.config.read_text())
    for key, value in keys.items():
        config[key] = config.get(key, {}) | value
    site.cirrus.config.write_text(yaml.safe_dump(config, sort_keys=False))


def reloaded(site: Site) -> dict:
    """SIGHUP, and the log line that follows it."""
    before = len(site.log_lines("configuration read again"))
    site.hang_up()
    wait_until(lambda: len(site.log_lines("configuration read again")) > before, "the reload")
    return site.log_lines("configuration read again")[-1]


def test_reload(make_cirrus, tmp_path, encoder):
    slow = {"database": {"cost_max_interval": "1h"}, "cloudzero": {"send_interval": "1h"}}
    site = Site(make_cirrus, tmp_path, set(), **slow).start("run")
    started = site.metric("cirrus_config_last_reload_success_timestamp_seconds")
    assert abs(started - time.time()) < 120 and site.metric("cirrus_config_last_reload_successful") == 1
    assert site.post(message(encoder, 0, 10))[0] == 204
    # A new volume's first batch leaves at once.
    wait_until(lambda: row_count(site) == 10, "the first file", 60)

    # Limits, of requests to come; a filter waits for the next start.
    change(site, limits={"body_bytes": "1Ki"}, metrics={"cost": [{"pattern": "no_such_metric", "match": "exact"}]})
    line = reloaded(site)
    assert line["changed"] == "limits.body_bytes" and line["needs_restart"] == "metrics.cost"
    assert site.post(message(encoder, 10, 9))[0] == 204
    assert site.metric("cirrus_samples_filtered_total") == 0
    assert site.post(message(encoder, 0, 1000))[0] == 400

    # Intervals: what is in the log leaves now.
    change(site, database={"cost_max_interval": "1s"}, cloudzero={"send_interval": "1s"})
    line = reloaded(site)
    assert line["changed"] == "database.cost_max_interval,cloudzero.send_interval"
    wait_until(lambda: row_count(site) == 19, "the second file", 60)

    # The level, both ways; the line itself is seen by the more talkative of the two.
    change(site, logging={"level": "error"})
    reloaded(site)
    shipped = len(site.log_lines("Successfully ran the shipper cycle"))
    assert site.post(message(encoder, 10, 3))[0] == 204
    wait_until(lambda: row_count(site) == 22, "the third file", 60)
    assert len(site.log_lines("Successfully ran the shipper cycle")) == shipped
    change(site, logging={"level": "info"})
    reloaded(site)
    wait_until(lambda: len(site.log_lines("Successfully ran the shipper cycle")) > shipped, "a talkative log")
    assert site.metric("cirrus_config_last_reload_success_timestamp_seconds") > started


def test_a_bad_file_changes_nothing(make_cirrus, tmp_path, encoder):
    site = Site(make_cirrus, tmp_path, set()).start()
    good = site.cirrus.config.read_text()
    config = site.cirrus.config
    limits = "limits:\n  body_bytes: 1Ki\n"
    bad = {
        good + limits + "logging:\n  level: loud\nserver2: {}\ndedup:\n  window: 10 minutes\n": ["loud", "10 minutes"],
        good.replace("cloudzero:\n", "cloudzero:\n  api_dialect: seed\n") + limits: ["cloudzero.api_dialect seed"],
        good + limits + "tls: [\n": [f"{config}:"],
    }
    for content, faults in bad.items():
        before = len(site.log_lines("configuration not taken over"))
        config.write_text(content)
        site.hang_up()
        wait_until(lambda: len(site.log_lines("configuration not taken over")) >= before + len(faults), "the faults")
        text = "\n".join(line["fault"] for line in site.log_lines("configuration not taken over")[before:])
        for fault in faults:
            assert fault in text
        assert site.metric("cirrus_config_last_reload_successful") == 0
        assert site.post(message(encoder, 0, 1000))[0] == 204, "the limit of before"
    lines = good.count("\n") + limits.count("\n")
    first = "\n".join(line["fault"] for line in site.log_lines("configuration not taken over"))
    assert f"{config}:{lines + 2}:10: logging.level" in first and f"{config}:{lines + 5}:11: dedup.window" in first
    config.write_text(good + limits)
    reloaded(site)
    assert site.metric("cirrus_config_last_reload_successful") == 1
    assert site.post(message(encoder, 0, 1000))[0] == 400


@pytest.mark.parametrize("kinds", [{"tls", "bearer"}, {"basic"}], ids=["tls-token", "password"])
def test_send_and_replay_reach_a_guarded_port(make_cirrus, tmp_path, kinds):
    site = Site(make_cirrus, tmp_path, kinds, database={"cost_max_interval": "1s"}).start("run")
    url = site.cirrus.write_url
    secret = ["--bearer-file", tmp_path / "sent-token"]
    (tmp_path / "sent-token").write_text(TOKEN + "\n")
    if "basic" in kinds:
        (tmp_path / "sent-user").write_text(f"{USER}:{PASSWORD}\n")
        secret = ["--basic-file", tmp_path / "sent-user"]
    trust = []
    if site.is_secure:
        url = url.replace("http:", "https:")
        trust = ["--ca-file", site.authority.file(tmp_path / "authority.pem")]
    send = ["send", "--generate", 300, "--series", 300, "--batch", 100, "--url", url, "--retry-for", 0, "-o", "json"]
    sent = site.cirrus.command(*send, *trust, *secret)
    assert sent.returncode == 0, sent.stdout + sent.stderr
    report = json.loads(sent.stdout)
    assert report["schema"] == "czctl.send/v1" and report["samples_written"] == 300
    assert 0 < report["latency_p50_seconds"] <= report["latency_max_seconds"] < 10
    # Without credentials 401, with others 403: nothing to try again.
    (tmp_path / "wrong").write_text("canary:wrong")
    for others in ([], [secret[0], tmp_path / "wrong"]):
        assert site.cirrus.command(*send, *trust, *others).returncode == 6
    if trust:
        untrusted = site.cirrus.command(*send, *secret)
        assert untrusted.returncode == 5 and "certificate" in json.loads(untrusted.stdout)["first_failure"]
    replay = ["replay", "--data", site.cirrus.data, "--to-url", url, *trust]
    refused = site.cirrus.command(*replay)
    assert refused.returncode == 6 and "Try: the same with --bearer-file" in refused.stderr, refused.stderr
    repeated = site.cirrus.command(*replay, *secret)
    assert repeated.returncode == 0, repeated.stderr
    site.cirrus.drain()
    assert row_count(site) >= 300


def test_prometheus_over_tls_with_a_token(make_cirrus, tmp_path, programs):
    site = Site(make_cirrus, tmp_path, {"mtls", "bearer"}, database={"cost_max_interval": "1s"}).start("run")
    certificate, key = site.clients.issue_client().files(tmp_path / "prometheus-client")
    token = tmp_path / "token-of-prometheus"
    token.write_text(TOKEN)
    prometheus = Prometheus(
        tmp_path / "prometheus", f"https://127.0.0.1:{site.cirrus.port}/api/v1/write",
        authorization={"type": "Bearer", "credentials_file": str(token)},
        tls_config={
            "ca_file": str(site.authority.file(tmp_path / "authority.pem")),
            "cert_file": str(certificate),
            "key_file": str(key),
        },
    )  # fmt: skip
    programs.append(prometheus.program)
    wait_until(lambda: site.metric("cirrus_samples_stored_total") > 100, "samples of Prometheus", 60)
    site.cirrus.drain()
    assert row_count(site) > 100
