"""Load that knows the truth: what was acknowledged, compared with what readers that are not ours find uploaded.

Every sample has an identity, its sender and number, from which its series, its timestamp and its value follow. Like
Prometheus, a sender repeats a request with identical bytes until it is answered 2xx; on purpose it also repeats some
that were answered. So in the end each identity was acknowledged, and belongs into exactly one row.
"""

import http.client
import random
import re
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from parquet_rows import check_names, files_below
from remote_write import V1, V2, Encoder, Sender, snappy

SAMPLES = 25  # of a request, each of another series
START_MS = 1_782_900_000_000
STEP_MS = 1_000
RETRANSMITS = 0.05
RETRANSMIT_REACH = 50  # requests back
PAUSE_SECONDS = 0.02  # before a request is repeated
FINISH_SECONDS = 60

# One row a sample: of what was sent, and of what was found.
SENT = """
    create table sent as
    select sender, number, number % {samples} as slot, {start} + number // {samples} * {step} as at_ms
    from (select sender, unnest(range(requests * {samples})) as number from acknowledged)
"""
FOUND = """
    create table found as
    select (labels->>'sender')::bigint as sender, value::double::bigint as number,
        (labels->>'slot')::bigint as slot, epoch_ms(timestamp) as at_ms
    from read_parquet(?, hive_partitioning = false)
"""
LOST = "select sender, number from sent anti join found using (sender, number, slot, at_ms) order by all"
UNKNOWN = "select sender, number from found anti join sent using (sender, number, slot, at_ms) order by all"
DOUBLED = "select sender, number from found group by all having count(*) > 1 order by all"


@dataclass
class Verdict:
    """Samples as (sender, number)."""

    acknowledged: int
    rows: int
    lost: list[tuple[int, int]]
    unknown: list[tuple[int, int]]
    doubled: list[tuple[int, int]]
    history: list[str] = field(repr=False)

    @property
    def holds(self) -> bool:
        return not (self.lost or self.unknown or self.doubled)

    def __str__(self) -> str:
        return (
            f"{self.acknowledged:,} acknowledged, {self.rows:,} rows, {len(self.lost)} lost,"
            f" {len(self.doubled)} doubled, {len(self.unknown)} unknown"
        )

    def details(self) -> str:
        return "\n".join([str(self), *self.history])


class Load:
    """Senders, each a thread with a connection of its own, until `finish`."""

    def __init__(self, port: int, encoder: Encoder, seed: int, senders: int = 4, requests_per_second: float = 30):
        """`requests_per_second` is of one sender; 0 is as fast as it is answered."""
        self.port = port
        self.encoder = encoder
        self.seed = seed
        self.period = 1 / requests_per_second if requests_per_second else 0
        self.failures: Counter[str] = Counter()  # answers that were not 2xx, and what else stood in the way
        self.history: list[str] = []
        self._acknowledged_at: list[list[float]] = [[] for _ in range(senders)]  # by sender and request
        self._era = 0  # odd: unheard
        self._started = time.monotonic()
        self._stopping, self._abandoning = threading.Event(), threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(n,), daemon=True) for n in range(senders)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self._abandoning.set()
        for thread in self._threads:
            thread.join(FINISH_SECONDS)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    @property
    def requests(self) -> list[int]:
        """Acknowledged requests by sender."""
        return [len(times) for times in self._acknowledged_at]

    @property
    def samples(self) -> int:
        return sum(self.requests) * SAMPLES

    def note(self, event: str):
        """For the report of a failure."""
        self.history.append(f"{self.seconds:8.3f} s: {event}")

    @contextmanager
    def unheard(self):
        """What is answered meanwhile, or to what was asked meanwhile, does not arrive."""
        self._era += 1
        try:
            yield
        finally:
            self._era += 1

    def finish(self, seconds: float = FINISH_SECONDS):
        """Ends the load when everything sent was acknowledged."""
        self._stopping.set()
        deadline = time.monotonic() + seconds
        for number, thread in enumerate(self._threads):
            thread.join(max(0, deadline - time.monotonic()))
            assert not thread.is_alive(), f"sender {number}: no 2xx within {seconds} s, but {self.failures}"
        assert min(self.requests) > 0, "a sender did nothing"

    def _send(self, sender: int):
        chance = random.Random(self.seed * 1_000 + sender)
        acknowledged = self._acknowledged_at[sender]
        connection = _Connection(self.port)
        while not self._stopping.is_set():
            due = time.monotonic() + self.period
            if not self._repeat(connection, *self._request(sender, len(acknowledged))):
                return
            acknowledged.append(self.seconds)
            if chance.random() < RETRANSMITS:
                oldest = max(0, len(acknowledged) - RETRANSMIT_REACH)
                self._repeat(connection, *self._request(sender, chance.randrange(oldest, len(acknowledged))))
            self._stopping.wait(max(0, due - time.monotonic()))

    def _request(self, sender: int, request: int) -> tuple[bytes, str]:
        """The same bytes each time; 1.0 and 2.0 by turns."""
        series = []
        for slot in range(SAMPLES):
            labels = (("__name__", "truth_total"), ("sender", str(sender)), ("slot", str(slot)))
            series.append((labels, [(START_MS + request * STEP_MS, float(request * SAMPLES + slot))]))
        encode, content_type = [(self.encoder.v1, V1), (self.encoder.v2, V2)][request % 2]
        return snappy(encode(series)), content_type

    def _repeat(self, connection: "_Connection", body: bytes, content_type: str) -> bool:
        """Sends until it is acknowledged; false when the load is abandoned before."""
        while not self._abandoning.is_set():
            era = self._era
            result = connection.post(body, content_type)
            if result is None and era == self._era and era % 2 == 0:
                return True
            self.failures[result or "unheard"] += 1
            self._abandoning.wait(PAUSE_SECONDS)
        return False

    def judge(self, folder: Path) -> Verdict:
        """What was acknowledged against the Parquet files below `folder`. After `finish`."""
        files = files_below(folder)
        check_names(files)
        with duckdb.connect() as connection:
            connection.execute("create table acknowledged (sender bigint, requests bigint)")
            connection.executemany("insert into acknowledged values (?, ?)", list(enumerate(self.requests)))
            connection.execute(SENT.format(samples=SAMPLES, start=START_MS, step=STEP_MS))
            connection.execute(FOUND, [[str(file) for file in files]])
            lost, unknown, doubled = (connection.execute(query).fetchall() for query in (LOST, UNKNOWN, DOUBLED))
            (rows,) = connection.execute("select count(*) from found").fetchone()
        history = self.history + [f"{count} times {failure}" for failure, count in self.failures.most_common(20)]
        history += [f"seed {self.seed}"]
        history += [f"unknown: {sample}" for sample in unknown[:20]] + [f"doubled: {sample}" for sample in doubled[:20]]
        for sender, request in sorted({(sender, number // SAMPLES) for sender, number in lost})[:20]:
            at = self._acknowledged_at[sender][request]
            history.append(f"lost: request {request} of sender {sender}, acknowledged at {at:.3f} s")
        return Verdict(self.samples, rows, lost, unknown, doubled, history)

    def check(self, cirrus, folder: Path | None = None) -> Verdict:
        """Ends the load, drains the running service, and compares with `folder` or the configured directory."""
        self.finish()
        cirrus.drain()
        verdict = self.judge(folder or cirrus.destination)
        assert verdict.holds, verdict.details()
        assert files_below(cirrus.data / "outbox") == []
        quarantined = [path.name for path in (cirrus.data / "quarantine").iterdir()]
        assert quarantined == [], f"whole bytes were called damaged\n{verdict.details()}"
        return verdict


class _Connection:
    """A sender that connects again after a failure."""

    def __init__(self, port: int):
        self.port = port
        self.sender: Sender | None = None

    def post(self, body: bytes, content_type: str) -> str | None:
        """None when acknowledged, and else a word for what happened."""
        try:
            if self.sender is None:
                self.sender = Sender(self.port)
            status, text, (samples, _, _) = self.sender.post(body, content_type)
        except (OSError, http.client.HTTPException) as error:
            if self.sender is not None:
                self.sender.close()
            self.sender = None
            return type(error).__name__
        if status == 204:
            return None if samples == SAMPLES else f"204, but {samples} of {SAMPLES} samples written"
        after = "" if self.sender.retry_after else " without Retry-After"
        return f"{status}{after}: {re.sub('[0-9]+', '#', text.strip())}"
