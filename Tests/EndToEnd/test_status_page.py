"""The page at `/`, in a real browser."""

import re
import subprocess

import pytest
import requests
from processes import clean_environment, wait_until
from remote_write import Sender, snappy
from test_v2_sender import START_MS, series_labels


def browse(url: str, profile, width: int, scheme: str, *more: str) -> subprocess.CompletedProcess:
    """The page after some polls of the browser's own time, as HTML on standard output."""
    return subprocess.run(
        ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}",
         f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}", f"--window-size={width},1400",
         "--virtual-time-budget=9000", "--enable-logging=stderr", *more, url],
        capture_output=True, text=True, timeout=120, env=clean_environment(),
    )  # fmt: skip


def text_of(page: str, identifier: str) -> str:
    found = re.search(rf'id="{identifier}"[^>]*>(.*?)</(?:b|strong|dl|tbody|section|footer)>', page, re.DOTALL)
    return re.sub(r"<[^>]+>", " ", found[1])


@pytest.mark.parametrize("width, scheme", [(360, "light"), (1440, "dark")])
def test_page_shows_the_status(make_cirrus, encoder, tmp_path, width, scheme):
    cirrus = make_cirrus()
    cirrus.start()
    series = [(series_labels(n, "page"), [(START_MS, float(n))]) for n in range(100)]
    assert Sender(cirrus.port).post(snappy(encoder.v1(series)))[0] == 204
    wait_until(lambda: cirrus.status()["destinations"], "the destination's first file")
    shot = tmp_path / "page.png"
    done = browse(cirrus.url + "/", tmp_path / "profile", width, scheme, "--dump-dom", f"--screenshot={shot}")
    page = done.stdout
    assert "Content Security Policy" not in done.stderr and "Uncaught" not in done.stderr, done.stderr
    assert text_of(page, "state") == "ok"
    assert re.search(r"received\s+100\b", text_of(page, "intake"))
    assert re.search(r"rows in no file yet\s+\d", text_of(page, "log"))
    assert text_of(page, "balance").split()[-1] == "100"
    assert "directory" in text_of(page, "destinations") and "none" in text_of(page, "destinations")
    assert text_of(page, "problems").strip() == ""
    assert shot.stat().st_size > 10_000


def test_page_is_for_browsers_and_brings_nothing_from_elsewhere(make_cirrus):
    cirrus = make_cirrus()
    cirrus.start()
    plain = requests.get(cirrus.url + "/", timeout=10)
    assert plain.headers["content-type"].startswith("text/plain") and "/api/v1/status" in plain.text
    page = requests.get(cirrus.url + "/", headers={"accept": "text/html"}, timeout=10)
    assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src 'sha256-")
    assert "http://" not in page.text.replace("http://www.w3.org/2000/svg", "") and "https://" not in page.text
    assert "innerHTML" not in page.text, "what a sender or a server says is text"
