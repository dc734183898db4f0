"""The cases of test_fault_matrix.py: what the server does wrong, a few times, before it behaves."""

import gzip
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import fault_api as api
import faults
from fault_api import Fault, Side, xml
from faults import body, etag, replay, status, stored, urls

if TYPE_CHECKING:
    from test_fault_matrix import Run


@dataclass
class Case:
    name: str
    upload: list[Fault | None] = field(default_factory=list)
    put: list[Fault | None] = field(default_factory=list)
    abandon: list[Fault | None] = field(default_factory=list)
    kill: tuple[str, int] | None = None  # the kind of call and which of them it dies in
    extra: int = 0
    is_s3: bool = False
    files: int = 3
    byte_count: int = 600
    later: bool = False  # one more file once the first are delivered
    abandoned: int = 0  # ids that the server wants to hear of
    damaged: bool = False  # one more file, whose bytes are not what its name says
    during: Callable[["Run"], None] = lambda run: None  # called again and again

    def __post_init__(self):
        lists = {"upload": self.upload, "put": self.put, "abandon": self.abandon}
        kind = next((kind for kind, scripted in lists.items() if scripted), "put")
        self.kill = self.kill or (kind, min(2, len(lists[kind]) or 2))


def on_upload(answers: dict[str, Fault], times: int = 2, **more) -> list[Case]:
    return [Case(f"allocate {name}", upload=[fault] * times, **more) for name, fault in answers.items()]


def on_put(answers: dict[str, Fault], times: int = 2, **more) -> list[Case]:
    """Twice: at a presigned URL, and at a bucket with a signature of ours."""
    return [
        Case(f"{kind} {name}", put=[fault] * times, is_s3=kind == "s3", **more)
        for kind in ("put", "s3") for name, fault in answers.items()
    ]  # fmt: skip


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
    made += on_upload({f"redirect {code}": faults.redirect(code) for code in (301, 302, 303, 307, 308)})
    made += on_upload({
        "403": status(403, gateway), "500 with words": status(500, failed), "204": status(204),
        "429": status(429), "429 and 1 s": status(429, Retry_After="1"),
        "429 and a date": lambda x: x.send(429, Retry_After=faults.http_date(1)),
        "429 and a date gone by": lambda x: x.send(429, Retry_After=faults.http_date(-1000)),
        "429 and garbage": status(429, Retry_After="soon \u00ff"), "503 and -1": status(503, Retry_After="-1"),
        "reset before the answer": faults.reset, "closed": faults.closed, "half a header": faults.half_header,
        "half a body": faults.half_body, "slow": faults.slow(1.3), "endless": faults.dribble,
        "giant": faults.flood(100), "giant of no length": faults.flood(100, says_length=False),
        "no HTTP": faults.junk(b"\x00\xff\r\n\r\n" * 9),
        "503 and -2^63": status(503, Retry_After=str(-(1 << 63))), "503 and hex": status(503, Retry_After="0x1"),
        "503 and 2^70": status(503, Retry_After=str(1 << 70)), "503 and 0.5": status(503, Retry_After="0.5"),
        "503 and no day": lambda x: x.send(503, Retry_After="Fri, 99 Dec 99999999999999 99:99:99 GMT"),
        "status 600": status(600), "status 999": status(999), "a long reason": faults.junk(
            b"HTTP/1.1 503 " + b"x" * 60_000 + b"\r\nContent-Length: 0\r\n\r\n"),
        "two lengths": faults.junk(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 9\r\n\r\n{}       "),
        "a negative length": faults.junk(b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}"),
        "bad chunks": faults.junk(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}"),
        "gzip": lambda x: x.send(200, gzip.compress(x.answer), Content_Encoding="gzip"),
        "giant header": faults.junk(b"HTTP/1.1 200 OK\r\nX: " + b"x" * (1 << 18) + b"\r\n\r\n{}"),
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
        "a broken Date": lambda x: x.send(Date="never"), "a Date without end": lambda x: x.send(
            Date="Fri, 31 Dec 99999999999999 23:59:59 GMT"),
        "a Date long ago": lambda x: x.send(Date="Thu, 01 Jan 1970 00:00:00 GMT"),
        "a Date far ahead": lambda x: x.send(Date="Fri, 31 Dec 9999 23:59:59 GMT"),
        "URLs of year 9999": each(lambda side, key: side.url(key, date="99991231T235959Z")),
        "URLs of no day": each(lambda side, key: side.url(key, date="20269999T999999Z")),
        "URLs of no date": each(lambda side, key: side.url(key, date="")),
        "HTTP/1.0": lambda x: x.raw(b"HTTP/1.0 200 OK\r\n\r\n" + x.answer),
        "status 226": lambda x: x.send(226),
    }, times=1, kill=("put", 2))  # fmt: skip
    made += [
        Case("allocate expired URLs", [each(lambda side, key: side.url(key, shift=-900))] * 2, kill=("put", 2),
             extra=12),
        Case("allocate URLs of a host that refuses",
             [each(lambda side, key: side.url(key, base=f"http://127.0.0.1:{refused_port()}"))], kill=("put", 1)),
        Case("allocate a key that is refused", [each(lambda side, key: side.url(api.REFUSED + key))], kill=("put", 2),
             extra=6),
        Case("allocate many files, a few at a time", [only(70)] * 3, files=230, extra=1),
        Case("replay of files that are being sent", [None, replay(lambda side: wishes(*[
            wish(side, key) for kind, key in side.requests if kind == "put"][:60]))], files=230, extra=60,
            kill=("upload", 2)),
        Case("the API key is rotated", during=wrong_key_of_api, kill=("upload", 2), extra=6),
        Case("the ledger is lost", put=[None, faults.slow(0.5), faults.slow(0.5)], during=lose_ledger, kill=("put", 3)),
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
        "429 and 1 s": status(429, Retry_After="1"), "307": faults.redirect(307), "302": faults.redirect(302),
        "reset before the bytes": faults.before_body(faults.reset), "closed": faults.closed, "reset": faults.reset,
        "503 before the bytes": faults.before_body(
            faults.junk(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")),
        "half a header": faults.half_header, "half a body": faults.half_body, "giant error": faults.flood(100, 500),
        "lost answer": stored(faults.reset), "stored, then half a body": stored(faults.half_body),
        "stored, then 500": stored(status(500)), "stored, then 403": stored(status(403)), "slow": faults.slow(1.3),
        "truncated object": faults.truncated, "wrong ETag": etag('"' + "0" * 32 + '"'),
        "no HTTP": faults.junk(b"\r\n\r\nHTTQ"),
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
        "403": status(403), "500": status(500), "reset": faults.reset, "slow": faults.slow(1.3), "404": status(404),
    }.items():  # fmt: skip
        made.append(Case(f"abandon {name}", [missing], abandon=[fault] * 2, kill=("abandon", 2), abandoned=1, extra=2))
    return made
