"""What every command takes: `-v`, `--quiet`; and `--url`, of those that ask a service."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from processes import Program, answers, clean_environment, czctl_path, free_port, wait_until
from remote_write import Sender, snappy
from test_help import commands
from test_receiver import one_series


def run(*arguments, env: dict[str, str] | None = None, cwd: Path | None = None) -> subprocess.CompletedProcess:
    return subprocess.run(
        [czctl_path(), *map(str, arguments)], capture_output=True, text=True, timeout=60, cwd=cwd,
        env=clean_environment() | (env or {}),
    )  # fmt: skip


# What a command asks for before it looks at options, where a word or a URL does not do.
NEEDED = {("purge",): ["--uploaded", "--older-than", "1h"], ("completions",): ["bash"]}


def test_every_command_takes_them():
    for command in [(), *commands(), ("exit-codes",)]:
        listed = run(*command, "--help").stdout
        has_own = "SUBCOMMANDS:" not in listed or not command
        assert not has_own or ("-v, --verbose" in listed and "--quiet" in listed), command
        if has_own and command:
            # Taken, since what follows them is what is refused; an argument that is missing is said before.
            words = [*command, *NEEDED.get(command, [])]
            for _ in range(4):
                error = run(*words, "-v", "--quiet", "--bogus").stderr.splitlines()[0]
                if "--bogus" in error:
                    break
                option = re.search("'(--[a-z-]+) <", error)
                words += [option[1], "http://x"] if option else ["1"]
            assert "--bogus" in error and "-v" not in error and "--quiet" not in error, (command, error)


def test_causes_of_an_error(tmp_path):
    (tmp_path / "ledger.sqlite").mkdir()
    (tmp_path / "wal").mkdir()
    cases = {
        ("inspect", "parquet", tmp_path): "errno 21 (is a directory) for ",
        ("files", "list", "--data", tmp_path): "SQLite answered with result code ",
        ("status", "--url", "http://127.0.0.1:1"): "Failed to connect to 127.0.0.1 port 1",
    }
    for command, cause in cases.items():
        brief = run(*command)
        assert "--url" not in command or "nobody answers" in brief.stderr
        error, *advice = brief.stderr.splitlines()
        assert error.startswith("czctl: cannot ") and all(line.startswith("Try: ") for line in advice), brief.stderr
        for place in (-1, 0, 1):
            words = list(command)
            words.insert(len(words) if place < 0 else place, "-v")
            long = run(*words)
            assert long.returncode == brief.returncode
            causes = [line for line in long.stderr.splitlines() if line not in brief.stderr.splitlines()]
            assert causes and all(line.startswith("  because: ") for line in causes), long.stderr
            assert cause in causes[-1] and long.stderr.splitlines()[0] == error


def test_a_service_that_does_not_answer_has_a_cause(make_cirrus):
    cirrus = make_cirrus()
    service = cirrus.start()
    for path in cirrus.data.glob("*.sock"):
        path.unlink()
    for command in ("flush", "ship", "drain", "reload"):
        told = cirrus.command(command, "--data", cirrus.data, "-v")
        assert told.returncode == 5 and "  because: cannot ask through " in told.stderr, told.stderr
        assert told.stderr.rstrip().splitlines()[-2].endswith("no such file or directory"), told.stderr
    assert service.running


def test_quiet_leaves_errors_and_results(make_cirrus, tmp_path):
    cirrus = make_cirrus()
    environment = {"DATABASE_STORAGE_PATH": str(tmp_path / "nowhere"), "SERVER_PORT": "1"}
    loud, quiet = run("files", "list", env=environment), run("files", "list", "--quiet", env=environment)
    assert "czctl: using " in loud.stderr and "Try: " in loud.stderr
    assert quiet.returncode == loud.returncode == 4
    (line,) = quiet.stderr.splitlines()
    assert line in loud.stderr and line.startswith("czctl: cannot read the volume")
    cirrus.start()
    told = cirrus.command("query", "--data", cirrus.data, "--quiet")
    assert told.returncode == 0 and "COUNT" in told.stdout and told.stderr == ""


def test_a_relative_path_is_told_with_its_place(tmp_path):
    told = run("files", "list", "--data", "./nowhere", cwd=tmp_path)
    assert told.returncode == 4 and f"./nowhere in {os.path.realpath(tmp_path)}: " in told.stderr
    assert "Try: czctl files list --data DIR" in told.stderr


@pytest.fixture
def service(make_cirrus, encoder):
    """With something written, and a port that takes reloads."""
    cirrus = make_cirrus(cloudzero={"send_interval": "1h"})
    command = [czctl_path(), "run", "--config", cirrus.config, "--enable-lifecycle"]
    program = Program(command, cirrus.home / "run.log")
    cirrus.programs.append(program)
    program.wait_ready(cirrus.url + "/readyz")
    assert Sender(cirrus.port).post(snappy(encoder.v1(one_series("asked"))))[0] == 204
    return cirrus


def test_status_over_the_port(service):
    ours = json.loads(run("status", "--url", service.url, "-o", "json").stdout)
    theirs = service.status()
    assert ours.keys() == theirs.keys() and ours["services"][0].keys() == theirs["services"][0].keys()
    assert ours["balance"] == theirs["balance"] and ours["path"] == theirs["path"]
    assert ours["intake"]["samples_stored"] == theirs["intake"]["samples_stored"] > 0
    text = run("status", "--url", service.url + "/")
    assert text.returncode == 0 and "   ok\n" in text.stdout and "BALANCE" in text.stdout
    # A port is before CZCTL_DATA, and after what the command line says.
    elsewhere = {"CZCTL_URL": service.url, "CZCTL_DATA": "/nowhere"}
    assert run("status", env=elsewhere).stdout.splitlines()[0].endswith("ok")
    assert run("status", "--data", "/nowhere", env=elsewhere).returncode == 4
    # A port of another program, or of none.
    with socket.create_server(("127.0.0.1", 0)) as other:
        def answer():
            connection, _ = other.accept()
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
            connection.close()

        threading.Thread(target=answer, daemon=True).start()
        told = run("status", "--url", f"http://127.0.0.1:{other.getsockname()[1]}")
        assert told.returncode == 1 and "none of Cirrus's" in told.stderr, told.stderr
    for url in ("ftp://x", "http://user:canary-password@127.0.0.1", "http://x?y"):
        told = run("status", "--url", url)
        assert told.returncode == 2 and "canary" not in told.stdout + told.stderr, told.stderr
    assert run("status", "--url", service.url, "--data", service.data).returncode == 2


GUESSED = """
import fcntl, socket, struct, subprocess, sys, time, urllib.request
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sH14s", b"lo", 0x41, b""))  # SIOCSIFFLAGS: up, running
with subprocess.Popen([sys.argv[1], "run", "--config", sys.argv[2]], stderr=subprocess.DEVNULL) as service:
    for _ in range(300):
        try:
            if urllib.request.urlopen("http://127.0.0.1:8080/readyz").status == 200:
                break
        except OSError:
            time.sleep(0.1)
    for words in (["status"], ["status", "--quiet"], ["files", "list"]):
        subprocess.run([sys.argv[1], *words])
        print("---", flush=True)
    service.terminate()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a network of its own, where port 8080 is free")
def test_a_service_on_this_machine_is_guessed_last(make_cirrus):
    """Where nothing is given, and the volume that would be guessed is not there; a command of files does not ask it."""
    cirrus = make_cirrus(server={"port": 8080})
    inside = ["unshare", "--net", sys.executable, "-c", GUESSED, str(czctl_path()), str(cirrus.config)]
    told = subprocess.run(
        inside, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, env=clean_environment()
    )
    first, second, third, _ = told.stdout.split("---")
    assert "czctl: using http://127.0.0.1:8080 (no --url, --data or --config, and no " in first, told.stdout
    assert "BALANCE" in first and "BALANCE" in second and "using" not in second, told.stdout
    assert "there is no such directory" in third, told.stdout


def test_top_over_the_port(service):
    told = run("top", "--url", service.url, "--count", "2", "--interval", "200ms", "-o", "json")
    last = json.loads(told.stdout.splitlines()[-1])
    assert told.returncode == 0 and last["samples_per_second"] >= 0 and last["metrics"] == []
    told = run("top", "--url", service.url, "--count", "1", "--interval", "200ms")
    assert "BALANCE" in told.stdout and "METRIC" not in told.stdout


def test_reload_over_the_port(service):
    told = run("reload", "--url", service.url)
    assert (told.returncode, told.stdout) == (0, f"{service.url}: nothing changed\n"), told.stderr
    service.config.write_text(service.config.read_text().replace("send_interval: 1h", "send_interval: 2h"))
    answer = json.loads(run("reload", "--url", service.url, "-o", "json").stdout)
    assert answer["schema"] == "czctl.reload/v1"
    assert answer["services"][0]["changed"] == ["cloudzero.send_interval"]
    service.config.write_text(service.config.read_text().replace("send_interval: 2h", "send_interval: soon"))
    told = run("reload", "--url", service.url)
    assert told.returncode == 1 and "cloudzero.send_interval" in told.stderr, told.stderr


def test_a_guarded_port_is_asked_with_credentials(make_cirrus, tmp_path):
    token = tmp_path / "token"
    token.write_text("canary-token\n")
    cirrus = make_cirrus(auth={"bearer_file": str(token)})
    cirrus.spawn()
    wait_until(lambda: answers(cirrus.url + "/livez"), "the port")
    for command in ("status", "top", "reload"):
        refused = run(command, "--url", cirrus.url)
        assert refused.returncode == 6 and "--bearer-file" in refused.stderr, (command, refused.stderr)
    asked = run("status", "--url", cirrus.url, "--bearer-file", token)
    assert asked.returncode in (0, 3) and "BALANCE" in asked.stdout, asked.stderr
    # With its credentials it is refused for what was not asked for when it started.
    told = run("reload", "--url", cirrus.url, "--bearer-file", token)
    assert told.returncode == 6 and "--enable-lifecycle" in told.stderr, told.stderr


REFUSING = {
    "flush": "no port changes", "ship": "no port changes", "drain": "no port changes", "files list": "reads the files",
    "query": "reads the files", "config check": "asks no service", "run": "server.port", "replay": "--to-url",
    "doctor": "the machine", "demo": "--port", "inspect wal": "asks no service",
}  # fmt: skip


def test_a_flag_that_makes_no_sense_is_refused_with_a_reason():
    for command, reason in REFUSING.items():
        for words in (["--url", "http://127.0.0.1:1"], ["--url=http://127.0.0.1:1"]):
            told = run(*command.split(), *words)
            assert told.returncode == 2, (command, told.stderr)
            assert told.stderr.startswith(f"czctl: cannot take --url for {command}: "), told.stderr
            assert reason in told.stderr and "\nTry: czctl " in told.stderr
    for command in ("run", "send", "config check", "version"):
        told = run(*command.split(), "--data", "x")
        assert told.returncode == 2 and f"cannot take --data for {command}: " in told.stderr, told.stderr


def test_send_says_that_it_waits(tmp_path):
    port = free_port()
    url = f"http://127.0.0.1:{port}/api/v1/write"
    command = ["send", "--generate", "1", "--retry-for", "8", "--url", url]
    told = run(*command)
    (line,) = [line for line in told.stderr.splitlines() if "waiting" in line]
    assert told.returncode == 5 and url in line and line.endswith(": connection refused"), told.stderr
    assert run(*command, "--quiet").stderr == ""
    # Somebody who takes the connection and says nothing.
    with socket.create_server(("127.0.0.1", port)):
        program = Program([czctl_path(), *command], tmp_path / "log")
        wait_until(lambda: "waiting for " + url in program.log.read_text(), "the note")
        program.kill()
