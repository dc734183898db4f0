"""How commands meet a shell: pipes, terminals, formats, exit codes."""

import fcntl
import json
import os
import pty
import re
import shutil
import struct
import subprocess
import termios

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
