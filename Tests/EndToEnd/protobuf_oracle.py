"""What a write request says, by protobuf's own parser; and other legal encodings of the same request.

The classes come from proto/*.proto with fields widened to what is on the wire: strings and histograms are bytes,
doubles their bits, references and enums 64 bits. So the parser judges the encoding alone, and the rules of remote
write are applied here, by reliability's table, and not by the program.
"""

import random
import struct
from dataclasses import dataclass, field

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

Field = descriptor_pb2.FieldDescriptorProto
WIDENED = {
    Field.TYPE_STRING: Field.TYPE_BYTES,
    Field.TYPE_DOUBLE: Field.TYPE_FIXED64,
    Field.TYPE_UINT32: Field.TYPE_UINT64,
    Field.TYPE_ENUM: Field.TYPE_UINT64,
}
# The years 0001 to 9999.
TIMES = range(-62_135_596_800_000, 253_402_300_800_000)
NAME = b"__name__"

Labels = tuple[tuple[bytes, bytes], ...]


@dataclass
class Limits:
    labels: int
    name_bytes: int
    value_bytes: int


@dataclass
class Expected:
    """What the answer to a request and the log must say. `status` 400 with nothing stored when it cannot be read."""

    status: int = 204
    readable: bool = True
    # (labels, timestamp, start timestamp or None, bits)
    samples: list[tuple] = field(default_factory=list)
    # (labels, timestamp, message)
    histograms: list[tuple] = field(default_factory=list)
    # (labels, timestamp, bits, labels of the exemplar)
    exemplars: list[tuple] = field(default_factory=list)
    # (type, family, help, unit)
    metadata: list[tuple] = field(default_factory=list)

    @property
    def written(self) -> tuple:
        if not self.readable:
            return (None, None, None)
        return len(self.samples), len(self.histograms), len(self.exemplars)

    @property
    def is_stored(self) -> bool:
        return bool(self.samples or self.histograms or self.exemplars)


def _widened(file_descriptor):
    """The message classes of a .proto by name."""
    file = descriptor_pb2.FileDescriptorProto()
    file_descriptor.CopyToProto(file)
    for message in file.message_type:
        for entry in message.field:
            if entry.type == Field.TYPE_MESSAGE and entry.type_name.endswith(".Histogram"):
                entry.type = Field.TYPE_BYTES
                entry.ClearField("type_name")
            elif entry.type in WIDENED and message.name != "Histogram":
                if entry.type == Field.TYPE_ENUM:
                    entry.ClearField("type_name")
                entry.type = WIDENED[entry.type]
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        message.name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{file.package}.{message.name}"))
        for message in file.message_type
    }


class Oracle:
    def __init__(self, encoder, limits: Limits):
        self.one = _widened(encoder.one.DESCRIPTOR)
        self.two = _widened(encoder.two.DESCRIPTOR)
        self.limits = limits

    def parse(self, body: bytes, version: int):
        """The request as a message; None when no parser of protobuf takes it."""
        request = self.one["WriteRequest"]() if version == 1 else self.two["Request"]()
        try:
            request.ParseFromString(body)
        except DecodeError:
            return None
        return request

    def expect(self, body: bytes, version: int) -> Expected:
        request = self.parse(body, version)
        if request is None:
            return Expected(400, readable=False)
        try:
            return self._one(request) if version == 1 else self._two(request)
        except DecodeError:  # a histogram, whose bytes the parser has not looked into
            return Expected(400, readable=False)

    def histograms(self, body: bytes, version: int) -> set[bytes]:
        request = self.parse(body, version)
        return {raw for series in request.timeseries for raw in series.histograms} if request else set()

    def _one(self, request) -> Expected:
        found = Expected()
        for series in request.timeseries:
            labels = tuple((label.name, label.value) for label in series.labels)
            # Read even where the series is refused: bytes that are no message refuse the request.
            if not self._is_series(labels):
                found.status = 400
                continue
            self._values(found, labels, series, self.one)
            for exemplar in series.exemplars:
                own = tuple((label.name, label.value) for label in exemplar.labels)
                self._exemplar(found, labels, exemplar, own)
        for entry in request.metadata:
            self._metadata(found, entry.type, entry.metric_family_name, entry.help, entry.unit)
        return found

    def _two(self, request) -> Expected:
        symbols = list(request.symbols)
        if (symbols and symbols[0] != b"") or (request.timeseries and not symbols):
            return Expected(400, readable=False)
        found = Expected()
        for series in request.timeseries:
            labels = self._symbols(series.labels_refs, symbols)
            if labels is None or not self._is_series(labels):
                found.status = 400
                continue
            if bool(series.samples) == bool(series.histograms):
                found.status = 400
                continue
            self._values(found, labels, series, self.two)
            for exemplar in series.exemplars:
                own = self._symbols(exemplar.labels_refs, symbols)
                self._exemplar(found, labels, exemplar, own)
            about = series.metadata
            if about.type or about.help_ref or about.unit_ref:
                if max(about.help_ref, about.unit_ref) >= len(symbols):
                    found.status = 400
                else:
                    family = dict(labels)[NAME]
                    self._metadata(found, about.type, family, symbols[about.help_ref], symbols[about.unit_ref])
        return found

    @staticmethod
    def _symbols(references, symbols: list[bytes]) -> Labels | None:
        if len(references) % 2 or any(reference >= len(symbols) for reference in references):
            return None
        return tuple((symbols[a], symbols[b]) for a, b in zip(references[::2], references[1::2]))

    def _is_series(self, labels: Labels) -> bool:
        return 0 < len(labels) <= self.limits.labels and self._are_labels(labels) and bool(dict(labels).get(NAME))

    def _are_labels(self, labels: Labels) -> bool:
        names = [name for name, _ in labels]
        return (
            names == sorted(set(names))
            and all(0 < len(name) <= self.limits.name_bytes for name in names)
            and all(len(value) <= self.limits.value_bytes for _, value in labels)
            and all(is_utf8(text) for pair in labels for text in pair)
        )

    @staticmethod
    def _values(found: Expected, labels: Labels, series, classes):
        for sample in series.samples:
            if sample.timestamp in TIMES:
                start = getattr(sample, "start_timestamp", 0) or None
                found.samples.append((labels, sample.timestamp, start, sample.value))
            else:
                found.status = 400
        for raw in series.histograms:
            histogram = classes["Histogram"]()
            histogram.ParseFromString(raw)
            if histogram.timestamp in TIMES:
                found.histograms.append((labels, histogram.timestamp, raw))
            else:
                found.status = 400

    def _exemplar(self, found: Expected, labels: Labels, exemplar, own: Labels | None):
        is_readable = own is not None and len(own) <= self.limits.labels and self._are_labels(own)
        if not is_readable or exemplar.timestamp not in TIMES:
            found.status = 400
        else:
            found.exemplars.append((labels, exemplar.timestamp, exemplar.value, own))

    @staticmethod
    def _metadata(found: Expected, kind: int, family: bytes, help_text: bytes, unit: bytes):
        if all(map(is_utf8, (family, help_text, unit))):
            found.metadata.append((kind & 0xFFFFFFFF, family, help_text, unit))
        else:
            found.status = 400


def is_utf8(text: bytes) -> bool:
    try:
        text.decode()
        return True
    except UnicodeDecodeError:
        return False


def varint(number: int, padding: int = 0) -> bytes:
    """`padding` more bytes than needed, as the encoding allows."""
    out = bytearray()
    number &= (1 << 64) - 1
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    for _ in range(min(padding, 10 - len(out))):
        out[-1] |= 0x80
        out.append(0)
    return bytes(out)


class Scrambler:
    """Another legal encoding of a message: any order of fields, numbers unpacked or in several packs, last one wins,
    unknown fields and groups, longer varints, embedded messages in two parts."""

    def __init__(self, chance: random.Random):
        self.chance = chance

    def encode(self, message) -> bytes:
        fields: list[list[bytes]] = []
        for descriptor, value in message.ListFields():
            if descriptor.is_repeated:
                fields.append(self._repeated(descriptor, value))
            elif descriptor.type == Field.TYPE_MESSAGE:
                fields.append([self._bytes(descriptor.number, part) for part in self._halves(value)])
            else:
                earlier = [self._field(descriptor, 1)] if descriptor.type != Field.TYPE_BYTES else []
                fields.append(earlier * self.chance.choice((0, 0, 1)) + [self._field(descriptor, value)])
        fields += [[self._unknown()] for _ in range(self.chance.choice((0, 0, 0, 1, 2)))]
        return b"".join(self._interleaved(fields))

    def _interleaved(self, fields: list[list[bytes]]) -> list[bytes]:
        """One order of all fields that keeps the order within each."""
        order = [index for index, parts in enumerate(fields) for _ in parts]
        self.chance.shuffle(order)
        rest = [iter(parts) for parts in fields]
        return [next(rest[index]) for index in order]

    def _repeated(self, descriptor, values) -> list[bytes]:
        if descriptor.type == Field.TYPE_MESSAGE:
            return [self._bytes(descriptor.number, self.encode(value)) for value in values]
        if descriptor.type == Field.TYPE_BYTES:
            return [self._field(descriptor, value) for value in values]
        parts, values = [], list(values)
        while values:
            if self.chance.random() < 0.5:
                parts.append(self._field(descriptor, values.pop(0)))
            else:
                count = self.chance.randint(1, len(values))
                pack = b"".join(self._value(descriptor, value) for value in values[:count])
                parts.append(self._bytes(descriptor.number, pack))
                values = values[count:]
        return parts

    def _halves(self, message) -> list[bytes]:
        """An embedded message in one field or in two, which a parser merges."""
        if self.chance.random() < 0.5:
            return [self.encode(message)]
        first, second = type(message)(), type(message)()
        for descriptor, value in message.ListFields():
            setattr(self.chance.choice((first, second)), descriptor.name, value)
        return [self.encode(first), self.encode(second)]

    def _tag(self, number: int, wire: int) -> bytes:
        # Parsers take tags of at most 5 bytes.
        return varint(number << 3 | wire, self.chance.choice((0, 0, 0, 1)) if number < 2**25 else 0)

    def _bytes(self, number: int, content: bytes) -> bytes:
        return self._tag(number, 2) + varint(len(content), self.chance.choice((0, 0, 0, 1, 3))) + content

    def _field(self, descriptor, value) -> bytes:
        if descriptor.type == Field.TYPE_BYTES:
            return self._bytes(descriptor.number, value)
        wire = 1 if descriptor.type == Field.TYPE_FIXED64 else 0
        return self._tag(descriptor.number, wire) + self._value(descriptor, value)

    def _value(self, descriptor, value) -> bytes:
        if descriptor.type == Field.TYPE_FIXED64:
            return struct.pack("<Q", value)
        return varint(value, self.chance.choice((0, 0, 0, 1, 2)))

    def _unknown(self, depth: int = 0) -> bytes:
        number, wire = self.chance.choice((19, 100, 20_000, 2**29 - 1)), self.chance.choice((0, 1, 2, 3, 5))
        if wire == 3:
            inner = b"".join(self._unknown(depth + 1) for _ in range(self.chance.randint(0, 2))) if depth < 4 else b""
            return varint(number << 3 | 3) + inner + varint(number << 3 | 4)
        content = {0: varint(self.chance.getrandbits(64)), 1: self.chance.randbytes(8), 5: self.chance.randbytes(4)}
        return self._bytes(number, b"\xff\x00any") if wire == 2 else varint(number << 3 | wire) + content[wire]
