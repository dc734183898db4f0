"""A destination that the configuration does not name any more: what it lacks is said, and given up there alone."""

import sqlite3

import pytest

from processes import wait_until
from test_file_commands import run, store

GIVE_UP = ("abandon", "--destination", "former", "--reason", "no such lake")


@pytest.fixture
def moved(make_cirrus, encoder):
    """Stores a file for `former`, which fails, and `present`; then the configuration names `present` alone."""

    def make(present_fails: bool):
        def configured(*names):
            lakes = [{"kind": "directory", "name": n, "path": str(cirrus_home / n)} for n in names]
            return make_cirrus(destinations=lakes, cloudzero={"send_interval": "1s", "http_max_retries": 0})

        cirrus_home = make_cirrus().home
        for name in ["former", "present"] if present_fails else ["former"]:
            (cirrus_home / name).write_text("in the way")
        cirrus = configured("former", "present")
        cirrus.start()
        store(cirrus, encoder, "first")
        wanted = {"former": "failed", "present": "failed" if present_fails else "uploaded"}
        wait_until(lambda: rows(cirrus) == wanted, "an attempt at both")
        cirrus.kill()
        return configured("present")

    return make


def rows(cirrus) -> dict[str, str]:
    """The states of the one file."""
    with sqlite3.connect(f"file:{cirrus.data}/ledger.sqlite?mode=ro", uri=True) as ledger:
        return dict(ledger.execute("SELECT destination, state FROM shipment"))


def test_what_waits_is_given_up_at_the_former_alone(moved):
    cirrus = moved(present_fails=True)
    cirrus.start()
    slip = cirrus.command("abandon", "--destination", "fromer", "--reason", "x", "--yes", "--data", cirrus.data)
    assert slip.returncode == 4 and "fromer" in slip.stderr, slip.stderr
    would = run(cirrus, *GIVE_UP, "--dry-run", "--data", cirrus.data)["files"]
    assert [file["destination"] for file in would] == ["former"]
    assert rows(cirrus)["former"] == "failed"
    assert run(cirrus, *GIVE_UP, "--yes", "--config", cirrus.config)["files"] == would
    assert rows(cirrus) == {"former": "abandoned", "present": "failed"}
    (cirrus.home / "present").unlink()
    back = run(cirrus, "retry", "--all", "--destination", "present", "--data", cirrus.data)
    assert [file["destination"] for file in back["files"]] == ["present"]
    wait_until(lambda: rows(cirrus) == {"former": "abandoned", "present": "uploaded"}, "the file at its destination")


def test_what_is_kept_is_said_and_can_go(moved):
    cirrus = moved(present_fails=False)
    with sqlite3.connect(cirrus.data / "ledger.sqlite") as ledger:  # as a kill in the middle of a copy leaves it
        ledger.execute("UPDATE shipment SET state = 'uploading' WHERE destination = 'former'")
    service = cirrus.start()
    wait_until(lambda: rows(cirrus)["former"] == "failed", "the first cycle")
    assert run(cirrus, "drain", "--config", cirrus.config)["unsent_files"] == 0
    report = run(cirrus, "status", "--config", cirrus.config, code=3)
    assert report["unsent"]["files"] == 0
    (problem,) = report["problems"]
    assert problem["text"] == "1 file is kept for former, which is not configured any more"
    assert "czctl abandon --destination former" in problem["advice"]

    assert len(run(cirrus, *GIVE_UP, "--yes", "--config", cirrus.config)["files"]) == 1
    shown = cirrus.command("status", "--config", cirrus.config)
    assert shown.returncode == 0 and "DRAINED" in shown.stdout, shown.stdout
    purge = ["purge", "--uploaded", "--older-than", "0s", "--yes"]
    assert run(cirrus, *purge, "--data", cirrus.data)["files"] == [], "nobody knows whether it is configured"
    assert len(run(cirrus, *purge, "--config", cirrus.config)["files"]) == 1
    assert rows(cirrus) == {"former": "abandoned", "present": "purged"}
    known = cirrus.command("query", "--config", cirrus.config)
    assert f"copies in present ({cirrus.home}/present); " in known.stderr, known.stderr
    assert "copies in present; " in cirrus.command("query", "--data", cirrus.data).stderr
    assert service.stop() == 0
