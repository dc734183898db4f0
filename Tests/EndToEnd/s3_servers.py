"""Servers of the S3 protocol that others wrote, and stand-ins for the services that give credentials."""

import hashlib
import json
import random
import shutil
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import boto3
import requests
from botocore.config import Config
from moto.server import ThreadedMotoServer

from certificates import Authority, Leaf
from processes import Program, free_port

ACCESS_KEY = "AKIDTEST"
SECRET_KEY = "secret-test-canary"
BUCKET = "lake"


class Bucket:
    """What the tests ask of a server: its address, and what is in the bucket."""

    def __init__(self, endpoint: str):
        self.endpoint = endpoint
        self.s3 = boto3.client(
            "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY, config=Config(s3={"addressing_style": "path"}),
        )  # fmt: skip

    def keys(self) -> list[str]:
        return [item["Key"] for item in self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]

    def objects(self) -> dict[str, bytes]:
        return {key: self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in self.keys()}


class Moto(Bucket):
    """Takes any signature, honours If-None-Match, keeps parts."""

    def __init__(self):
        port = free_port()
        self.server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
        self.server.start()
        super().__init__(f"http://127.0.0.1:{port}")
        requests.post(f"{self.endpoint}/moto-api/reset", timeout=30)  # its objects outlive one server in one process
        self.s3.create_bucket(Bucket=BUCKET)

    def stop(self):
        self.server.stop()


class Rclone(Bucket):
    """`rclone serve s3`: checks signatures and digests."""

    def __init__(self, home: Path):
        self.folder = home / "rclone"
        (self.folder / BUCKET).mkdir(parents=True)
        port = free_port()
        program = shutil.which("rclone", path=str(Path(sys.executable).parent)) or "rclone"
        arguments = ["serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", f"{ACCESS_KEY},{SECRET_KEY}"]
        self.program = Program([program, *arguments, str(self.folder)], home / "rclone.log", {"RCLONE_CONFIG": ""})
        super().__init__(f"http://127.0.0.1:{port}")
        self.program.wait_listening(port)

    def stop(self):
        self.program.kill()


class Issuer:
    """The instance metadata service (version 2), the pod identity agent and STS, as strict as the real ones."""

    TOKEN = "metadata-token-canary"
    POD_TOKEN = "pod-token-canary"
    WEB_TOKEN = "web.token.canary"

    def __init__(self, expiration: str = "2999-01-01T00:00:00Z"):
        self.faults: list[str] = []
        self.calls: list[str] = []
        self.expiration = expiration
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, status: int, body: str):
                issuer.calls.append(f"{self.command} {self.path}")
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def credentials(self) -> str:
                return json.dumps(
                    {
                        "Code": "Success", "AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY,
                        "Token": "session-token-canary", "Expiration": issuer.expiration,
                    }
                )  # fmt: skip

            def do_PUT(self):
                ttl = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
                if self.path != "/latest/api/token" or not ttl.isdigit() or not 1 <= int(ttl) <= 21600:
                    return self.answer(400, "")
                return self.answer(200, issuer.TOKEN)

            def do_GET(self):
                if self.path == "/pod-identity":
                    good = self.headers.get("Authorization") == issuer.POD_TOKEN
                    return self.answer(200 if good else 401, self.credentials() if good else "")
                if self.headers.get("X-aws-ec2-metadata-token") != issuer.TOKEN:
                    return self.answer(401, "")
                folder = "/latest/meta-data/iam/security-credentials/"
                if self.path == folder:
                    return self.answer(200, "node-role")
                if self.path == folder + "node-role":
                    return self.answer(200, self.credentials())
                return self.answer(404, "")

            def do_POST(self):
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                wanted = {
                    "Action": ["AssumeRoleWithWebIdentity"], "Version": ["2011-06-15"],
                    "RoleArn": ["arn:aws:iam::123456789012:role/cirrus"], "RoleSessionName": ["cirrus"],
                    "WebIdentityToken": [issuer.WEB_TOKEN],
                }  # fmt: skip
                if form != wanted or "Authorization" in self.headers:
                    return self.answer(400, "<Error><Code>InvalidParameter</Code></Error>")
                fields = (
                    ("AccessKeyId", ACCESS_KEY), ("SecretAccessKey", SECRET_KEY),
                    ("SessionToken", "session-canary"), ("Expiration", issuer.expiration),
                )  # fmt: skip
                inner = "".join(f"<{name}>{value}</{name}>" for name, value in fields)
                result = f"<AssumeRoleWithWebIdentityResult><Credentials>{inner}</Credentials>"
                return self.answer(200, result + "</AssumeRoleWithWebIdentityResult>")

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def put_in_outbox(data: Path, number: int, byte_count: int = 1000, kind: str = "metrics") -> tuple[str, bytes]:
    """A file as the compactor names it: the shipper sends bytes, whatever they are."""
    content = random.Random(number).randbytes(byte_count)
    start = 1_782_936_000_000 + number
    digest = hashlib.sha256(content).hexdigest()[:32]
    name = f"{kind}_{start}_{start}_{digest}.parquet"
    (data / "outbox").mkdir(exist_ok=True)
    temporary = data / f".{name}"
    temporary.write_bytes(content)
    temporary.rename(data / "outbox" / name)
    return name, content


class PutServer:
    """Takes every PUT, over TLS with a certificate of `leaf`; when `clients` is given, only from its certificates."""

    def __init__(self, home: Path, leaf: Leaf | None = None, clients: Authority | None = None, newest_tls=None):
        self.objects: dict[str, bytes] = {}
        self.refused: set[str] = set()  # names that are answered 500
        self.requests = 0
        self.arrivals: list[tuple[float, int]] = []
        stored = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_PUT(self):
                content = b""
                length = int(self.headers["Content-Length"])
                while len(content) < length:
                    piece = self.rfile.read1(min(65536, length - len(content)))
                    if not piece:
                        return
                    content += piece
                    stored.arrivals.append((time.monotonic(), len(piece)))
                name = self.path.rsplit("/", 1)[-1]
                stored.requests += 1
                if name in stored.refused:
                    self.send_response(500)
                    self.send_header("Content-Length", "0")
                    return self.end_headers()
                stored.objects[name] = content
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.send_header("ETag", f'"{hashlib.md5(content).hexdigest()}"')
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                pass  # handshakes that fail are what the tests want

        self.server = Server(("127.0.0.1", 0), Handler)
        scheme = "http"
        if leaf is not None:
            scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*leaf.files(home / "put-server"))
            if clients is not None:
                context.load_verify_locations(clients.file(home / "clients.pem"))
                context.verify_mode = ssl.CERT_REQUIRED
            if newest_tls is not None:
                context.minimum_version = ssl.TLSVersion.TLSv1
                context.set_ciphers("ALL:@SECLEVEL=0")
                context.maximum_version = newest_tls
            self.server.socket = context.wrap_socket(
                self.server.socket, server_side=True, do_handshake_on_connect=False)  # fmt: skip
        self.endpoint = f"{scheme}://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
