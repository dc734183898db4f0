"""Every fault of the upload API and the bucket, with a shipper that stays up and with one that is killed in the middle.

Each case is an installation with some files and a server (fault_api.py) that misbehaves a few times and then behaves.
At the end of each, whatever happened:
- every file is one object under its own key with its own bytes, the outbox is empty, `uploaded/` has the files;
- there was no storm: each file costs one PUT, each batch one allocate call, each fault answered at most two requests
  more (what it spoiled, and an allocate call), each kill at most an allocate call and a PUT a file; what a case needs
  beyond that is its `extra`;
- nothing went where a redirect pointed, and no PUT had a header that was not signed;
- the ledger's history explains it: moves of the table only, without a gap, up to the row's state, and no PUT without
  a move to `uploading`; the URL is wiped.
"""

import json
import socket
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import fault_api as api
import pytest
from cirrus import Cirrus
from fault_api import API_KEY, Fault, FaultAPI, Side, body, etag, replay, status, stored, urls, xml
from parquet_rows import files_below
from s3_servers import put_in_outbox

CASE_SECONDS = 60
WORKERS = 8
NEXT_STATES = {  # docs/formats/ledger.md
    None: {"discovered", "uploaded"},
    "discovered": {"allocated", "uploading", "failed", "quarantined", "abandoned"},
    "allocated": {"allocated", "uploading", "failed", "quarantined", "abandoned"},
    "uploading": {"discovered", "allocated", "uploading", "uploaded", "failed", "quarantined"},
    "uploaded": {"allocated", "discovered", "purging"},
    "failed": {"discovered", "allocated", "uploading", "failed", "quarantined", "abandoned"},
}


@dataclass
class Case:
    name: str
    upload: list[Fault | None] = field(default_factory=list)
    put: list[Fault | None] = field(default_factory=list)
    abandon: list[Fault | None] = field(default_factory=list)
    kill: tuple[str, int] | None = None  # the kind of call and which of them it dies in
    extra: int = 0
    files: int = 3
    byte_count: int = 600
    later: bool = False  # one more file once the first are delivered
    abandoned: int = 0  # ids that the server wants to hear of
    damaged: bool = False  # one more file, whose bytes are not what its name says
    during: Callable[["Run"], None] = lambda run: None  # called again and again

    def __post_init__(self):
        lists = {"upload": self.upload, "put": self.put, "abandon": self.abandon}
        kind = next((kind for kind, faults in lists.items() if faults), "put")
        self.kill = self.kill or (kind, min(2, len(lists[kind]) or 2))


def on_upload(faults: dict[str, Fault], times: int = 2, **more) -> list[Case]:
    return [Case(f"allocate {name}", upload=[fault] * times, **more) for name, fault in faults.items()]


def on_put(faults: dict[str, Fault], times: int = 2, **more) -> list[Case]:
    return [Case(f"put {name}", put=[fault] * times, **more) for name, fault in faults.items()]


def on_replay(headers: dict[str, Callable[[Side], str]], **more) -> list[Case]:
    """With the second allocate call, when the first files are delivered."""
    return [
        Case(f"replay {name}", upload=[None, replay(header)], kill=("upload", 2), later=True, **more)
        for name, header in headers.items()
    ]


def wishes(*entries: dict) -> str:
    return json.dumps(list(entries))


def wish(side: Side, key: str, url: str | None = None) -> dict:
    return {"ref_id": key, "url": side.url(key) if url is None else url}


def first(side: Side) -> str:
    return min(side.objects)


def refused_port() -> int:
    """A port that refuses: bound, and never listened on."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    _held.append(held)
    return held.getsockname()[1]


_held: list[socket.socket] = []
MISSING = [f"metrics_{n}_{n}_{n:032x}.parquet" for n in range(1, 401)]


def only(count: int) -> Fault:
    return urls(lambda side, good: dict(list(good.items())[:count]))


def each(change: Callable[[Side, str], str]) -> Fault:
    """200 with another URL for each id."""
    return urls(lambda side, good: {key: change(side, key) for key in good})


def text(change: Callable[[str], str]) -> Fault:
    return urls(lambda side, good: change(json.dumps(good)))


def wrong_key_of_api(run: "Run"):
    """The operator writes the new key when the old one has been refused."""
    if run.side.count("upload") >= 2:
        (run.cirrus.home / "api-key").write_text("rotated-canary\n")


def lose_ledger(run: "Run"):
    """Once, when something was sent: the shipper ends, the ledger goes, the shipper comes back."""
    if run.side.count("put") >= 2 and not run.lost_ledger and (not run.killed or not run.program.running):
        run.program.kill()
        for name in ("ledger.sqlite", "ledger.sqlite-journal"):
            (run.cirrus.data / name).unlink(missing_ok=True)
        run.lost_ledger, run.kills = True, run.kills + 1
        run.start()


def cases() -> list[Case]:
    gateway = '{"message":"User is not authorized to access this resource"}'
    failed = '{"statusCode":500,"body":"{\\"message\\": \\"Failed\\"}"}'
    made = on_upload({str(code): status(code) for code in (400, 401, 404, 405, 408, 413, 500, 501, 502, 503, 504)})
    made += on_upload({f"redirect {code}": api.redirect(code) for code in (301, 302, 303, 307, 308)})
    made += on_upload({
        "403": status(403, gateway), "500 with words": status(500, failed), "204": status(204),
        "429": status(429), "429 and 1 s": status(429, Retry_After="1"),
        "429 and a date": lambda x: x.send(429, Retry_After=api.http_date(1)),
        "429 and a date gone by": lambda x: x.send(429, Retry_After=api.http_date(-1000)),
        "429 and garbage": status(429, Retry_After="soon \u00ff"), "503 and -1": status(503, Retry_After="-1"),
        "reset before the answer": api.reset, "closed": api.closed, "half a header": api.half_header,
        "half a body": api.half_body, "slow": api.slow(1.3), "endless": api.dribble, "giant": api.flood(100),
        "giant of no length": api.flood(100, says_length=False), "no HTTP": api.junk(b"\x00\xff\r\n\r\n" * 9),
        "giant header": api.junk(b"HTTP/1.1 200 OK\r\nX: " + b"x" * (1 << 18) + b"\r\n\r\n{}"),
    })  # fmt: skip
    made += on_upload({
        "empty": body(b""), "truncated": text(lambda good: good[:-5]), "a list": body("[]"), "null": body("null"),
        "a text": body('"https://x/"'), "numbers": text(lambda good: good.replace('"http', '1,"x":"http')),
        "nested": urls(lambda side, good: json.dumps({"urls": good})), "deep": body("[" * 100_000 + "]" * 100_000),
        "deep maps": body('{"a":' * 50_000), "not UTF-8": body(b'{"\xff\xfe":"\xc0"}'), "NUL": body(b"{\0}\0"),
        "NUL in a URL": each(lambda side, key: side.url(key).replace("bucket", "\0bucket")),
        "two answers": text(lambda good: good + good), "an empty map": body("{}"), "a subset": only(1),
        "empty URLs": each(lambda side, key: ""), "odd URLs": each(lambda side, key: "ftp://[::1/" + key),
        "white space": each(lambda side, key: " " + side.url(key)), "a URL alone": each(lambda side, key: "http://"),
        "unknown ids alone": urls(lambda side, good: {f"x{key}": url for key, url in good.items()}),
        "long URLs": each(lambda side, key: side.url(key) + "&x=" + "x" * 9000),
    })  # fmt: skip
    # These are good answers, if odd ones: each costs nothing.
    made += on_upload({
        "unknown ids too": urls(lambda side, good: good | {"../x": side.url("x"), "": side.url("y")}),
        "ids in another order": urls(lambda side, good: dict(sorted(good.items(), reverse=True))),
        "ids twice": text(lambda good: good[:-1] + ", " + good[1:]),
        "URLs soon to expire": each(lambda side, key: side.url(key, seconds=20)),
        "URLs of the future": each(lambda side, key: side.url(key, shift=90_000)),
        "URLs without expiry": each(lambda side, key: side.url(key).replace("X-Amz-Expires", "X-Expires")),
        "URLs of odd expiry": each(lambda side, key: side.url(key).replace("Expires=600", "Expires=9e99")),
        "a broken Date": lambda x: x.send(Date="never"),
    }, times=1, kill=("put", 2))  # fmt: skip
    made += [
        Case("allocate expired URLs", [each(lambda side, key: side.url(key, shift=-900))] * 2, kill=("put", 2),
             extra=12),
        Case("allocate URLs of a host that refuses",
             [each(lambda side, key: side.url(key, base=f"http://127.0.0.1:{refused_port()}"))], kill=("put", 1)),
        Case("allocate a key that is refused", [each(lambda side, key: side.url(api.REFUSED + key))], kill=("put", 2),
             extra=6),
        Case("allocate many files, a few at a time", [only(70)] * 3, files=230, extra=1),
        Case("the API key is rotated", during=wrong_key_of_api, kill=("upload", 2), extra=30),
        Case("the ledger is lost", put=[None, api.slow(0.5), api.slow(0.5)], during=lose_ledger, kill=("put", 3)),
        Case("a file is damaged", put=[status(503)], damaged=True),
    ]  # fmt: skip
    made += on_put({str(code): status(code) for code in (400, 401, 404, 405, 408, 410, 413, 500, 501, 502, 504)})
    made += on_put({
        f"{code} {word}": status(code, xml(word, "of the test")) for code, word in (
            (400, "BadDigest"), (400, "ExpiredToken"), (400, "AccessDenied"), (403, "SignatureDoesNotMatch"),
            (403, "RequestTimeTooSkewed"), (403, "AccessDenied"), (403, "InvalidAccessKeyId"), (404, "NoSuchBucket"),
            (409, "ConditionalRequestConflict"), (411, "MissingContentLength"), (412, "PreconditionFailed"),
            (501, "NotImplemented"), (503, "SlowDown"), (500, "InternalError"), (200, "InternalError"),
        ) if code != 200
    })  # fmt: skip
    made += on_put({
        "403 expired": status(403, xml("AccessDenied", "Request has expired")),
        "429 and 1 s": status(429, Retry_After="1"), "307": api.redirect(307), "302": api.redirect(302),
        "reset before the bytes": api.before_body(api.reset), "closed": api.closed, "reset": api.reset,
        "503 before the bytes": api.before_body(
            api.junk(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")),
        "half a header": api.half_header, "half a body": api.half_body, "giant error": api.flood(100, 500),
        "lost answer": stored(api.reset), "stored, then half a body": stored(api.half_body),
        "stored, then 500": stored(status(500)), "stored, then 403": stored(status(403)), "slow": api.slow(1.3),
        "truncated object": api.truncated, "wrong ETag": etag('"' + "0" * 32 + '"'),
        "no HTTP": api.junk(b"\r\n\r\nHTTQ"),
    }, byte_count=300_000)  # fmt: skip
    made += on_put({
        "201": stored(status(201)), "204": stored(status(204)), "bare ETag": etag("MD5"), "weak ETag": etag('W/"MD5"'),
        "ETag of parts": etag('"00000000000000000000000000000000-2"'), "other ETag": etag('"abc"'),
        "KMS": etag('"' + "1" * 32 + '"', x_amz_server_side_encryption="aws:kms"),
        "continue first": lambda x: (x.raw(b"HTTP/1.1 100 Continue\r\n\r\n"), api.good(x)),
    }, times=3)  # fmt: skip
    made += on_replay({
        "of bad JSON": lambda side: "[{", "of a map": lambda side: "{}", "of numbers": lambda side: "[1,2]",
        "of nothing": lambda side: "[]", "of odd ids": lambda side: wishes(*[
            wish(side, key) for key in ("", "/", "../../etc/passwd", "\0", "a b", "é", "x" * 300)]),
        "of an uploaded file": lambda side: wishes(wish(side, first(side))),
        "of one file twice": lambda side: wishes(*[wish(side, first(side))] * 2),
        "of an uploaded file without URL": lambda side: wishes(wish(side, first(side), "")),
        "of an uploaded file at an odd URL": lambda side: wishes(wish(side, first(side), "gopher://x")),
        "of deep JSON": lambda side: "[" * 20_000, "too large": lambda side: "[" + " " * 70_000 + "]",
    }, extra=3)  # fmt: skip
    made += on_replay({
        "of a missing file": lambda side: wishes(wish(side, MISSING[0])),
        "of a part of a name": lambda side: wishes(wish(side, first(side)[:-9])),
        "of a dot": lambda side: wishes(wish(side, ".")),
    }, abandoned=1, extra=2)  # fmt: skip
    made += on_replay(
        {"of 400 missing files": lambda side: wishes(*[wish(side, key, "") for key in MISSING])},
        abandoned=400, extra=3)  # fmt: skip
    missing = replay(lambda side: wishes(wish(side, MISSING[0])))
    for name, fault in {
        "403": status(403), "500": status(500), "reset": api.reset, "slow": api.slow(1.3), "404": status(404),
    }.items():  # fmt: skip
        made.append(Case(f"abandon {name}", [missing], abandon=[fault] * 2, kill=("abandon", 2), abandoned=1, extra=2))
    return made


class Run:
    """One case: an installation, its side of the server, its shipper."""

    def __init__(self, case: Case, server: FaultAPI, home, killed: bool):
        self.case, self.killed, self.kills = case, killed, 0
        self.side = server.side(home.name)
        self.side.faults = {"upload": list(case.upload), "put": list(case.put), "abandon": list(case.abandon)}
        if case.during is wrong_key_of_api:
            self.side.api_key = "rotated-canary"
        self.side.kill = case.kill if killed else None
        home.mkdir()
        (home / "api-key").write_text(API_KEY + "\n")
        self.cirrus = Cirrus(home, destination={"kind": "cloudzero"}, cloudzero={
            "api_key_path": str(home / "api-key"), "host": f"{server.host}/{home.name}", "use_http": True,
            "send_interval": "1s", "http_max_wait": "100ms", "send_timeout": "1s",
        })  # fmt: skip
        self.sent = dict(put_in_outbox(self.cirrus.data, number, case.byte_count) for number in range(case.files))
        self.bad = ""
        if case.damaged:
            self.bad, _ = put_in_outbox(self.cirrus.data, 1000)
            (self.cirrus.data / "outbox" / self.bad).write_bytes(b"other bytes")
        self.waits_for_later = case.later
        self.lost_ledger = False
        self.retried = 0.0

    def start(self):
        self.program = self.cirrus.spawn("shipper")
        self.side.pid = self.program.pid

    def outbox_is_empty(self) -> bool:
        return not any(self.cirrus.data.glob("outbox/*"))

    def is_over(self) -> bool:
        if not self.outbox_is_empty():
            return False
        if self.waits_for_later:
            self.waits_for_later = False
            self.sent |= [put_in_outbox(self.cirrus.data, 2000)]
            return False
        # A replay of a delivered file shows in the ledger only: the file is in uploaded/ all the while.
        states = self._states()
        delivered = all(states.get(key) == "uploaded" for key in self.sent)
        return delivered and len(set(self.side.abandoned)) >= self.case.abandoned

    def _states(self) -> dict[str, str]:
        if not (self.cirrus.data / "ledger.sqlite").exists():
            return {}
        with sqlite3.connect(f"file:{self.cirrus.data}/ledger.sqlite?mode=ro", uri=True, timeout=20) as ledger:
            try:
                return dict(ledger.execute("SELECT file, state FROM shipment"))
            except sqlite3.OperationalError:
                return {}  # a hot journal of a shipper that was killed

    def run(self) -> list[str]:
        self.start()
        deadline = time.monotonic() + CASE_SECONDS
        while not self.is_over():
            if time.monotonic() > deadline:
                return [f"not done in {CASE_SECONDS} s: {self._states()} {self.side.requests[-5:]} {self._tail()}"]
            self.case.during(self)
            if not self.program.running:
                if not self.killed or self.program.process.returncode != -9 or self.kills > 1:
                    return [f"the shipper ended with {self.program.process.returncode}: {self._tail()}"]
                self.kills += 1
                self.start()
            self._retry()
            time.sleep(0.03)
        return self.faults()

    def _retry(self):
        """What an operator does who sees files wait out their back-off."""
        now = time.monotonic()
        if now - max(self.side.last_request, self.retried) > 0.6 and not self.outbox_is_empty():
            self.cirrus.command("retry", "--state", "failed", "--config", self.cirrus.config)
            self.retried = time.monotonic()

    def _tail(self) -> str:
        return self.program.tail(4)

    def faults(self) -> list[str]:
        side, case = self.side, self.case
        requests = len(side.requests)
        code = self.program.stop()
        found = side.violations + [f"trapped: {request}" for request in side.trapped]
        if code != 0:
            found.append(f"the shipper's exit status is {code}: {self._tail()}")
        if self.killed and self.kills == 0:
            found.append("the shipper was never killed")
        if side.content() != self.sent:
            found.append(f"objects {sorted(side.content())} of files {sorted(self.sent)}, or their bytes differ")
        kept = {file.name: file.read_bytes() for file in files_below(self.cirrus.data / "uploaded")}
        if kept != self.sent:
            found.append(f"uploaded/ has {sorted(kept)}")
        if len(set(side.abandoned)) != case.abandoned:
            found.append(f"abandoned {side.abandoned}")
        batch = 1 + case.files // 200
        bound = batch + len(self.sent) + case.later + 2 * side.served + self.kills * (batch + len(self.sent))
        if requests > bound + case.extra:
            found.append(f"{requests} requests, at most {bound} + {case.extra}: {Counter(k for k, _ in side.requests)}")
        return found + self._history_faults()

    def _history_faults(self) -> list[str]:
        found = []
        puts = self.side.whole  # libcurl by itself sends again on a new connection what a reused one did not take
        with sqlite3.connect(self.cirrus.data / "ledger.sqlite") as ledger:
            rows = ledger.execute("SELECT file, state, url, receipt_status FROM shipment").fetchall()
            for file, state, url, receipt in rows:
                query = "SELECT from_state, to_state, detail FROM history WHERE file = ? ORDER BY id"
                moves = ledger.execute(query, [file]).fetchall()
                pairs = [(before, after) for before, after, _ in moves]
                chained = all(a[1] == b[0] for a, b in zip(pairs, pairs[1:], strict=False)) and pairs[0][0] is None
                if not chained or pairs[-1][1] != state or any(b not in NEXT_STATES.get(a, ()) for a, b in pairs):
                    found.append(f"history of {file}, now {state}: {pairs}")
                begun = sum(after == "uploading" for _, after in pairs)
                if puts[file] > begun and not self.lost_ledger:
                    found.append(f"{puts[file]} PUTs of {file}, the history knows of {begun}: {moves}")
                expected = "quarantined" if file == self.bad else "uploaded"
                if state != expected or url is not None or (state == "uploaded" and (receipt or 0) // 100 != 2):
                    if not (self.lost_ledger and state == expected and url is None):
                        found.append(f"{file} ends {state} with receipt {receipt}")
            if {row[0] for row in rows} != self.sent.keys() | ({self.bad} - {""}):
                found.append(f"rows of {len(rows)} files for {len(self.sent)}")
            if ledger.execute("SELECT count(*) FROM abandonment").fetchone() != (0,):
                found.append("the ledger still has ids to abandon")
        return found


@pytest.mark.parametrize("mode", ["up", "killed"])
def test_every_fault(tmp_path, summarize, mode):
    server = FaultAPI()
    runs: list[Run] = []

    def run(entry: tuple[int, Case]) -> tuple[str, list[str]]:
        number, case = entry
        made = Run(case, server, tmp_path / f"{mode}-{number}", mode == "killed")
        runs.append(made)
        try:
            return case.name, made.run()
        except Exception as error:  # one broken case hides no other
            return case.name, [repr(error)]
        finally:
            made.cirrus.kill()

    start = time.monotonic()
    all_cases = cases()
    assert len(all_cases) >= 60 and len({case.name for case in all_cases}) == len(all_cases)
    with ThreadPoolExecutor(WORKERS) as pool:
        results = list(pool.map(run, enumerate(all_cases)))
    server.stop()
    bad = {name: faults for name, faults in results if faults}
    requests, objects = (sum(len(x) for x in part) for part in
                         ([made.side.requests for made in runs], [made.side.objects for made in runs]))  # fmt: skip
    summarize(
        f"upload faults, shipper {mode}: {len(all_cases)} cases, {requests} requests, {objects} objects, "
        f"{len(bad)} violations, {time.monotonic() - start:.0f} s"
    )
    assert bad == {}, "\n" + "\n".join(f"{name}: {faults}" for name, faults in bad.items())
