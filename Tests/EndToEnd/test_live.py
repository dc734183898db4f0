"""`czctl tail` and `top` beside a running service; `top` and `status --watch` on a terminal, which is tmux's."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from processes import czctl_path, wait_until
from remote_write import Sender, snappy
from test_v2_sender import START_MS

NEVER = {"cost_max_interval": "1h", "observability_max_interval": "1h"}


def labels(name: str, number: int) -> tuple:
    return (("__name__", name), ("number", str(number)))


@pytest.fixture
def service(make_cirrus, encoder):
    """One whose log stays where it is; its first batch has become a file."""
    cirrus = make_cirrus(database=NEVER, wal={"segment_age": "1h"})
    cirrus.start()
    post(cirrus, encoder, "warm_up", 1)
    wait_until(lambda: list(cirrus.data.glob("uploaded/*.parquet")), "the first file")
    return cirrus


def post(cirrus, encoder, name: str, count: int, at: int = 0):
    series = [(labels(name, number), [(START_MS + at, float(at))]) for number in range(count)]
    assert Sender(cirrus.port).post(snappy(encoder.v1(series)))[0] == 204


class Follower:
    """`czctl` with its output in a pipe."""

    def __init__(self, *arguments):
        command = [czctl_path(), *map(str, arguments)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def lines(self, count: int) -> list[str]:
        return [self.process.stdout.readline().rstrip("\n") for _ in range(count)]

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(timeout=60)


def test_tail_prints_what_comes(service, encoder):
    post(service, encoder, "wanted", 3, -1)
    tail = Follower(
        "tail", "--data", service.data, "--interval", "50ms", "--metric", "wanted", "--limit", 6, "-o", "json"
    )
    try:
        # What came before it looked is not told: it has looked once it tells of one that came later.
        for at in range(200):
            post(service, encoder, "other", 3, at)
            post(service, encoder, "wanted", 3, at)
            if tail.process.poll() is not None:
                break
        values = [json.loads(line) for line in tail.lines(6)]
        assert tail.process.wait(timeout=60) == 0
    finally:
        tail.process.kill()
    assert {value["labels"]["__name__"] for value in values} == {"wanted"}
    times = [value["timestamp"] for value in values]
    assert times[0] >= START_MS, "nothing of what was there before"
    assert times == [times[0]] * 3 + [times[0] + 1] * 3, "each once, none left out"
    assert [value["labels"]["number"] for value in values] == ["0", "1", "2"] * 2


def test_tail_over_a_new_segment_and_with_conditions(service, encoder):
    post(service, encoder, "series", 3)
    tail = Follower("tail", "--data", service.data, "--interval", "50ms", "--where", "number=1", "--limit", 2)
    try:
        for at in range(1, 200):
            post(service, encoder, "series", 3, at)
            if at % 5 == 0:
                assert service.command("flush", "--config", service.config).returncode == 0
            if tail.process.poll() is not None:
                break
        first, second = tail.lines(2)
        assert tail.process.wait(timeout=60) == 0
    finally:
        tail.process.kill()
    assert first.startswith('series{number="1"} ') and second.startswith('series{number="1"} ')
    assert tail.process.stdout.read() == ""


FOLLOWING = [["tail", "--interval=50ms"], ["top", "--interval=100ms"], ["status", "--watch=100ms"]]


@pytest.mark.parametrize("command", FOLLOWING)
def test_what_follows_is_quiet_when_its_reader_ends(service, encoder, command):
    follower = Follower(*command, "--data", service.data)
    follower.process.stdout.close()
    for at in range(200):
        post(service, encoder, "series", 100, at)
        if follower.process.poll() is not None:
            break
    assert follower.process.wait(timeout=60) == 0
    assert follower.process.stderr.read() == ""


def test_top_without_a_terminal(service, encoder):
    top = Follower("top", "--data", service.data, "--interval", "200ms", "-o", "json")
    try:
        answers = []
        for at in range(100):
            post(service, encoder, "frequent", 50, at)
            post(service, encoder, "rare", 2, at)
            answers += [json.loads(line) for line in top.lines(1)]
            rates = {rate["metric"]: rate["samples"] for rate in answers[-1]["metrics"]}
            if rates.get("frequent", 0) >= 100:
                break
    finally:
        assert top.stop() in (-signal.SIGTERM, 0)
    last = answers[-1]
    assert last["schema"] == "czctl.top/v1" and last["unsent_files"] == 0 and last["free_bytes"] > 0
    assert [rate["metric"] for rate in last["metrics"]] == ["frequent", "rare"], "most samples first"
    assert rates["frequent"] == 25 * rates["rare"]
    assert last["samples_per_second"] > 0 and last["request_p50_seconds"] <= last["request_p99_seconds"]
    assert sum(1 for answer in answers if "samples_per_second" not in answer) == 1, "the first has no rate yet"


def test_top_and_tail_of_no_volume_and_wrong_arguments(service, tmp_path):
    for command in ["top", "tail"]:
        assert service.command(command, "--data", tmp_path / "nowhere").returncode == 4
        assert service.command(command, "--interval", "1ms").returncode == 2
    text = service.command("top", "--data", service.data, "--count", "1", "--interval", "100ms")
    assert text.returncode == 0 and "METRIC" in text.stdout and "\x1b" not in text.stdout


class Terminal:
    """A terminal of 100 columns and 30 rows with a shell in it."""

    def __init__(self):
        if shutil.which("tmux") is None:
            pytest.fail("tmux is missing; run scripts/setup.sh test")
        self.name = f"czctl-{uuid.uuid4()}"
        self._tmux("new-session", "-d", "-s", "test", "-x", "100", "-y", "30", "env PS1='ready$ ' bash --norc")

    def _tmux(self, *arguments) -> str:
        # The socket's name is this terminal's own: no other tmux is touched.
        command = ["tmux", "-f", "/dev/null", "-L", self.name, *arguments]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, env=os.environ | {"TERM": "xterm"})
        assert result.returncode == 0, result.stderr
        return result.stdout

    def type(self, *keys: str):
        self._tmux("send-keys", "-t", "test", *keys)

    def run(self, *arguments):
        self.type(" ".join(map(str, [czctl_path(), *arguments])), "Enter")

    @property
    def screen(self) -> str:
        return self._tmux("capture-pane", "-p", "-t", "test")

    def wait(self, condition, what: str) -> str:
        def seen():
            screen = self.screen
            return screen if condition(screen) else None

        try:
            return wait_until(seen, what, 60)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.screen}") from None

    @property
    def state(self) -> str:
        return self._tmux("display-message", "-p", "-t", "test", "#{alternate_on} #{cursor_flag}").strip()

    def resize(self, columns: int, rows: int):
        self._tmux("resize-window", "-t", "test", "-x", str(columns), "-y", str(rows))

    def stop(self):
        self._tmux("kill-session", "-t", "test")


@pytest.fixture
def terminal():
    made = Terminal()
    yield made
    made.stop()


def echoes(terminal: Terminal):
    """The shell is back, on the screen that was there before, and shows what is typed."""
    terminal.type("echo it-is-$((40 + 2))", "Enter")
    screen = terminal.wait(lambda screen: "it-is-42" in screen, "the shell")
    assert "echo it-is-$((40 + 2))" in screen, "what is typed is shown"
    assert terminal.state == "0 1", "the first screen, and its cursor"
    return screen


@pytest.mark.parametrize("end", ["q", "C-c", "TERM"])
def test_top_on_a_terminal(service, encoder, terminal, end):
    terminal.run("top", "--data", service.data, "--interval", "200ms", "&& echo ended=$? || echo ended=$?")
    terminal.wait(lambda screen: "METRIC" in screen and "WAL" in screen, "the screen")
    assert terminal.state == "1 0", "a screen of its own, without a cursor"
    post(service, encoder, "a_metric_to_see", 7)
    screen = terminal.wait(lambda screen: "a_metric_to_see" in screen, "a metric")
    assert screen.splitlines()[0].startswith("NOW ") and "samples/s" in screen.splitlines()[0]
    terminal.resize(60, 10)
    screen = terminal.wait(lambda screen: screen.startswith("NOW ") and "METRIC" not in screen, "a small one")
    assert max(len(line) for line in screen.splitlines()) <= 60
    terminal.resize(100, 30)
    terminal.wait(lambda screen: "a_metric_to_see" in screen, "the larger screen")
    if end == "TERM":
        # The shell's only child.
        shell = terminal._tmux("display-message", "-p", "-t", "test", "#{pane_pid}").strip()
        children = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", shell], capture_output=True, text=True).stdout
        (child,) = [line.split()[0] for line in children.splitlines() if "czctl" in line]
        os.kill(int(child), signal.SIGTERM)
    else:
        terminal.type(end)
    screen = echoes(terminal)
    assert "METRIC" not in screen and f"ended={0 if end == 'q' else 130}\n" in screen


def test_status_watch_without_a_terminal(service, encoder):
    """A line for each change, and none without."""
    watch = Follower("status", "--data", service.data, "--watch=100ms")
    try:
        (before,) = watch.lines(1)
        post(service, encoder, "more", 1234)
        (after,) = watch.lines(1)
    finally:
        watch.stop()
    rest = watch.process.stdout.read().splitlines()
    said = [line.partition("  ")[2] for line in [before, after, *rest]]
    assert re.match(r"running  log [\d,]+ rows  files ready 0 .* uploaded 1 ", said[0])
    assert said[0] != said[1] and "log 1,234 rows" in said[-1] and len(rest) <= 1


def test_status_watch_on_a_terminal(service, encoder, terminal):
    terminal.run("status", "--data", service.data, "--watch=200ms")
    terminal.wait(lambda screen: "BALANCE" in screen, "the screen")
    before = service.status()["intake"]["samples_received"]
    post(service, encoder, "more", 1234)
    total = f"{before + 1234:,} samples"
    screen = terminal.wait(lambda screen: total in screen, "the new sum")
    assert screen.count("INTAKE") == 1, "one answer takes the place of the other"
    terminal.type("C-c")
    echoes(terminal)


def test_pages_of_the_program_that_only_starting_used_are_given_back(make_cirrus):
    cirrus = make_cirrus()
    pid = cirrus.start().process.pid

    def kibibytes(key: str) -> int:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(key))

    wait_until(lambda: kibibytes("VmRSS:") < 0.75 * kibibytes("VmHWM:"), "less memory than starting took")


def test_the_storage_of_a_body_is_used_again(make_cirrus, encoder):
    """Fresh memory for each would cost a page fault every 4 KiB."""
    cirrus = make_cirrus(database=NEVER, wal={"segment_age": "1h"})
    pid = cirrus.start().process.pid
    senders, part, series = 4, 10, 500

    def faults() -> int:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[7])

    def body(sender: int, number: int) -> bytes:
        """Of 400 KiB: its values are random, and so nothing is left to compress."""
        values = random.Random(sender)
        named = [labels(values.randbytes(400).hex(), one) for one in range(series)]
        return snappy(encoder.v1([(name, [(START_MS + number, 0.0)]) for name in named]))

    def send(sender: int, numbers: range):
        connection = Sender(cirrus.port)
        for number in numbers:
            assert connection.post(bodies[sender][number])[0] == 204

    bodies = [[body(sender, number) for number in range(4 * part)] for sender in range(senders)]
    size = len(bodies[0][0])
    assert size > 200_000
    counts = []
    with ThreadPoolExecutor(senders) as pool:
        for start in range(0, 4 * part, part):
            counts.append(faults())
            list(pool.map(lambda sender: send(sender, range(start, start + part)), range(senders)))
    counts.append(faults())
    # The first part takes the storage; what is done once (pages given back) does not fall into each of the others.
    a_body = min(after - before for before, after in zip(counts[1:], counts[2:])) / (senders * part)
    assert a_body < size / 4096 / 4, f"{a_body:.0f} page faults for a body of {size:,} bytes"
