"""Starting, watching and stopping the programs under test: always by process id, always under a deadline."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 30
STOP_SECONDS = 60


def czctl_path() -> Path:
    """The program under test: $CZCTL, or else what `make build` leaves."""
    path = Path(os.environ.get("CZCTL", ROOT / ".build/release/czctl"))
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing; run `make build`, or set CZCTL")
    return path.resolve()


def prometheus_path() -> str:
    unpacked = ROOT / ".tools/usr/bin/prometheus"
    path = shutil.which("prometheus") or (str(unpacked) if unpacked.exists() else None)
    if path is None:
        raise FileNotFoundError("prometheus is missing; run scripts/setup.sh test")
    return path


def squid_path() -> Path:
    """Debian's squid as scripts/setup.sh unpacks it: its package would start a service."""
    path = ROOT / ".tools/usr/sbin/squid"
    if not path.exists():
        raise FileNotFoundError("squid is missing; run scripts/setup.sh test")
    return path


_given_ports: set[int] = set()


def free_port() -> int:
    """A port on 127.0.0.1 that nothing listens on now and that this run has not handed out before."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in _given_ports:
            _given_ports.add(port)
            return port


def wait_until(condition, what: str, seconds: float = START_SECONDS, every: float = 0.05):
    """The first true result of `condition`, asked again and again until the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(every)


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.RequestException:
        return False


def clean_environment() -> dict[str, str]:
    """Without the variables that would be settings of Cirrus, such as HOST."""
    return {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH")}


class Program:
    """One child process with its output in a file."""

    started: list["Program"] = []  # in this test

    def __init__(self, arguments: list[str], log: Path, env: dict[str, str] | None = None):
        Program.started.append(self)
        self.arguments = [str(a) for a in arguments]
        self.log = log
        with open(log, "ab") as output:
            self.process = subprocess.Popen(
                self.arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=clean_environment() | (env or {}),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def wait_ready(self, url: str):
        def ready():
            if not self.running:
                raise RuntimeError(f"{self.arguments} ended with {self.process.returncode}:\n{self.tail()}")
            return answers(url)

        try:
            wait_until(ready, url)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.tail()}") from None

    def wait_listening(self, port: int):
        def listening():
            if not self.running:
                raise RuntimeError(f"{self.arguments} ended with {self.process.returncode}:\n{self.tail()}")
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        wait_until(listening, f"port {port}")

    def kill(self):
        """kill -9, and wait until the kernel has let go of its port and locks."""
        if self.running:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(STOP_SECONDS)

    def wait_end(self, seconds: float = STOP_SECONDS) -> int:
        return self.process.wait(seconds)

    def stop(self) -> int:
        """SIGTERM; its exit status. SIGKILL and an error when it does not end."""
        if self.running:
            self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TimeoutError(f"{self.arguments} still ran {STOP_SECONDS} s after SIGTERM\n{self.tail()}") from None

    def peak_memory_bytes(self) -> int:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("no VmHWM")

    def tail(self, lines: int = 40) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
