"""An encoder of remote write that shares nothing with ours: classes by protoc from the specification's messages."""

import http.client
import math
import struct
import sys
from decimal import Decimal
from importlib import import_module, resources
from pathlib import Path

import cramjam
from grpc_tools import protoc

V1 = "application/x-protobuf"
V1_NAMED = "application/x-protobuf;proto=prometheus.WriteRequest"
V2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
WRITTEN = [f"X-Prometheus-Remote-Write-{kind}-Written" for kind in ("Samples", "Histograms", "Exemplars")]

Labels = tuple[tuple[str, str], ...]


def from_bits(bits: int) -> float:
    return struct.unpack("<d", struct.pack("<Q", bits))[0]


STALE = from_bits(0x7FF0000000000002)


def decimal_text(value: float) -> str:
    """The shortest decimal that reads back to the same double, without an exponent: the value column's form."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = format(Decimal(repr(value)), "f")
    return text[:-2] if text.endswith(".0") else text


def snappy(message: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(message))


class Encoder:
    def __init__(self, generated: Path):
        here = Path(__file__).parent / "proto"
        include = str(resources.files("grpc_tools") / "_proto")
        files = [str(file) for file in sorted(here.glob("*.proto"))]
        assert protoc.main(["protoc", f"-I{here}", f"-I{include}", f"--python_out={generated}", *files]) == 0
        sys.path.insert(0, str(generated))
        self.one = import_module("remote_write_v1_pb2")
        self.two = import_module("remote_write_v2_pb2")

    def v1(self, series: list[tuple[Labels, list[tuple[int, float]]]]) -> bytes:
        """Series as (labels, [(timestamp in ms, value)]), to an uncompressed message."""
        request = self.one.WriteRequest()
        for labels, samples in series:
            entry = request.timeseries.add()
            for name, value in labels:
                entry.labels.add(name=name, value=value)
            for timestamp, value in samples:
                entry.samples.add(timestamp=timestamp, value=value)
        return request.SerializeToString()

    def v2_request(self, series: list[tuple[Labels, list[tuple[int, float]]]]):
        """The same as a message of 2.0, to be changed before it is serialized."""
        request = self.two.Request(symbols=[""])
        known = {"": 0}
        for labels, samples in series:
            entry = request.timeseries.add()
            for text in (text for pair in labels for text in pair):
                if text not in known:
                    known[text] = len(request.symbols)
                    request.symbols.append(text)
                entry.labels_refs.append(known[text])
            for timestamp, value in samples:
                entry.samples.add(timestamp=timestamp, value=value)
        return request

    def v2(self, series: list[tuple[Labels, list[tuple[int, float]]]]) -> bytes:
        return self.v2_request(series).SerializeToString()


class Sender:
    """One keep-alive connection, which notices when the server has closed it."""

    def __init__(self, port: int):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.connection.connect()
        self.socket = self.connection.sock
        self.retry_after: str | None = None

    @property
    def same_connection(self) -> bool:
        return self.connection.sock is self.socket

    def post(self, body: bytes, content_type: str | None = V1, encoding: str | None = "snappy", path="/api/v1/write"):
        """The status, the reason given in the body, and the three written counts (None where not said)."""
        headers = {"User-Agent": "end-to-end"}
        if content_type is not None:
            headers["Content-Type"] = content_type
        if encoding is not None:
            headers["Content-Encoding"] = encoding
        version = "2.0.0" if content_type and "v2.Request" in content_type else "0.1.0"
        headers["X-Prometheus-Remote-Write-Version"] = version
        self.connection.request("POST", path, body, headers)
        response = self.connection.getresponse()
        text = response.read().decode()
        self.retry_after = response.getheader("Retry-After")
        counts = tuple(None if response.getheader(name) is None else int(response.getheader(name)) for name in WRITTEN)
        return response.status, text, counts

    def close(self):
        self.connection.close()
