"""The upload API and the bucket behind it in one process, for many installations at once, that misbehave by script.

Each installation has a `Side`: `cloudzero.host` is `host:port/<name>`, presigned URLs lie below `/<name>/bucket/`. For
an S3 destination, the bucket is `<name>` and the prefix `bucket`. A `Fault` (faults.py) answers one request in place of
the good answer; a side holds a list for each kind of call, and takes the next one off the list for each request until
there are none: from then on it behaves.
"""

import hashlib
import json
import os
import signal
import socket
import ssl
import struct
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

API_KEY = "ak-fault-canary"
SIGNATURE = "signature-canary"
REFUSED = "refused/"  # keys that no PUT may write


class Exchange:
    """One request: what it said, what the good answer to it is, and ways to answer."""

    def __init__(self, handler: BaseHTTPRequestHandler, side: "Side", kind: str, body: bytes | None):
        self.handler, self.side, self.kind, self.body = handler, side, kind, body
        self.status, self.answer, self.headers = 200, b"", {"Content-Type": "application/json"}
        self.urls: dict[str, str] = {}
        self.key = ""

    def send(self, status: int | None = None, body: bytes | str | None = None, **headers: str):
        """`headers` are added to those of the good answer: `Retry_After="1"`."""
        body = self.answer if body is None else body.encode() if isinstance(body, str) else body
        handler = self.handler
        handler.send_response(self.status if status is None else status)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in ({"Content-Length": str(len(body))} | self.headers | named).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    def raw(self, content: bytes):
        self.handler.close_connection = True
        self.handler.wfile.write(content)
        self.handler.wfile.flush()

    def reset(self):
        """Ends the connection by RST."""
        self.handler.close_connection = True
        self.handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # SO_LINGER acts on the last close only: the handler's files hold the socket open.
        self.handler.rfile.close()
        self.handler.wfile.close()
        self.handler.connection.close()

    def store(self, content: bytes | None = None):
        self.side.store(self.key, self.body if content is None else content)


Fault = Callable[[Exchange], None]


class Side:
    """What one installation sees of the server, and what the server saw of it."""

    def __init__(self, name: str, base: str):
        self.name, self.base = name, base
        self.lock = threading.Lock()
        self.faults: dict[str, list[Fault | None]] = {"upload": [], "abandon": [], "put": [], "head": []}
        self.api_key = API_KEY
        self.is_presigned = True  # PUTs bring no header of their own
        self.served = 0  # faults answered
        self.requests: list[tuple[str, str]] = []  # kind and key
        self.whole: Counter[str] = Counter()  # PUTs of a key whose bytes arrived
        self.objects: dict[str, list[bytes]] = defaultdict(list)  # each content a key has had
        self.abandoned: list[tuple[str, str]] = []
        self.violations: list[str] = []
        self.trapped: list[str] = []  # requests that should never have been made
        self.kill: tuple[str, int] | None = None  # kind, and which request of it from now
        self.pid = 0
        self.last_request = time.monotonic()

    def count(self, kind: str) -> int:
        return sum(1 for seen, _ in self.requests if seen == kind)

    @property
    def behaves(self) -> bool:
        return not any(self.faults.values())

    def url(
        self, key: str, seconds: int = 600, shift: float = 0, base: str | None = None, date: str | None = None
    ) -> str:
        """A presigned URL for `key`, signed `shift` seconds from now."""
        if date is None:
            date = (datetime.now(UTC) + timedelta(seconds=shift)).strftime("%Y%m%dT%H%M%SZ")
        query = f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F{date[:8]}%2Fus-east-1%2Fs3%2Faws4_request"
        query += f"&X-Amz-Date={date}&X-Amz-Expires={seconds}&X-Amz-SignedHeaders=host&X-Amz-Signature={SIGNATURE}"
        return f"{base or self.base}/bucket/{quote(key)}?{query}"

    def store(self, key: str, content: bytes):
        with self.lock:
            self.objects[key].append(content)

    def content(self) -> dict[str, bytes]:
        """The last writer wins, as in S3."""
        with self.lock:
            return {key: contents[-1] for key, contents in self.objects.items()}

    def next_fault(self, kind: str, key: str) -> tuple[Fault | None, bool]:
        """The fault of this request, and whether the shipper dies before it is answered."""
        with self.lock:
            self.last_request = time.monotonic()
            self.requests.append((kind, key))
            dies = False
            if self.kill is not None and self.kill[0] == kind:
                self.kill = (kind, self.kill[1] - 1)
                dies = self.kill[1] == 0
            fault = self.faults[kind][0] if self.faults[kind] else None
            if self.faults[kind] and not dies:  # nobody sees the answer of one that dies: its fault comes again
                self.faults[kind].pop(0)
                self.served += fault is not None
            return fault, dies


class FaultAPI:
    """`leaf` is the certificate of a TLS server (certificates.py)."""

    def __init__(self, address: str = "127.0.0.1", tls: tuple[Path, Path] | None = None):
        self.sides: dict[str, Side] = {}
        self.errors: list[str] = []  # of this server itself
        self.server = _Server((address, 0), _Handler)
        self.server.api = self
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(
                self.server.socket, server_side=True, do_handshake_on_connect=False)  # fmt: skip
        self.host = f"{address}:{self.server.server_address[1]}"
        self.scheme = "http" if tls is None else "https"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def side(self, name: str) -> Side:
        self.sides[name] = Side(name, f"{self.scheme}://{self.host}/{name}")
        return self.sides[name]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class _Server(ThreadingHTTPServer):
    request_queue_size = 256
    api: FaultAPI

    def handle_error(self, request, client_address):
        error = sys.exception()
        # Killed shippers and refused handshakes are what the tests want; a reset connection's files are closed.
        if not isinstance(error, (OSError, ValueError)):
            self.api.errors.append(repr(error))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def log_message(self, *_):
        pass

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _side(self) -> Side | None:
        return self.server.api.sides.get(urlsplit(self.path).path.split("/")[1])

    def do_POST(self):
        side, url = self._side(), urlsplit(self.path)
        kind = url.path.rsplit("/", 1)[-1]
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if side is None or kind not in ("upload", "abandon"):
            return self._trap(side)
        exchange = Exchange(self, side, kind, body)
        self._check_call(exchange, parse_qs(url.query, keep_blank_values=True))
        fault, dies = side.next_fault(kind, "")
        return self._answer(exchange, fault, dies)

    def _check_call(self, exchange: Exchange, query: dict[str, list[str]]):
        side, message = exchange.side, json.loads(exchange.body)
        if self.headers["Authorization"] != side.api_key:
            exchange.status = 403
            exchange.answer = b'{"message":"User is not authorized to access this resource"}'
        wanted = {"cluster_name", "cloud_account_id", "region", "count", "shipper_id"}
        if exchange.kind == "upload":
            wanted.add("expiration")
            ids = [file["reference_id"] for file in message["files"]]
            exchange.urls = {key: side.url(key) for key in ids}
            if exchange.status == 200:
                exchange.answer = json.dumps(exchange.urls).encode()
        else:
            ids = [entry["reference_id"] for entry in message]
            if exchange.status == 200:
                exchange.answer = b'{"statusCode":200,"body":"{\\"message\\": \\"Abandon request processed\\"}"}'
        if set(query) != wanted or query["count"] != [str(len(ids))] or not 0 < len(ids) <= 200:
            side.violations.append(f"{exchange.kind} query {query} for {len(ids)} ids")
        if len(set(ids)) != len(ids):
            side.violations.append(f"{exchange.kind} names an id twice")

    def do_PUT(self):
        side, url = self._side(), urlsplit(self.path)
        if side is None or not url.path.startswith(f"/{side.name}/bucket/"):
            return self._trap(side)
        key = unquote(url.path.removeprefix(f"/{side.name}/bucket/"))
        unwanted = ["Transfer-Encoding"] + ["Authorization", "Content-Type"] * side.is_presigned
        if any(name in self.headers for name in unwanted):
            side.violations.append(f"PUT of {key} with headers {dict(self.headers)}")
        exchange = Exchange(self, side, "put", None)
        exchange.key = key
        fault, dies = side.next_fault("put", key)
        if getattr(fault, "before_body", False):
            return self._answer(exchange, fault, dies)
        length = int(self.headers["Content-Length"])
        exchange.body = self.rfile.read(length)
        if len(exchange.body) < length:
            return None  # the shipper stopped: nothing is stored
        with side.lock:
            side.whole[key] += 1
        exchange.headers = {"Content-Type": "application/xml"}
        if key.startswith(REFUSED):
            exchange.status, exchange.answer = 403, xml("AccessDenied").encode()
        elif self._has_expired(parse_qs(url.query)):
            exchange.status = 403
            exchange.answer = xml("AccessDenied", "Request has expired").encode()
        else:
            exchange.headers["ETag"] = f'"{hashlib.md5(exchange.body).hexdigest()}"'
            exchange.headers["x-amz-request-id"] = "REQUEST"
        return self._answer(exchange, fault, dies)

    def do_HEAD(self):
        side, path = self._side(), urlsplit(self.path).path
        if side is None or side.is_presigned:
            return self._trap(side)
        side.next_fault("head", "")
        content = side.content().get(unquote(path.removeprefix(f"/{side.name}/bucket/")))
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"")))
        if content is not None:
            self.send_header("ETag", f'"{hashlib.md5(content).hexdigest()}"')
        return self.end_headers()

    @staticmethod
    def _has_expired(query: dict[str, list[str]]) -> bool:
        try:
            signed = datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            return signed + timedelta(seconds=int(query["X-Amz-Expires"][0])) < datetime.now(UTC)
        except (KeyError, ValueError, OverflowError):
            return False

    def _answer(self, exchange: Exchange, fault: Fault | None, dies: bool):
        if dies:
            os.kill(exchange.side.pid, signal.SIGKILL)
        try:
            if fault is not None:
                return fault(exchange)
            good(exchange)
        except (OSError, ValueError):
            pass  # the shipper went away, or was killed
        return None

    def _trap(self, side: Side | None):
        if side is not None:
            side.trapped.append(f"{self.command} {self.path.split('?')[0]}")
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_DELETE = do_PATCH = lambda self: self._trap(self._side())


def xml(code: str, message: str = "") -> str:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"


def good(x: Exchange):
    if x.kind == "put" and x.status == 200:
        x.store()
    x.send()
    if x.kind == "abandon" and x.status == 200:
        x.side.abandoned += [(entry["reference_id"], entry["reason"]) for entry in json.loads(x.body)]
