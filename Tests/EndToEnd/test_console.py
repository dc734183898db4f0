"""How commands meet a shell: pipes, terminals, formats, exit codes."""

import fcntl
import json
import os
import pty
import re
import shlex
import shutil
import signal
import struct
import subprocess
import termios
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import yaml

from processes import clean_environment, czctl_path
from test_golden import DELIVERED, SEGMENT, VOLUME, WAITING

DATA = VOLUME / "data"
PRINTING = [
    ["cat", "--data", DATA],
    ["cat", "--data", DATA, "-o", "json"],
    ["files", "list", "--data", DATA],
    ["files", "describe", DELIVERED, "--data", DATA],
    ["segments", "list", "--data", DATA, "-o", "json"],
    ["query", "--by", "pod", "--data", DATA],
    ["status", "--data", DATA],
    ["inspect", "wal", DATA / "wal" / SEGMENT],
    ["inspect", "parquet", DATA / "uploaded" / DELIVERED, "--stats"],
    ["config", "print"],
    ["config", "schema"],
    ["help", "states"],
]


def run(*arguments, code: int = 0, env: dict[str, str] | None = None) -> str:
    result = subprocess.run(
        [czctl_path(), *map(str, arguments)], capture_output=True, text=True, timeout=60,
        env=clean_environment() | (env or {}),
    )  # fmt: skip
    assert result.returncode == code, result.stdout + result.stderr
    return result.stdout if code != 2 else result.stderr


def on_terminal(*arguments, columns: int = 100, env: dict[str, str] | None = None) -> str:
    """What is seen on a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    environment = clean_environment() | {"TERM": "xterm"} | (env or {})
    command = [czctl_path(), *map(str, arguments)]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    seen = b""
    try:
        while data := os.read(ours, 65536):
            seen += data
    except OSError:
        pass  # how Linux says that the last writer closed
    os.close(ours)
    process.wait(timeout=60)
    return seen.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("command", PRINTING, ids=lambda command: " ".join(map(str, command[:2])))
def test_a_reader_that_ends_early(command):
    """Is no fault of the command, also when it has read nothing."""
    process = subprocess.Popen(
        [czctl_path(), *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment()
    )
    process.stdout.close()
    assert process.wait(timeout=60) == 0 and b"Broken pipe" not in process.stderr.read()


def test_a_full_disk_is_told():
    with open("/dev/full", "w") as full:
        result = subprocess.run([czctl_path(), "version"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert result.returncode == 1 and "cannot write to standard output: no space left" in result.stderr


def test_nothing_runs_at_its_exit(tmp_path):
    """Libraries would give up their locks there while their threads still run: one `verify --remote` of 600 crashed."""
    source, library, told = tmp_path / "exit.c", tmp_path / "exit.so", tmp_path / "told"
    source.write_text(
        '#include <fcntl.h>\n#include <stdlib.h>\n'
        '__attribute__((destructor)) static void at_exit(void) { open(getenv("TOLD"), O_CREAT | O_WRONLY, 0600); }\n'
    )
    subprocess.run(["clang", "-shared", "-fPIC", "-o", library, source], check=True)
    environment = clean_environment() | {"LD_PRELOAD": str(library), "TOLD": str(told)}
    for arguments, code in [(["version"], 0), (["--help"], 0), (["nonsense"], 2), (["status", "--data", "/no"], 4)]:
        result = subprocess.run([czctl_path(), *arguments], env=environment, capture_output=True, timeout=60)
        assert result.returncode == code and result.stdout + result.stderr and not told.exists(), arguments


FACTS = [
    ["files", "describe", DELIVERED, "--data", DATA],
    ["segments", "describe", "4", "--data", DATA],
    ["segments", "list", "--data", DATA],
    ["trace", "--metric", "waiting", "--data", DATA],
    ["inspect", "wal", DATA / "wal" / SEGMENT],
    ["inspect", "parquet", DATA / "uploaded" / DELIVERED, "--stats", "--head", "3"],
    ["query", "--by", "pod", "--data", DATA],
    ["verify", "--data", DATA],
    ["version"],
]


@pytest.mark.parametrize("command", FACTS, ids=lambda command: " ".join(map(str, command[:2])))
def test_yaml_is_the_value_of_the_json(command):
    assert yaml.safe_load(run(*command, "-o", "yaml")) == json.loads(run(*command, "-o", "json"))


STRANGE = [
    *["yes", "~", "null", "1e3", "0x1f", "12:30", "2026-07-01", "True", "-1", "=", "<<", "", " a ", "/usr/bin"],
    *["a: b", "a #b", "- x", "? y", "{}", "[", "*z", "&z", "%a", "@b", "`", "|", "'", '"', "\\", "é😀"],
]


def test_yaml_of_strange_strings(tmp_path):
    for text in STRANGE:
        answer = [run("config", "print", "-o", form, env={"API_KEY_PATH": text}) for form in ("yaml", "json")]
        assert yaml.safe_load(answer[0]) == json.loads(answer[1]), ascii(text)
        assert text.strip(' ') in [setting["value"] for setting in json.loads(answer[1])["settings"]]
    hidden = tmp_path / "\t\n\x01\x7f\x85\x9f\u2028\ufeff\uffff"
    shutil.copytree(DATA, hidden)
    answer = [run("segments", "describe", "4", "--data", hidden, "-o", form) for form in ("yaml", "json")]
    assert yaml.safe_load(answer[0]) == json.loads(answer[1])
    assert str(hidden) in json.loads(answer[1])["path"]


def test_formats_of_a_list():
    for what, key, names in [("files", "id", [DELIVERED, WAITING]), ("segments", "segment", ["4"])]:
        command = [what, "list", "--data", DATA]
        listed = json.loads(run(*command, "-o", "json"))[what]
        lines = [json.loads(line) for line in run(*command, "-o", "jsonl").splitlines()]
        loaded = yaml.safe_load(run(*command, "-o", "yaml"))[what]
        assert [one[key] for one in listed] == [one[key] for one in lines] == [one[key] for one in loaded]
        assert [one.keys() for one in listed] == [one.keys() for one in lines]
        assert run(*command, "-o", "name").split() == names
        titles, *rows = run(*command).splitlines()
        assert titles.split()[0].lower() in ("id", "segment") and len(rows) == len(names)
        bare = run(*command, "--no-headers").splitlines()
        assert [line.split()[0] for line in bare] == [row.split()[0] for row in rows]
        assert len(run(*command, "-o", "wide").splitlines()[0].split()) > len(titles.split())


def test_a_wrong_format_is_told_the_right_ones():
    for command, formats in [
        (["files", "list"], ["table", "wide", "json", "jsonl", "yaml", "name"]),
        (["status"], ["table", "json", "yaml"]),
    ]:
        told = run(*command, "--data", DATA, "-o", "xml", code=2)
        assert all(form in told for form in formats), told


def test_order_and_age_of_files():
    names = {"rows": [WAITING, DELIVERED], "size": [WAITING, DELIVERED], "age": [DELIVERED, WAITING]}
    for order, expected in (names | {"state": [WAITING, DELIVERED]}).items():
        assert run("files", "list", "--data", DATA, "--sort", order, "-o", "name").split() == expected, order
    os.utime(DATA / "outbox" / WAITING)  # as if it came now: git keeps no times
    assert run("files", "list", "--data", DATA, "--since", "1h", "-o", "name").split() == [WAITING]
    assert run("files", "list", "--data", DATA, "--since", "an hour", code=2)


GREEN = "\x1b[32muploaded\x1b[0m"


def test_colour_is_for_terminals():
    command = ["files", "list", "--data", DATA]
    assert GREEN in on_terminal(*command)
    for variable in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}):
        seen = on_terminal(*command, env=variable)
        assert "uploaded" in seen and "\x1b" not in seen, variable
    assert "\x1b" not in on_terminal(*command, "--color", "never")
    assert "\x1b" not in run(*command)
    assert GREEN in run(*command, "--color", "always", env={"NO_COLOR": "1"})
    assert "\x1b" not in run(*command, "--color", "always", "-o", "json"), "JSON has none"
    assert "\x1b[32mok\x1b[0m     volume" in run("doctor", "--data", DATA, "--color", "always")
    assert run("files", "list", "--data", DATA, "--color", "sometimes", code=2)


def test_tables_fit_the_terminal():
    def lines(*arguments, **options) -> list[str]:
        seen = on_terminal("files", "list", "--data", DATA, *arguments, **options)
        return re.sub(r"\x1b\[[0-9]*m", "", seen).splitlines()

    for shown in (lines(columns=90), lines(columns=200, env={"COLUMNS": "90"})):
        assert max(map(len, shown)) <= 90 and len(shown) == 3
        name = shown[1].split()[0]
        start, end = name.split("…")
        assert DELIVERED.startswith(start) and DELIVERED.endswith(end) and "uploaded" in shown[1]
    assert DELIVERED in lines(columns=200)[1] and DELIVERED in lines("-o", "wide", columns=90)[1]
    assert DELIVERED in run("files", "list", "--data", DATA, env={"COLUMNS": "90"}), "a pipe has no width"


FAST_CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
    typedef int (*function)(clockid_t, struct timespec *);
    int result = ((function)dlsym(RTLD_NEXT, "clock_gettime"))(clock, now);
    if (clock == CLOCK_REALTIME) return result;
    long long fast = (now->tv_sec % 1000000 * 1000000000LL + now->tv_nsec) * 1000;
    now->tv_sec = fast / 1000000000;
    now->tv_nsec = fast % 1000000000;
    return result;
}
"""


def test_progress(tmp_path):
    """A bar on a terminal, a line every ten seconds elsewhere: of a clock that runs a thousand times too fast."""
    source, library = tmp_path / "clock.c", tmp_path / "clock.so"
    source.write_text(FAST_CLOCK)
    subprocess.run(["clang", "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
    fast = {"LD_PRELOAD": str(library)}
    shutil.copytree(DATA, tmp_path / "data")
    for number in range(200):  # none has the hash of its name
        name = f"metrics_1782900000000_1782900019000_{number:032x}.parquet"
        shutil.copy(DATA / "uploaded" / DELIVERED, tmp_path / "data/uploaded" / name)
    bar = r"\r\[#+\.*\] \d+ %  [\d.]+ KiB of 638\.2 KiB verified  [\d.]+ (B|KiB)/s  \S+ left\x1b\[K"
    seen = on_terminal("verify", "--data", tmp_path / "data", columns=120, env=fast)
    assert re.search(bar, seen), seen[:2000]
    assert "\r\x1b[Kdamaged" in seen or "\r\x1b[K\x1b[31mdamaged" in seen, "it is gone before the answer"
    narrow = on_terminal("verify", "--data", tmp_path / "data", columns=40, env=fast)
    assert max(len(line) for line in re.findall(r"\r(\[[^\x1b\r]*)", narrow)) <= 39
    result = subprocess.run(
        [czctl_path(), "verify", "--data", tmp_path / "data"], capture_output=True, text=True, timeout=60,
        env=clean_environment() | fast,
    )  # fmt: skip
    line = r"^czctl: \d+ %  [\d.]+ KiB of 638\.2 KiB verified  [\d.]+ (B|KiB)/s  \S+ left$"
    assert result.returncode == 7 and re.search(line, result.stderr, re.MULTILINE), result.stderr
    assert "\x1b" not in result.stderr and "#" not in result.stderr


class Bucket(BaseHTTPRequestHandler):
    """Refuses questions, and takes its time to store, so that something can be seen meanwhile."""

    def do_HEAD(self):
        self.send_response(401)
        self.end_headers()

    def do_PUT(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(1.5)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def installation(make_cirrus):
    """The volume, its destination in the way; with s3.yml that is a bucket instead, which has its name."""
    server = HTTPServer(("127.0.0.1", 0), Bucket)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    cirrus = make_cirrus()
    shutil.copytree(DATA, cirrus.data, dirs_exist_ok=True)
    cirrus.destination.write_text("in the way")
    keys = yaml.safe_load(cirrus.config.read_text())
    for name in ("access", "secret"):
        (cirrus.home / name).write_text(f"canary-{name}")
    keys["destination"] = {
        "kind": "s3", "name": "directory", "bucket": "bucket", "region": "us-east-1", "path_style": True,
        "endpoint": f"http://127.0.0.1:{server.server_port}",
        "access_key_file": str(cirrus.home / "access"), "secret_key_file": str(cirrus.home / "secret"),
    }  # fmt: skip
    (cirrus.home / "s3.yml").write_text(yaml.safe_dump(keys))
    yield cirrus
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("command", ["ship", "drain"])
def test_progress_of_work_on_a_volume(installation, command):
    seen = on_terminal(command, "--config", installation.home / "s3.yml", columns=120)
    total = 30 if command == "ship" else 70
    assert re.search(rf"\r\[[#.]+\] \d+ %  \d+ of {total} rows sent  ", seen), seen
    assert re.search(r"\r\x1b\[K(uploaded 1 files|unsent 0 files)", seen), seen


def test_progress_of_send(make_cirrus):
    cirrus = make_cirrus()
    cirrus.start()
    seen = on_terminal("send", "--generate", "100000", "--url", cirrus.write_url, columns=120)
    assert re.search(r"\r\[[#.]+\] \d+ %  [\d,]+ of 100,000 samples sent  [\d,]+/s", seen), seen


def test_every_exit_code_occurs(installation, tmp_path):
    """Of those that `czctl help exit-codes` names."""
    segment = installation.data / "wal" / SEGMENT
    whole = segment.read_bytes()
    segment.write_bytes(whole[:4200] + b"damage" + whole[4206:])
    (tmp_path / "stranger").mkdir()
    (tmp_path / "stranger/notes.txt").write_text("no volume")
    (tmp_path / "empty").mkdir()
    cases = {
        0: [["version"], ["status", "--data", tmp_path / "empty"]],
        1: [["inspect", "parquet", tmp_path]],
        2: [["nonsense"], ["config", "check", "--config", installation.config, "--role", "nobody"]],
        3: [["doctor", "--config", installation.config, "--only", "destination"]],
        4: [["status", "--data", tmp_path / place] for place in ("nowhere", "stranger")]
        + [["segments", "describe", "99", "--data", installation.data]],
        5: [["send", "--generate", "1", "--retry-for", "0", "--url", "http://127.0.0.1:1/api/v1/write"]],
        6: [["verify", "--remote", "--config", installation.home / "s3.yml"]],
        7: [["verify", "--data", installation.data], ["segments", "describe", "4", "--data", installation.data]],
        8: [["ship", "--config", installation.config]],
    }
    for code, commands in cases.items():
        for command in commands:
            result = installation.command(*command)
            assert result.returncode == code, (command, result.stdout, result.stderr)
    told = run("status", "--data", tmp_path / "empty")
    assert "stopped: never started" in told
    tail = subprocess.Popen([czctl_path(), "tail", "--data", installation.data], stderr=subprocess.PIPE)
    named = {int(code) for code in re.findall(r"^ *(\d+)  ", run("help", "exit-codes"), re.MULTILINE)}
    tail.send_signal(signal.SIGINT)
    assert tail.wait(timeout=60) == -signal.SIGINT, "which shells call 130; of top see test_live.py"
    assert {*cases, 130} == named


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions(shell, tmp_path):
    if shutil.which(shell) is None:
        pytest.fail(f"{shell} is missing; run scripts/setup.sh test")
    (tmp_path / "czctl").symlink_to(czctl_path())
    script = tmp_path / "script"
    script.write_text(run("completions", shell))

    def ask(text: str) -> str:
        environment = clean_environment() | {"CZCTL_DATA": str(DATA), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        result = subprocess.run([shell, "-c", text], capture_output=True, text=True, timeout=60, env=environment)
        assert result.returncode == 0 and not result.stderr, result.stderr
        return result.stdout

    ask(f"{shell} -n {script}")
    source = f"source {shlex.quote(str(script))}"
    if shell == "bash":
        words = "COMP_WORDS=(czctl files describe ''); COMP_CWORD=3; COMP_LINE='czctl files describe '; COMP_POINT=21"
        found = ask(f'{source}; {words}; _czctl; printf "%s\\n" "${{COMPREPLY[@]}}"')
    elif shell == "fish":
        found = ask(f"{source}; complete -C 'czctl files describe '")
    else:
        return  # its completion runs in its line editor alone
    assert {DELIVERED, WAITING} <= set(found.split())
