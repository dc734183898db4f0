"""`czctl` and a port that is not as it should be: whoever listens there may say, or keep, what it likes."""

import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from processes import Program, clean_environment, czctl_path, free_port, wait_until
from test_global_options import run, service  # noqa: F401: a fixture


@contextmanager
def port(answer, at: int = 0):
    """A server that gives `answer(headers)`, status and body; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, body = answer(self.headers)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_):  # who is asked may go away
            pass

    server = Server(("127.0.0.1", at), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("status", [404, 503])
@pytest.mark.parametrize("length", [8, 2000])  # the second does not fit into what is read of an answer
def test_no_credentials_that_a_server_repeats(tmp_path, status, length):
    (tmp_path / "token").write_text("canary-" + "x" * length + "\n")

    def answer(headers):
        sent = headers["Authorization"]
        return status, f"you sent {sent}; {sent.removeprefix('Bearer ')}".encode()

    with port(answer) as url:
        send = ["send", "--generate", 1, "--retry-for", 3]
        for command in (["status"], ["top", "--count", 1], ["reload"], send):
            told = run(*command, "-v", "--url", url, "--bearer-file", tmp_path / "token")
            said = told.stdout + told.stderr
            assert told.returncode in (1, 5) and "canary" not in said, told
            assert f"{status}: you sent …; …" in said or (command is send and length == 2000), told


MOST, LEAST = 2**63 - 1, -(2**63)


def hostile(report: dict, is_later: bool) -> dict:
    """`report` with numbers that no sum of holds, and texts that would work on a terminal."""
    report = json.loads(json.dumps(report))
    report |= {"shipper_id": "\x1b[2J", "path": "\x1b]0;x\x07", "problems": [{"text": "\x1b[31m", "advice": "\x9b2J"}]}
    report["services"][0] |= {"uptime_seconds": 1e300, "next_ship_in_seconds": 1e300, "version": "\x1b[1m"}
    report["disk"] |= {"used_ratio": 1e300, "full_in_seconds": -1e300, "growth_bytes_per_day": LEAST}
    bounds = [0.1, 1]
    report["intake"] |= {
        "recent_seconds": 1e300, "recent_samples_per_second": 1e300, "last_received_seconds_ago": -1e300,
        "samples_received": MOST if is_later else LEAST,
        "request_latency": {"bounds": bounds, "counts": [MOST if is_later else 0] * 3},
    }  # fmt: skip
    return report


def test_numbers_and_texts_from_outside(service):  # noqa: F811
    report, asked = service.status(), []

    def answer(_):
        asked.append(1)
        return 200, json.dumps(hostile(report, len(asked) > 1)).encode()

    with port(answer) as url:
        told = run("status", "--url", url)
        assert told.returncode == 3 and "\\u{1B}[2J" in told.stdout, told
        assert told.stdout.replace("\n", "").isprintable(), told.stdout
        for output in ([], ["-o", "json"]):
            asked.clear()
            told = run("top", "--url", url, "--count", 2, "--interval", "100ms", *output)
            assert told.returncode == 0 and len(asked) == 2, told
    with port(lambda _: (200, json.dumps(report | {"schema": "other/v9"}).encode())) as url:
        told = run("status", "--url", url, "-v")
        assert told.returncode == 1 and "none of Cirrus's" in told.stderr and "another schema" in told.stderr, told


def test_why_there_is_no_answer():
    with port(lambda _: (200, b" " * (2 << 20))) as url:
        told = run("status", "--url", url)
        assert told.returncode == 1 and "the answer is longer than 1048576 bytes" in told.stderr, told
        told = run("status", "--url", url.replace("http:", "https:"))
        assert told.returncode == 5 and "SSL" in told.stderr and "nobody" not in told.stderr, told
    told = run("status", "--url", url)
    assert told.returncode == 5 and told.stderr.startswith(f"czctl: cannot ask {url}: nobody answers\n"), told


WATCHING = {
    "status": ["status", "--watch=100ms"], "status-json": ["status", "--watch=100ms", "-o", "json"],
    "top": ["top", "--interval", "100ms"], "top-json": ["top", "--interval", "100ms", "-o", "json"],
}  # fmt: skip


def test_a_restart_ends_no_watching(service, tmp_path):  # noqa: F811
    body, at = json.dumps(service.status()).encode(), free_port()
    url = f"http://127.0.0.1:{at}"
    # Nobody at first is a mistake of who asks.
    assert run(*WATCHING["top"], "--url", url).returncode == run(*WATCHING["status"], "--url", url).returncode == 5
    answers = dict.fromkeys(WATCHING, 0)
    with port(lambda _: (200, body), at):
        watching = {
            name: Program([czctl_path(), *words, "--url", url], tmp_path / name) for name, words in WATCHING.items()
        }
        for name, program in watching.items():
            wait_until(lambda: program.log.stat().st_size, f"an answer for {name}")
    for name, program in watching.items():
        wait_until(lambda: "cannot ask" in program.log.read_text(), f"a line of {name}")
        answers[name] = program.log.stat().st_size
    with port(lambda _: (200, body), at):
        for name, program in watching.items():
            wait_until(lambda: len(program.log.read_text().split("cannot ask")[-1]) > 300 or name == "status" and
                       program.log.read_text().splitlines()[-1].count("  log "), f"answers of {name} again")
            assert program.running and program.log.stat().st_size > answers[name], program.tail()
    for program in watching.values():
        program.kill()


GUESSED = """
import fcntl, json, socket, struct, subprocess, sys, threading, time
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sH14s", b"lo", 0x41, b""))  # SIOCSIFFLAGS: up, running
listener = socket.create_server(("127.0.0.1", 8080))
seen = []

def refuse():
    while True:
        connection, _ = listener.accept()
        seen.append(connection.recv(65536).decode())
        connection.sendall(b"HTTP/1.1 401 Unauthorized\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n")
        connection.close()

def status(*words):
    start = time.monotonic()
    told = subprocess.run([sys.argv[1], "status", *words], capture_output=True, text=True)
    print(json.dumps([told.returncode, told.stderr, time.monotonic() - start, "".join(seen)]), flush=True)

status()  # nobody accepts
status("--bearer-file", sys.argv[2])
threading.Thread(target=refuse, daemon=True).start()
time.sleep(0.5)  # the connections above
seen.clear()
status()
status("--bearer-file", sys.argv[2])
status("--basic-file", sys.argv[2], "--data", "/nowhere")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a network of its own, where port 8080 is free")
def test_a_guess_gets_no_secret_and_takes_no_time(tmp_path):
    (tmp_path / "token").write_text("canary-token\n")
    inside = ["unshare", "--net", sys.executable, "-c", GUESSED, str(czctl_path()), str(tmp_path / "token")]
    told = subprocess.run(inside, text=True, stdout=subprocess.PIPE, timeout=60, env=clean_environment())
    silent, unsure, guarded, *secret = map(json.loads, told.stdout.splitlines())
    assert silent[0] == 4 and "there is no such directory" in silent[1] and silent[2] < 10, silent
    assert guarded[0] == 6 and "czctl: using http://127.0.0.1:8080 (" in guarded[1], guarded
    assert "it answered 401" in guarded[1] and "GET /api/v1/status" in guarded[3], guarded
    for code, words, _, seen in [unsure, *secret]:
        assert code == 2 and "cannot use --bearer-file or --basic-file: " in words, words
        assert "canary" not in seen and "Authorization" not in seen
