"""Chromium by its own protocol over two pipes: a page at the width of a phone, in either theme."""

import base64
import json
import os
import struct
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path

from processes import clean_environment


@dataclass
class Screenshot:
    png: bytes

    @property
    def width(self) -> int:
        return struct.unpack(">I", self.png[16:20])[0]

    @property
    def corner(self) -> tuple[int, ...]:
        """Red, green and blue at the top left, where every filter of PNG adds nothing."""
        rows, at = b"", 8
        while at < len(self.png):
            length, kind = struct.unpack(">I4s", self.png[at : at + 8])
            rows += self.png[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
            at += length + 12
        return tuple(zlib.decompress(rows)[1:4])


class Browser:
    def __init__(self, profile: Path):
        commands, self.requests = os.pipe()
        self.answers, replies = os.pipe()
        words = f"exec chromium \"$@\" 3<&{commands} 4>&{replies}"
        self.process = subprocess.Popen(
            ["bash", "-c", words, "-", "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
             f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            pass_fds=(commands, replies), env=clean_environment(), start_new_session=True,
        )  # fmt: skip
        os.close(commands)
        os.close(replies)
        self.unread = b""
        self.number = 0
        self.session = None
        self.complaints: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.requests)
        os.close(self.answers)

    def call(self, method: str, **params) -> dict:
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.requests, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]
            if answer.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.complaints.append(json.dumps(answer["params"]))

    def _next(self) -> dict:
        while b"\0" not in self.unread:
            more = os.read(self.answers, 1 << 16)
            assert more, f"the browser ended: {self.process.poll()}"
            self.unread += more
        message, self.unread = self.unread.split(b"\0", 1)
        return json.loads(message)

    def open(self, url: str):
        self.call("Page.navigate", url=url)

    def ask(self, expression: str):
        """What JavaScript says; it is not the page's script, whose policy does not bind it."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def look(self, width: int, scheme: str):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=2200, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def shoot(self, file: Path) -> Screenshot:
        data = self.call("Page.captureScreenshot")["data"]
        file.write_bytes(base64.b64decode(data))
        return Screenshot(file.read_bytes())
