"""`czctl` and a port that is not as it should be: whoever listens there may say, or keep, what it likes."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from test_global_options import run

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
