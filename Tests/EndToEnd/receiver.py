"""One collector and what its log holds: read by `czctl cat` and by the independent reader, which must agree."""

import http.client
import json
import re
import socket
import struct
import sys
from dataclasses import dataclass, field

import requests

from cirrus import Cirrus
from processes import ROOT
from remote_write import V1, V2, Encoder, Sender, snappy

sys.path.insert(0, str(ROOT / "Tests/Independent"))
import wal_reader  # noqa: E402

TYPES = {"v1": V1, "v2": V2}
NOW = 1_782_900_000_000
METADATA_TYPES = ["unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset"]


def to_bits(value: float) -> int:
    return struct.unpack("<Q", struct.pack("<d", value))[0]


def labels(name: str, **more: str) -> tuple:
    return tuple(sorted({"__name__": name, **more}.items()))


@dataclass
class Values:
    """What a log holds, sorted: each value with its series' labels first."""

    samples: list = field(default_factory=list)  # (labels, timestamp, bits, start or 0)
    histograms: list = field(default_factory=list)  # (labels, timestamp, protocol, message)
    exemplars: list = field(default_factory=list)  # (labels, timestamp, bits, labels of its own)
    metadata: list = field(default_factory=list)  # (type, family, help, unit)

    def sorted(self) -> "Values":
        return Values(*(sorted(values) for values in vars(self).values()))


class Receiver:
    """A collector whose log stays where it is: nothing is compacted while a test runs."""

    def __init__(self, cirrus: Cirrus, encoder: Encoder):
        self.cirrus = cirrus
        self.encoder = encoder
        self.program = cirrus.start("collector")
        # The first batch of a volume ends its segment: later ones stay in one.
        self.post("v1", encoder.v1([(labels("warm_up"), [(NOW, 1.0)])]))

    def body(self, version: str, series: list) -> bytes:
        return self.encoder.v1(series) if version == "v1" else self.encoder.v2(series)

    def post(self, version: str, message: bytes, **how) -> tuple:
        sender = Sender(self.cirrus.port)
        try:
            return sender.post(snappy(message), TYPES[version], **how)
        finally:
            sender.close()

    def metrics(self) -> dict[str, float]:
        text = requests.get(self.cirrus.url + "/metrics", timeout=30).text
        found = {}
        for line in text.splitlines():
            if not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                found[name] = float(value)
        return found

    def cat(self, *arguments) -> list[dict]:
        result = self.cirrus.command("cat", "--data", self.cirrus.data, "-o", "json", *arguments)
        assert result.returncode == 0, result.stderr
        return [json.loads(line) for line in result.stdout.splitlines()]

    def log(self, metric: str) -> Values:
        """Values of the metrics whose name begins so, as both readers find them."""
        printed = self._printed(metric)
        assert printed == self._independent(metric)
        return printed

    def requests(self) -> list[dict]:
        return [line for line in self.cat() if line["kind"] == "request"]

    def _printed(self, metric: str) -> Values:
        found = Values()
        for line in self.cat():
            name = line["family"] if line["kind"] == "metadata" else line.get("labels", {}).get("__name__", "")
            if not name.startswith(metric):
                continue
            if line["kind"] == "metadata":
                type_ = METADATA_TYPES.index(line["type"])
                found.metadata.append((type_, line["family"], line["help"], line["unit"]))
                continue
            series, time = tuple(line["labels"].items()), line["timestamp"]
            if line["kind"] == "histogram":
                protocol = {"v1": 1, "v2": 2}[line["protocol"]]
                found.histograms.append((series, time, protocol, bytes.fromhex(line["message"])))
                continue
            bits = int(line["bits"], 16) if "bits" in line else to_bits(float(line["value"]))
            if line["kind"] == "sample":
                found.samples.append((series, time, bits, line.get("start_timestamp", 0)))
            else:
                found.exemplars.append((series, time, bits, tuple(line["exemplar_labels"].items())))
        return found.sorted()

    def _independent(self, metric: str) -> Values:
        found = Values()
        for segment in wal_reader.read_log(self.cirrus.data / "wal").values():
            series: dict = {}
            for record in segment.records:
                if record.kind == 1:
                    self._take(wal_reader.read_batch(record.payload(), series), series, metric, found)
        return found.sorted()

    @staticmethod
    def _take(batch: wal_reader.Batch, series: dict, metric: str, found: Values):
        def wanted(reference: int) -> bool:
            return dict(series[reference][1])["__name__"].startswith(metric)

        for reference, time, start, bits in batch.samples:
            if wanted(reference):
                found.samples.append((series[reference][1], time, bits, start or 0))
        for reference, time, protocol, message in batch.histograms:
            if wanted(reference):
                found.histograms.append((series[reference][1], time, protocol, message))
        for reference, time, bits, own in batch.exemplars:
            if wanted(reference):
                found.exemplars.append((series[reference][1], time, bits, own))
        found.metadata += [entry for entry in batch.metadata if entry[1].startswith(metric)]


def samples_of(series: list) -> list:
    """Series as the encoders take them, as `Values.samples` holds them."""
    return sorted(
        (pairs, timestamp, to_bits(value), 0) for pairs, samples in series for timestamp, value in samples
    )


def refused_values(reason: str) -> int:
    """The count that a 400 begins with."""
    return int(re.match(r"cannot store (\d+) values", reason)[1])


class RawClient:
    """A socket, for what an HTTP client would not send."""

    def __init__(self, port: int):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)

    def send(self, data: bytes):
        self.socket.sendall(data)

    @staticmethod
    def head(version: str, *headers: str, length: int | None = None, method="POST", path="/api/v1/write") -> bytes:
        lines = [f"{method} {path} HTTP/1.1", "Host: receiver", f"Content-Type: {TYPES[version]}"]
        lines += ["Content-Encoding: snappy", *headers]
        if length is not None:
            lines.append(f"Content-Length: {length}")
        return "\r\n".join([*lines, "", ""]).encode()

    @classmethod
    def request(cls, version: str, message: bytes, *headers: str) -> bytes:
        body = snappy(message)
        return cls.head(version, *headers, length=len(body)) + body

    def answer(self) -> tuple[int, str, http.client.HTTPMessage]:
        """The next answer; one after the other of a connection."""
        response = http.client.HTTPResponse(self.socket)
        response.begin()
        return response.status, response.read().decode(), response.headers

    def is_closed(self) -> bool:
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.socket.close()
