"""The way out: proxies, authorities, client certificates, the rate."""

import os
import shutil
import ssl
import subprocess
import tempfile
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from certificates import Authority
from processes import Program, free_port, squid_path, wait_until
from s3_servers import ACCESS_KEY, BUCKET, SECRET_KEY, PutServer, put_in_outbox

KEYS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
PASSWORD = "proxy-canary"


class Squid:
    """A proxy that wants user and password; what went through it is in its log."""

    def __init__(self, programs: list[Program]):
        # Started by root it becomes nobody, who cannot read below pytest's directories.
        self.home = Path(tempfile.mkdtemp(prefix="squid-"))
        self.home.chmod(0o777)
        self.port = free_port()
        usr = squid_path().parents[1]
        hashed = subprocess.run(
            ["openssl", "passwd", "-apr1", PASSWORD], capture_output=True, text=True, check=True
        ).stdout.strip()
        (self.home / "passwords").write_text(f"shipper:{hashed}\n")
        config = self.home / "squid.conf"
        config.write_text(
            f"http_port 127.0.0.1:{self.port}\n"
            f"auth_param basic program {usr}/lib/squid/basic_ncsa_auth {self.home}/passwords\n"
            "acl known proxy_auth REQUIRED\nhttp_access allow known\nhttp_access deny all\n"
            f"access_log stdio:{self.home}/access.log\ncache_log {self.home}/cache.log\ncache deny all\n"
            f"pid_filename {self.home}/squid.pid\ncoredump_dir {self.home}\nmime_table {usr}/share/squid/mime.conf\n"
            f"icon_directory {usr}/share/squid/icons\nerror_directory {usr}/share/squid-langpack/templates\n"
            f"unlinkd_program {usr}/lib/squid/unlinkd\nlogfile_daemon {usr}/lib/squid/log_file_daemon\n"
            "cache_effective_user nobody\nshutdown_lifetime 0\npinger_enable off\n"
        )
        self.program = Program([squid_path(), "-N", "-f", config], self.home / "output.log")
        programs.append(self.program)
        self.program.wait_listening(self.port)

    def url(self, password: str = PASSWORD) -> str:
        return f"http://shipper:{password}@127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        path = self.home / "access.log"
        return path.read_text() if path.exists() else ""


@pytest.fixture
def squid(programs):
    made = Squid(programs)
    yield made
    made.program.kill()
    shutil.rmtree(made.home)


@pytest.fixture
def put_server(tmp_path):
    made = []

    def make(*arguments, **more) -> PutServer:
        made.append(PutServer(tmp_path, *arguments, **more))
        return made[-1]

    yield make
    for server in made:
        server.stop()


def lake(make_cirrus, server: PutServer, **http):
    destination = {"kind": "s3", "bucket": BUCKET, "endpoint": server.endpoint, "path_style": True}
    return make_cirrus(
        destination=destination, http=http, cloudzero={"send_interval": "1s", "http_max_wait": "100ms"}
    )  # fmt: skip


def ship(cirrus, server: PutServer, env: dict[str, str] | None = None, count: int = 5) -> Program:
    sent = dict(put_in_outbox(cirrus.data, number) for number in range(count))
    shipper = cirrus.start("shipper", KEYS | (env or {}))
    wait_until(lambda: not list((cirrus.data / "outbox").iterdir()), f"an empty outbox\n{shipper.tail()}")
    assert server.objects == sent
    return shipper


def refuses(cirrus, server: PutServer, words: str):
    put_in_outbox(cirrus.data, 0)
    shipper = cirrus.start("shipper", KEYS)
    wait_until(lambda: words in shipper.log.read_text(), f"{words!r}\n{shipper.tail()}")
    assert server.objects == {}
    return shipper


def test_proxy_with_password(make_cirrus, put_server, squid):
    server = put_server()
    cirrus = lake(make_cirrus, server, proxy=squid.url())
    shipper = ship(cirrus, server)
    assert squid.log.count(" PUT ") == 5
    assert PASSWORD not in shipper.log.read_text() + str(cirrus.status())


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy"])
def test_proxy_of_the_environment(make_cirrus, put_server, squid, variable):
    server = put_server()
    ship(lake(make_cirrus, server), server, {variable: squid.url()})
    assert squid.log.count(" PUT ") == 5


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy"])
def test_tls_through_the_proxy(make_cirrus, put_server, squid, tmp_path, variable):
    authority = Authority("private")
    server = put_server(authority.issue())
    cirrus = lake(make_cirrus, server, ca_file=str(authority.file(tmp_path / "ca.pem")))
    ship(cirrus, server, {variable: squid.url()}).stop()  # squid logs a tunnel when it ends
    wait_until(lambda: " CONNECT " in squid.log, "a line of squid's log")
    assert " PUT " not in squid.log


def test_wrong_proxy_password(make_cirrus, put_server, squid):
    server = put_server()
    cirrus = lake(make_cirrus, server, proxy=squid.url("wrong-canary"))
    shipper = refuses(cirrus, server, "407")
    assert "canary" not in shipper.log.read_text() + str(cirrus.status())


@pytest.mark.parametrize("rule", ["127.0.0.1", "127.0.0.0/8", "*", "localhost,127.0.0.1"])
def test_around_the_proxy(make_cirrus, put_server, squid, rule):
    server = put_server()
    ship(lake(make_cirrus, server, proxy=squid.url(), no_proxy=rule.split(",")), server)
    assert " PUT " not in squid.log and " CONNECT " not in squid.log


def test_around_the_proxy_of_the_environment(make_cirrus, put_server, squid):
    server = put_server()
    ship(lake(make_cirrus, server), server, {"HTTP_PROXY": squid.url(), "NO_PROXY": "example.com,127.0.0.1"})
    assert " PUT " not in squid.log and " CONNECT " not in squid.log


def test_authorities_are_read_again(make_cirrus, put_server, tmp_path):
    """A directory behind a symbolic link that is swapped, as Kubernetes does it."""
    authority = Authority("private")
    server = put_server(authority.issue())
    for name, one in (("old", Authority("another")), ("new", authority)):
        (tmp_path / name).mkdir()
        one.file(tmp_path / name / "ca.crt")
    link = tmp_path / "authorities"
    link.symlink_to(tmp_path / "old")
    cirrus = lake(make_cirrus, server, ca_file=str(link))
    shipper = refuses(cirrus, server, "certificate")
    (tmp_path / "next").symlink_to(tmp_path / "new")
    os.rename(tmp_path / "next", link)
    wait_until(lambda: server.objects, f"a delivery\n{shipper.tail()}")


def test_authorities_may_be_the_systems_own(make_cirrus, put_server):
    bundle = Path("/etc/ssl/certs/ca-certificates.crt")
    if not bundle.exists():
        pytest.skip(f"no {bundle} here")
    server = put_server()
    ship(lake(make_cirrus, server, ca_file=str(bundle)), server)


def test_client_certificate(make_cirrus, put_server, tmp_path):
    authority, clients = Authority("servers"), Authority("clients")
    server = put_server(authority.issue(), clients)
    certificate, key = clients.issue(ExtendedKeyUsageOID.CLIENT_AUTH).files(tmp_path / "client")
    ca = str(authority.file(tmp_path / "ca.pem"))
    ship(lake(make_cirrus, server, ca_file=ca, client_cert_file=str(certificate), client_key_file=str(key)), server)


@pytest.mark.parametrize("fault", ["unknown", "expired", "old-tls"])
def test_a_server_that_is_not_trusted(make_cirrus, put_server, tmp_path, fault):
    authority = Authority("private")
    newest = ssl.TLSVersion.TLSv1_1 if fault == "old-tls" else None
    server = put_server(authority.issue(days=-1 if fault == "expired" else 1), newest_tls=newest)
    trusted = Authority("another") if fault == "unknown" else authority
    cirrus = lake(make_cirrus, server, ca_file=str(trusted.file(tmp_path / "ca.pem")))
    refuses(cirrus, server, "SSL" if fault != "old-tls" else "protocol version")


def test_rate_limit(make_cirrus, put_server):
    server = put_server()
    cirrus = lake(make_cirrus, server, rate_limit="1Mi")
    sent = dict(put_in_outbox(cirrus.data, number, 1 << 20) for number in range(4))
    shipper = cirrus.start("shipper", KEYS)
    wait_until(lambda: not list((cirrus.data / "outbox").iterdir()), f"an empty outbox\n{shipper.tail()}")
    assert server.objects == sent
    first, last = server.arrivals[0][0], server.arrivals[-1][0]
    assert 3 < last - first < 12
    within, oldest = 0, 0
    for at, count in server.arrivals:
        within += count
        while server.arrivals[oldest][0] <= at - 1:
            within -= server.arrivals[oldest][1]
            oldest += 1
        assert within < 2 << 20, "no second brings twice the rate"
