"""A stub of CloudZero's upload API that presigns with boto3, before a moto S3 that is reached through the same port.

Presigned URLs point at the stub, which passes the PUT on to moto and then, when told to, kills the shipper before it
answers: the object exists, and the shipper's ledger does not know.
"""

import json
import os
import signal
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import boto3
import requests
from botocore.config import Config
from moto.server import ThreadedMotoServer

from processes import free_port

API_KEY = "ak-test-canary"
BUCKET = "testbucket"
CREDENTIALS = {
    "aws_access_key_id": "AKIDTEST", "aws_secret_access_key": "secret-test-canary", "region_name": "us-east-1",
}  # fmt: skip
PATH_STYLE = Config(signature_version="s3v4", s3={"addressing_style": "path"})


class _Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), ConnectionError):  # a killed shipper resets its connections
            super().handle_error(request, client_address)


class UploadAPI:
    def __init__(self):
        moto_port = free_port()
        self.moto = ThreadedMotoServer("127.0.0.1", moto_port, verbose=False)
        self.moto.start()
        self.moto_url = f"http://127.0.0.1:{moto_port}"
        requests.post(f"{self.moto_url}/moto-api/reset", timeout=30)  # its objects outlive one server in one process
        self.s3 = boto3.client("s3", endpoint_url=self.moto_url, config=PATH_STYLE, **CREDENTIALS)
        self.s3.create_bucket(Bucket=BUCKET)
        self.server = _Server(("127.0.0.1", 0), self._handler())
        self.port = self.server.server_address[1]
        self.presigner = boto3.client(
            "s3", endpoint_url=f"http://127.0.0.1:{self.port}", config=PATH_STYLE, **CREDENTIALS
        )
        self.puts: Counter[str] = Counter()
        self.faults: list[str] = []
        self._kill_pid: int | None = None
        self.killed = threading.Event()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def kill_after_next_put(self, pid: int):
        """The next PUT reaches the bucket; then `pid` dies without having seen the answer."""
        self.killed.clear()
        self._kill_pid = pid

    def objects(self) -> dict[str, bytes]:
        listed = self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return {item["Key"]: self.s3.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read() for item in listed}

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.moto.stop()

    def allocate(self, headers, query: dict[str, list[str]], body: bytes) -> tuple[int, dict]:
        """The presigned URLs of the reference ids, as contract and client agree on them."""
        message = json.loads(body)
        if headers["Authorization"] != API_KEY:
            return 403, {"message": "User is not authorized to access this resource"}
        ids = [file["reference_id"] for file in message["files"]]
        wanted = {"cluster_name", "cloud_account_id", "region", "count", "shipper_id", "expiration"}
        if set(query) != wanted or query["count"] != [str(len(ids))] or len(ids) > 200:
            self.faults.append(f"allocate query {query} for {len(ids)} files")
        if query["shipper_id"] != [message["shipperId"]] or headers["X-CloudZero-Shipper-ID"] != message["shipperId"]:
            self.faults.append("shipper ids differ")
        return 200, {key: self.presign(key) for key in ids}

    def presign(self, key: str) -> str:
        return self.presigner.generate_presigned_url(
            "put_object", Params={"Bucket": BUCKET, "Key": key}, ExpiresIn=600, HttpMethod="PUT"
        )

    def store(self, path: str, headers, body: bytes) -> requests.Response:
        key = urlsplit(path).path.rsplit("/", 1)[-1]
        if "Authorization" in headers or "Transfer-Encoding" in headers or headers["Content-Length"] != str(len(body)):
            self.faults.append(f"PUT of {key} with headers {dict(headers)}")
        answer = requests.put(self.moto_url + path, data=body, timeout=30)
        self.puts[key] += 1
        pid, self._kill_pid = self._kill_pid, None
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            self.killed.set()
        return answer

    def _handler(self):
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self, status: int, body: bytes, content_type="application/json", etag: str | None = None):
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                if etag is not None:
                    self.send_header("ETag", etag)
                self.end_headers()
                self.wfile.write(body)

            def _body(self) -> bytes:
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))

            def do_POST(self):
                url = urlsplit(self.path)
                body = self._body()
                if url.path != "/v1/container-metrics/upload":
                    api.faults.append(f"POST {url.path}")
                    return self._answer(404, b"{}")
                status, answer = api.allocate(self.headers, parse_qs(url.query), body)
                return self._answer(status, json.dumps(answer).encode())

            def do_PUT(self):
                answer = api.store(self.path, self.headers, self._body())
                try:
                    self._answer(answer.status_code, answer.content, "application/xml", answer.headers.get("ETag"))
                except (BrokenPipeError, ConnectionResetError):
                    pass  # the shipper was killed: that is what the test wants

            def log_message(self, *_):
                pass

        return Handler
