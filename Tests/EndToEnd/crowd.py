"""Many sockets of one thread, each with a script of its own: what a hostile client, or a crowd of them, does."""

import re
import selectors
import socket
import time
from collections.abc import Iterator

READ_BYTES = 65536
KEPT_BYTES = 4096  # of an answer


class Visitor:
    """One connection: sends what its script yields (bytes, or seconds to wait), keeps the beginning of the answer."""

    def __init__(self, port: int, script: Iterator[bytes | float]):
        self.script = script
        self.pending = memoryview(b"")
        self.wake = 0.0
        self.answer = b""
        self.sent = 0
        self.opened = time.monotonic()
        self.closed: float | None = None  # seconds after it was opened
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.connect_ex(("127.0.0.1", port))

    @property
    def status(self) -> int | None:
        """Of the last answer; None when there was none."""
        found = re.findall(rb"HTTP/1\.1 (\d\d\d) ", self.answer)
        return int(found[-1]) if found else None

    def end(self):
        if self.closed is None:
            self.closed = time.monotonic() - self.opened
            self.socket.close()

    def step(self, readable: bool, writable: bool, leaves_when_answered: bool):
        try:
            if readable:
                data = self.socket.recv(READ_BYTES)
                if not data:
                    return self.end()
                self.answer = (self.answer + data)[:KEPT_BYTES]
                if leaves_when_answered:
                    return self.end()
            if writable and time.monotonic() >= self.wake:
                self.send()
        except OSError:
            self.end()

    def send(self):
        if not self.pending:
            step = next(self.script, None)
            if step is None:
                self.wake = float("inf")
                return
            if isinstance(step, float):
                self.wake = time.monotonic() + step
                return
            self.pending = memoryview(step)
        count = self.socket.send(self.pending)
        self.sent += count
        self.pending = self.pending[count:]


def run(visitors: list[Visitor], seconds: float, leaves_when_answered: bool = False, replace=None) -> list[Visitor]:
    """Until all are closed or the time is over. `replace` makes a new one for each that is closed. All there were."""
    everyone = list(visitors)
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for visitor in visitors:
            selector.register(visitor.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, visitor)
        while selector.get_map() and time.monotonic() < deadline:
            asleep = True
            for key, events in selector.select(0.05):
                visitor: Visitor = key.data
                if visitor.wake <= time.monotonic() or events & selectors.EVENT_READ:
                    asleep = False
                descriptor = key.fileobj
                visitor.step(
                    bool(events & selectors.EVENT_READ), bool(events & selectors.EVENT_WRITE), leaves_when_answered
                )
                if visitor.closed is not None:
                    selector.unregister(descriptor)
                    if replace is not None:
                        another = replace()
                        everyone.append(another)
                        selector.register(another.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, another)
            if asleep:
                time.sleep(0.01)  # all that is writable waits for its time
    for visitor in everyone:
        visitor.end()
    return everyone
