"""Faults of the upload API and the bucket: answers of fault_api.py in place of the good one."""

import hashlib
import json
import time
from collections.abc import Callable
from email.utils import formatdate

from fault_api import Exchange, Fault, Side, good

# Faults of any call.


def status(code: int, body: bytes | str = b"", **headers: str) -> Fault:
    return lambda x: x.send(code, body, **headers)


def redirect(code: int) -> Fault:
    """To a path of this side that counts who comes."""
    return lambda x: x.send(code, b"", Location=f"{x.side.base}/trap/upload")


def reset(x: Exchange):
    x.reset()


def half_header(x: Exchange):
    x.raw(b"HTTP/1.1 200 OK\r\nContent-Ty")
    x.reset()


def half_body(x: Exchange):
    x.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + x.answer[:20])
    x.reset()


def closed(x: Exchange):
    """An orderly end without a byte."""
    x.handler.close_connection = True


def slow(seconds: float) -> Fault:
    def answer(x: Exchange):
        time.sleep(seconds)
        good(x)

    return answer


def dribble(x: Exchange):
    """Never ends: a byte now and then."""
    x.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        x.raw(b"1\r\n{\r\n")
        time.sleep(0.05)


def flood(mebibytes: int, code: int = 200, says_length: bool = True) -> Fault:
    def answer(x: Exchange):
        length = f"Content-Length: {mebibytes << 20}\r\n" if says_length else "Connection: close\r\n"
        x.raw(f"HTTP/1.1 {code} OK\r\n{length}\r\n".encode())
        for _ in range(mebibytes):
            x.raw(b"[" * (1 << 20))

    return answer


def junk(content: bytes) -> Fault:
    return lambda x: x.raw(content)


# Faults of allocate.


def body(content: bytes | str) -> Fault:
    return status(200, content)


def urls(change: Callable[[Side, dict[str, str]], dict[str, str] | str]) -> Fault:
    """200 with another map than the good one, or with a text."""

    def answer(x: Exchange):
        changed = change(x.side, x.urls)
        x.send(200, changed if isinstance(changed, str) else json.dumps(changed))

    return answer


def replay(header: Callable[[Side], str]) -> Fault:
    return lambda x: x.send(X_CloudZero_Replay=header(x.side))


# Faults of PUT.


def stored(then: Fault) -> Fault:
    """The object is there; the answer is `then`'s."""

    def answer(x: Exchange):
        x.store()
        then(x)

    return answer


def truncated(x: Exchange):
    half = x.body[: len(x.body) // 2]
    x.store(half)
    x.send(ETag=f'"{hashlib.md5(half).hexdigest()}"')


def etag(text: str, **headers: str) -> Fault:
    """Stored, with an ETag of `text`, where MD5 stands for the right one."""
    return lambda x: (x.store(), x.send(ETag=text.replace("MD5", hashlib.md5(x.body).hexdigest()), **headers))


def before_body(fault: Fault) -> Fault:
    """Answers while the bytes are still on their way."""

    def answer(x: Exchange):
        fault(x)

    answer.before_body = True
    return answer


def http_date(seconds: float) -> str:
    return formatdate(time.time() + seconds, usegmt=True)
