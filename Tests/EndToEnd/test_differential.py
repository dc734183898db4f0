"""Thousands of random requests to a real collector: protobuf's own parser and an independent reader of the log say what
each answer, and each byte stored, must be.

    CIRRUS_SEED=7 CIRRUS_REQUESTS=50000 pytest Tests/EndToEnd/test_differential.py      another seed, or more
"""

import os
import random
import struct
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import cramjam
import xxhash

from processes import ROOT
from protobuf_oracle import Expected, Limits, Oracle, Scrambler, varint
from remote_write import STALE, V1, V2, Sender, snappy

sys.path.insert(0, str(ROOT / "Tests/Independent"))
import wal_reader  # noqa: E402

SEED = int(os.environ.get("CIRRUS_SEED", 1))
REQUESTS = int(os.environ.get("CIRRUS_REQUESTS", 2_500))
CONNECTIONS = 16
LIMITS = Limits(labels=8, name_bytes=24, value_bytes=48)
DECODED_LIMIT = 1 << 20
NOW = 1_782_900_001_234

NAMES = ["__name__", "namespace", "pod", "a", "zone", "node.os", "é", "with space", "n" * 24]
VALUES = ["", "x", "kube-system", "coredns-7db6d8ff4d-abcde", "ü🙂", "\u2028", 'quote "', "v" * 48]
BITS = [struct.unpack("<Q", struct.pack("<d", value))[0] for value in (0.0, -0.0, 1.5, 1e300, 5e-324, 2.0**53, STALE)]
BITS += [0x7FF0000000000001, 0xFFF80000DEADBEEF, 0x7FF0000000000000, 0xFFF0000000000000]


class Generator:
    """Requests as (body before compression, body as sent, version)."""

    def __init__(self, encoder, oracle: Oracle):
        self.chance = random.Random(SEED)
        self.encoder = encoder
        self.oracle = oracle
        self.scrambler = Scrambler(self.chance)
        self.good_histograms: set[bytes] = set()
        self.known = [self.label_set() for _ in range(200)]

    def request(self) -> tuple[bytes, bytes, int]:
        version = self.chance.choice((1, 2))
        message = self.one() if version == 1 else self.two()
        kind = self.chance.random()
        if kind < 0.35:
            body = message.SerializeToString()
        elif kind < 0.65:
            body = self.scrambler.encode(message)
        else:
            body = self.chance.choice((message.SerializeToString, lambda: self.scrambler.encode(message)))()
            for _ in range(self.chance.randint(1, 3)):
                body = self.mutate(body)
        sent = snappy(body)
        if self.chance.random() < 0.1:
            sent = self.mutate(sent)
        return body, sent, version

    def mutate(self, body: bytes) -> bytes:
        data = bytearray(body)
        at = self.chance.randrange(len(data) + 1)
        length = self.chance.choice((1, 1, 2, 4, 16))
        match self.chance.randrange(6):
            case 0 if at < len(data):
                data[at] ^= 1 << self.chance.randrange(8)
            case 1:
                del data[at : at + length]
            case 2:
                data[at:at] = self.chance.randbytes(length)
            case 3:
                data[at:at] = data[at : at + length]
            case 4:
                del data[at:]
            case 5:
                data[at : at + 1] = varint(self.chance.choice((0, 0x7F, 2**31, 2**32 - 1, 2**63, 2**64 - 1)))
        return bytes(data)

    def label_set(self) -> list[tuple[str, str]]:
        names = sorted(
            {"__name__", *self.chance.sample(NAMES, self.chance.randint(0, 6))}, key=lambda name: name.encode()
        )
        values = {name: self.chance.choice(VALUES) for name in names}
        values["__name__"] = f"metric_{self.chance.randrange(50)}"
        return list(values.items())

    def labels(self) -> list[tuple[str, str]]:
        """Mostly good."""
        labels = list(self.chance.choice(self.known))
        match self.chance.randrange(40):
            case 0:
                self.chance.shuffle(labels)
            case 1:
                labels.append(labels[-1])
            case 2:
                labels = [pair for pair in labels if pair[0] != "__name__"]
            case 3:
                labels = []
            case 4:
                labels = [("", "v"), *labels]
            case 5:
                labels.append(("zz" * self.chance.choice((12, 13)), "v"))
            case 6:
                labels.append(("zz", "v" * self.chance.choice((48, 49))))
            case 7:
                labels += [(f"zz{number}", "v") for number in range(self.chance.randint(1, 8))]
        return labels

    def timestamp(self) -> int:
        odd = (0, -1, 253_402_300_799_999, 253_402_300_800_000, -62_135_596_800_001, -(2**63), 2**63 - 1)
        return self.chance.choice(odd) if self.chance.random() < 0.05 else NOW + self.chance.randrange(10**7)

    def bits(self) -> int:
        kind = self.chance.random()
        if kind < 0.3:
            return self.chance.choice(BITS)
        if kind < 0.6:
            return self.chance.getrandbits(64)
        whole = self.chance.randrange(-(2**54), 2**54) >> self.chance.randrange(55)
        return struct.unpack("<Q", struct.pack("<d", whole))[0]

    def add_samples(self, entry, can_start: bool):
        for _ in range(self.chance.choice((1, 1, 1, 2, 5))):
            sample = entry.samples.add(timestamp=self.timestamp(), value=self.bits())
            if can_start and self.chance.random() < 0.3:
                sample.start_timestamp = self.chance.choice((1, NOW - 60_000, sample.timestamp))

    def histogram(self, is_float: bool, version: int) -> bytes:
        message = (self.encoder.one if version == 1 else self.encoder.two).Histogram(
            sum=self.chance.choice((0.0, 17.25, STALE)), zero_threshold=0.001, reset_hint=self.chance.randrange(4),
            timestamp=NOW + self.chance.randrange(9),
        )  # fmt: skip
        custom = not is_float and self.chance.random() < 0.3
        message.schema = -53 if custom else self.chance.randint(-4, 8)
        if custom:
            message.zero_threshold = 0  # such have no zero bucket
        counts = [self.chance.randrange(9) for _ in range(3)]
        message.positive_spans.add(offset=0 if custom else self.chance.randint(-9, 9), length=3)
        if custom:
            message.custom_values.extend([0.5, 1.0, 2.5])
        if is_float:
            message.positive_counts.extend(map(float, counts))
            message.zero_count_float = 1.5
            message.count_float = sum(counts) + 1.5
        else:
            message.positive_deltas.extend([counts[0], counts[1] - counts[0], counts[2] - counts[1]])
            message.zero_count_int = 0 if custom else 2
            message.count_int = sum(counts) + message.zero_count_int
        raw = message.SerializeToString()
        self.good_histograms.add(raw)
        return raw

    def histograms(self, version: int) -> list[bytes]:
        return [self.histogram(self.chance.random() < 0.5, version) for _ in range(self.chance.randint(1, 2))]

    def one(self):
        request = self.oracle.one["WriteRequest"]()
        for _ in range(self.chance.randint(0, 4)):
            entry = request.timeseries.add()
            for name, value in self.labels():
                entry.labels.add(name=name.encode(), value=value.encode())
            if self.chance.random() < 0.9:
                self.add_samples(entry, can_start=False)
            if self.chance.random() < 0.15:
                entry.histograms.extend(self.histograms(1))
            for _ in range(self.chance.choice((0, 0, 0, 1, 2))):
                exemplar = entry.exemplars.add(value=self.bits(), timestamp=self.timestamp())
                for name, value in self.exemplar_labels():
                    exemplar.labels.add(name=name, value=value)
        for _ in range(self.chance.choice((0, 0, 0, 1, 3))):
            request.metadata.add(
                type=self.chance.randrange(9), metric_family_name=b"family_%d" % self.chance.randrange(20),
                help=self.chance.choice((b"", b"Help.", "Ünit".encode(), b"\xff")), unit=b"seconds",
            )  # fmt: skip
        return request

    def exemplar_labels(self) -> list[tuple[bytes, bytes]]:
        sorted_labels = [(b"a", b"1"), (b"b", b"")]
        return self.chance.choice(([], [(b"trace_id", b"4bf9")], sorted_labels, sorted_labels[::-1]))

    def two(self):
        request = self.oracle.two["Request"](symbols=[b""])
        symbols = {b"": 0}

        def reference(text: bytes) -> int:
            if text not in symbols:
                symbols[text] = len(symbols)
                request.symbols.append(text)
            return symbols[text]

        for _ in range(self.chance.randint(0, 4)):
            entry = request.timeseries.add()
            for pair in self.labels():
                entry.labels_refs.extend(reference(text.encode()) for text in pair)
            if self.chance.random() < 0.03:
                entry.labels_refs.append(self.chance.choice((0, 10_000, 2**32 - 1)))
            kind = self.chance.random()
            if kind < 0.8:
                self.add_samples(entry, can_start=True)
            if kind > 0.75 and kind < 0.97:
                entry.histograms.extend(self.histograms(2))
            for _ in range(self.chance.choice((0, 0, 0, 1, 2))):
                exemplar = entry.exemplars.add(value=self.bits(), timestamp=self.timestamp())
                for pair in self.exemplar_labels():
                    exemplar.labels_refs.extend(map(reference, pair))
                if self.chance.random() < 0.05:
                    exemplar.labels_refs.append(self.chance.choice((0, 10_000)))
            if self.chance.random() < 0.2:
                entry.metadata.type = self.chance.randrange(9)
                entry.metadata.help_ref = reference(b"Help text.")
                entry.metadata.unit_ref = self.chance.choice((0, reference(b"bytes"), 5_000))
        if self.chance.random() < 0.03:
            request.symbols.insert(0, b"not empty")
        return request


def inflate(sent: bytes) -> bytes | None:
    """The body; None when cramjam refuses the block, or when it says to be larger than the limit."""
    length = 0
    for shift, byte in zip(range(0, 35, 7), sent):
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
    if length > DECODED_LIMIT:
        return None
    try:
        return bytes(cramjam.snappy.decompress_raw(sent))
    except cramjam.DecompressionError:
        return None


def post_all(port: int, requests: list[tuple[bytes, int]]) -> list[tuple]:
    def connection(index: int) -> list[tuple]:
        sender = Sender(port)
        try:
            return [sender.post(body, V1 if version == 1 else V2) for body, version in requests[index::CONNECTIONS]]
        finally:
            sender.close()

    answers: list = [None] * len(requests)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for index, part in enumerate(pool.map(connection, range(CONNECTIONS))):
            answers[index::CONNECTIONS] = part
    return answers


def read_batches(folder) -> dict[tuple[int, int], tuple]:
    """(fingerprint, protocol) to the batch and the series of its segment; and the secret of the fingerprints."""
    found, secret = {}, 0
    for segment in wal_reader.read_log(folder).values():
        assert not segment.damage
        secret = segment.header.volume[0] ^ segment.header.volume[1]
        series: dict = {}
        for record in segment.records:
            if record.kind == 1:
                if record.flags & 1:
                    assert bytes(cramjam.snappy.decompress_raw(record.stored)) == record.payload()
                batch = wal_reader.read_batch(record.payload(), series)
                assert (batch.fingerprint, batch.protocol) not in found, "a request is in the log twice"
                found[batch.fingerprint, batch.protocol] = batch, series
    return found, secret


def encoded(labels) -> tuple:
    return tuple((name.encode(), value.encode()) for name, value in labels)


def check_batch(expected: Expected, batch, series: dict, answer: tuple):
    labels = {reference: encoded(found) for reference, (_, found) in series.items()}
    assert (batch.status, batch.written[:3]) == (expected.status, expected.written)
    assert (batch.status, batch.written[:3]) == (answer[0], answer[2])
    assert batch.written[3] == len(expected.metadata) and batch.filtered == 0
    assert [(labels[r], time_, start, bits) for r, time_, start, bits in batch.samples] == expected.samples
    assert [(labels[r], time_, raw) for r, time_, _, raw in batch.histograms] == expected.histograms
    assert [(labels[r], time_, bits, encoded(own)) for r, time_, bits, own in batch.exemplars] == expected.exemplars


def metadata_of(batches) -> set[tuple]:
    return {
        (kind, family.encode(), help_text.encode(), unit.encode())
        for batch, _ in batches
        for kind, family, help_text, unit in batch.metadata
    }


def test_every_answer_and_every_stored_byte(make_cirrus, encoder, summarize):
    started = time.monotonic()
    cirrus = make_cirrus(
        database={"cost_max_interval": "1h"}, wal={"segment_age": "1h", "segment_bytes": 16 << 20},
        limits={
            "labels_per_series": LIMITS.labels, "label_name_bytes": LIMITS.name_bytes,
            "label_value_bytes": LIMITS.value_bytes, "decoded_bytes": DECODED_LIMIT,
        },
    )  # fmt: skip
    collector = cirrus.start("collector")
    # The first batch of a new volume becomes a file at once; what follows stays in the log for an hour.
    warm = encoder.v1([((("__name__", "warm"),), [(NOW, 1.0)])])
    assert Sender(cirrus.port).post(snappy(warm), V1)[0] == 204

    oracle = Oracle(encoder, LIMITS)
    generator = Generator(encoder, oracle)
    requests = [generator.request() for _ in range(REQUESTS)]
    answers = post_all(cirrus.port, [(sent, version) for _, sent, version in requests])
    collector.kill()

    batches, secret = read_batches(cirrus.data / "wal")
    kinds: Counter = Counter()
    wanted, unsure, metadata = set(), set(), set()
    for number, ((_, sent, version), answer) in enumerate(zip(requests, answers, strict=True)):
        place = f"request {number} of CIRRUS_SEED={SEED}, v{version}: {sent.hex()}"
        body = inflate(sent)
        if body is None:
            kinds["no snappy"] += 1
            assert (answer[0], answer[2]) == (400, (None, None, None)), f"{place}: {answer}"
            continue
        key = (xxhash.xxh3_128_intdigest(body, seed=(secret + version) & (1 << 64) - 1), version)
        if not oracle.histograms(body, version) <= generator.good_histograms:
            # Whether a histogram that a mutation made is one, other tests say.
            kinds["odd histogram"] += 1
            assert answer[0] in (204, 400), f"{place}: {answer}"
            unsure.add(key)
            continue
        expected = oracle.expect(body, version)
        if not expected.readable and answer[0] == 400 and answer[2] != (None, None, None):
            # The bytes that are no message are in a series that is refused, which is not looked into.
            kinds["refused in part"] += 1
            unsure.add(key)
            continue
        kinds["refused" if not expected.readable else "in part" if expected.status == 400 else "whole"] += 1
        assert (answer[0], answer[2]) == (expected.status, expected.written), f"{place}: {answer} {expected}"
        metadata |= set(expected.metadata)
        if not expected.is_stored:
            # Metadata that the segment has is not written again: such a request may leave nothing.
            assert key not in batches or expected.metadata, place
            continue
        wanted.add(key)
        assert key in batches, f"not in the log: {place}"
        try:
            check_batch(expected, *batches[key], answer)
        except AssertionError as error:
            raise AssertionError(f"{place}: {error}") from None
    extra = [key for key, (batch, _) in batches.items() if key not in wanted | unsure and any(batch.written[:3])]
    assert len(extra) <= 1, "the log holds what no request said"  # the one that warmed it up
    assert metadata_of(batches.values()) >= metadata
    assert metadata_of(found for key, found in batches.items() if key not in unsure) <= metadata
    assert min(kinds[kind] for kind in ("no snappy", "refused", "in part", "whole")) > REQUESTS // 200, kinds
    seconds = time.monotonic() - started
    counts = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
    summarize(f"differential: {REQUESTS:,} requests in {seconds:.0f} s, all as expected: {counts}")
