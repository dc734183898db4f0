"""The page at `/`, in a real browser."""

import re
import sqlite3

import pytest
import requests
from browser import Browser
from processes import wait_until
from remote_write import Sender, snappy
from s3_servers import put_in_outbox
from test_v2_sender import START_MS, series_labels

BACKGROUND = {"light": (0xF6, 0xF7, 0xF9), "dark": (0x10, 0x14, 0x1B)}
LONG = "an-error-that-has-no-place-to-break-" * 12


@pytest.fixture
def browser(tmp_path):
    browser = Browser(tmp_path / "profile")
    yield browser
    browser.close()


def text_of(browser: Browser, identifier: str) -> str:
    return re.sub(r"\s+", " ", browser.ask(f"document.getElementById('{identifier}').innerText") or "").strip()


def make_a_past(cirrus):
    """Files of the last hours, for a forecast."""
    names = [put_in_outbox(cirrus.data, number, 1000)[0] for number in range(2)]
    shipper = cirrus.start("shipper")
    wait_until(lambda: not list((cirrus.data / "outbox").iterdir()), f"an empty outbox\n{shipper.tail()}")
    assert shipper.stop() == 0
    with sqlite3.connect(cirrus.data / "ledger.sqlite") as ledger:
        ledger.execute("update shipment set bytes = 1 << 30")
        change = "update shipment set discovered_ms = discovered_ms - 7200000 where file = ?"
        ledger.execute(change, (names[0],))


def test_page_shows_the_status(make_cirrus, encoder, browser, tmp_path):
    cirrus = make_cirrus()
    make_a_past(cirrus)
    cirrus.start()
    series = [(series_labels(n, "page"), [(START_MS, float(n))]) for n in range(100)]
    sender = Sender(cirrus.port)
    browser.open(cirrus.url + "/")
    wait_until(lambda: text_of(browser, "state") == "ok", "the first look")
    assert sender.post(snappy(encoder.v1(series)))[0] == 204
    wait_until(lambda: "p99" in text_of(browser, "waits-legend"), "a look with requests since the one before")
    wait_until(lambda: text_of(browser, "balance").split()[-1:] == ["100"], "the balance")
    assert re.search(r"received 100\b", text_of(browser, "intake"))
    assert re.search(r"^rows in no file yet \d", text_of(browser, "log"))
    assert re.search(r"next cycle (-|in \d)", text_of(browser, "files"))
    assert re.search(r"full in [\d.]+ (h|days) growth [\d.]+ GiB a day", text_of(browser, "disk"))
    assert "directory" in text_of(browser, "destinations") and "none" in text_of(browser, "destinations")
    assert text_of(browser, "problems") == ""
    # An error without a place to break.
    with sqlite3.connect(cirrus.data / "ledger.sqlite", timeout=30) as ledger:
        query = "update destination set last_error = ?, last_error_code = 'err-unknown', last_error_ms = 1790000000000"
        assert ledger.execute(query, (LONG,)).rowcount > 0
    wait_until(lambda: LONG in text_of(browser, "destinations"), "the error")
    for scheme in ("light", "dark"):
        for width in (360, 1440):
            browser.look(width, scheme)
            assert browser.ask("innerWidth") == width
            assert browser.ask("document.documentElement.scrollWidth") <= width, "nothing sticks out"
            shot = browser.shoot(tmp_path / f"page-{scheme}-{width}.png")
            assert (shot.width, shot.corner) == (width, BACKGROUND[scheme])
    assert browser.complaints == [], "no error, and nothing the policy forbids"


def test_page_is_for_browsers_and_brings_nothing_from_elsewhere(make_cirrus):
    cirrus = make_cirrus()
    service = cirrus.start()
    plain = requests.get(cirrus.url + "/", timeout=10)
    assert plain.headers["content-type"].startswith("text/plain") and "/api/v1/status" in plain.text
    page = requests.get(cirrus.url + "/", headers={"accept": "text/html"}, timeout=10)
    assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src 'sha256-")
    assert "http://" not in page.text.replace("http://www.w3.org/2000/svg", "") and "https://" not in page.text
    assert "innerHTML" not in page.text, "what a sender or a server says is text"

    assert service.stop() == 0
    cirrus.start(env={"SERVER_STATUS_PAGE": "false"})
    off = requests.get(cirrus.url + "/", headers={"accept": "text/html"}, timeout=10)
    assert off.headers["content-type"].startswith("text/plain") and off.text == plain.text
