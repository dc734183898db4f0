"""`czctl files describe`, `trace`, `abandon`, `ship`, `flush` and `purge`, on live and stopped volumes."""

import json
import sqlite3

import pytest
import requests

from bucket import API_KEY
from processes import wait_until
from remote_write import Sender, snappy
from test_v2_sender import START_MS, series_labels

ROWS = 300


def store(cirrus, encoder, name: str, value=1.0):
    series = [(series_labels(n, name), [(START_MS, value)]) for n in range(ROWS)]
    assert Sender(cirrus.port).post(snappy(encoder.v1(series)))[0] == 204


def run(cirrus, *arguments, code=0):
    """The parsed answer of a command that ends with `code`."""
    result = cirrus.command(*arguments, "-o", "json")
    assert result.returncode == code, (result.stdout, result.stderr)
    return json.loads(result.stdout) if result.stdout else result.stderr


def states(cirrus) -> dict[str, str]:
    """Of each file; a service that answers has made its ledger."""
    with sqlite3.connect(f"file:{cirrus.data}/ledger.sqlite?mode=ro", uri=True) as ledger:
        return dict(ledger.execute("SELECT file, state FROM shipment"))


@pytest.fixture
def slow(make_cirrus):
    """Makes and ships files only when it is told to, but for the first."""
    intervals = {"cost_max_interval": "1h", "observability_max_interval": "1h"}
    return make_cirrus(
        database=intervals, cloudzero={"send_interval": "1h", "http_max_retries": 0}, wal={"segment_age": "1h"}
    )


def settle(cirrus):
    """The first batch of a volume is on its way at once: until it has arrived."""
    wait_until(lambda: list(cirrus.data.glob("uploaded/*.parquet")), "the first file")


def test_flush_and_ship_through_the_running_service(slow, encoder):
    service = slow.start()
    store(slow, encoder, "first")
    settle(slow)
    store(slow, encoder, "second")
    flushed = run(slow, "flush", "--config", slow.config)
    assert flushed == {"schema": "czctl.flush/v1", "files": 1, "rows": ROWS}
    shipped = run(slow, "ship", "--config", slow.config)
    assert shipped["schema"] == "czctl.ship/v1" and shipped["unsent_files"] == 0
    assert set(states(slow).values()) == {"uploaded"} and len(states(slow)) == 2
    assert len(list(slow.destination.rglob("*.parquet"))) == 2
    store(slow, encoder, "third")  # the intake stays open
    assert service.stop() == 0


def test_flush_and_ship_on_a_stopped_volume(slow, encoder):
    service = slow.start("collector")
    store(slow, encoder, "first")
    service.kill()
    assert run(slow, "flush", "--config", slow.config)["rows"] == ROWS
    assert run(slow, "flush", "--config", slow.config) == {"schema": "czctl.flush/v1", "files": 0, "rows": 0}
    assert run(slow, "ship", "--config", slow.config)["uploaded_files"] == 1
    assert set(states(slow).values()) == {"uploaded"}


def test_ship_says_what_is_left(slow, encoder):
    slow.destination.write_text("in the way")
    service = slow.start("collector")
    store(slow, encoder, "first")
    service.kill()
    run(slow, "flush", "--config", slow.config)
    result = slow.command("ship", "--config", slow.config)
    assert result.returncode == 8 and "failed 1" in result.stdout and "Try: czctl doctor" in result.stderr
    # Its back-off is not over, and it is tried all the same.
    slow.destination.unlink()
    assert run(slow, "ship", "--config", slow.config)["uploaded_files"] == 1


def test_describe_and_trace_a_file(slow, encoder):
    slow.start()
    store(slow, encoder, "first")
    settle(slow)
    (name,) = states(slow)
    told = run(slow, "files", "describe", name, "--data", slow.data)
    assert told["schema"] == "czctl.file/v1" and told["id"] == name and told["rows"] == ROWS
    assert told["path"] == str(slow.data / "uploaded" / name) and told["sha256"].startswith(name[-40:-8])
    assert told["plan"]["files"] == [name] and told["plan"]["rows"]["written"] == ROWS
    (delivery,) = told["deliveries"]
    assert (delivery["destination"], delivery["state"], delivery["receipt"]["status"]) == ("directory", "uploaded", 0)
    assert [move["to"] for move in delivery["history"]] == ["discovered", "uploading", "uploaded"]
    assert run(slow, "trace", name, "--data", slow.data) == told
    text = slow.command("files", "describe", name, "--data", slow.data).stdout
    assert text.startswith(name) and f"segments {told['segments']} of volume" in text and "copied" in text
    for wrong in ["nonsense", name.replace("metrics", "observability")]:
        assert slow.command("files", "describe", wrong, "--data", slow.data).returncode == 4


def test_trace_a_series_and_a_segment(slow, encoder):
    service = slow.start()
    store(slow, encoder, "first")
    settle(slow)
    store(slow, encoder, "second")
    metric = dict(series_labels(0, "first"))["__name__"]
    other = dict(series_labels(0, "second"))["__name__"]
    (name,) = states(slow)
    found = run(slow, "trace", "--metric", metric, "--data", slow.data)
    assert found["log"] == [] and [file["id"] for file in found["files"]] == [name]
    wanted = sum(dict(series_labels(n, "first"))["__name__"] == metric for n in range(ROWS))
    assert found["files"][0]["rows"] == wanted and found["files"][0]["states"] == {"directory": "uploaded"}
    found = run(slow, "trace", "--metric", other, "--data", slow.data)
    assert found["files"] == [] and [part["state"] for part in found["log"]] == ["active"]
    segment = found["log"][0]["segment"]
    assert run(slow, "trace", str(segment), "--data", slow.data)["log"][0]["segment"] == segment
    run(slow, "flush", "--config", slow.config)
    after = run(slow, "trace", str(segment), "--data", slow.data)
    assert after["log"] == [] and len(after["files"]) == 1 and after["files"][0]["id"] != name
    condition = next(f"{key}={value}" for key, value in series_labels(7, "second") if key != "__name__")
    some = run(slow, "trace", "--metric", other, "--where", condition, "--data", slow.data)
    assert 0 < some["files"][0]["rows"] <= found["log"][0]["rows"]
    for missing in [["--metric", "no_such"], ["999"], ["--metric", other, "--until", str(START_MS - 1)]]:
        assert slow.command("trace", *missing, "--data", slow.data).returncode == 4
    assert slow.command("trace", "--data", slow.data).returncode == 2
    assert service.stop() == 0


def test_abandon_and_back(slow, encoder):
    slow.destination.write_text("in the way")
    service = slow.start()
    store(slow, encoder, "first")
    wait_until(lambda: "failed" in states(slow).values(), "a failed file")
    (name,) = states(slow)
    arguments = ["abandon", name, "--reason", "wrong account", "--config", slow.config]
    assert run(slow, *arguments, "--dry-run")["files"][0]["state"] == "failed"
    refused = slow.command(*arguments)
    assert refused.returncode == 2 and "--yes" in refused.stderr and states(slow) == {name: "failed"}
    done = run(slow, *arguments, "--yes")
    assert done["schema"] == "czctl.abandon/v1" and done["shipper_woken"]
    assert states(slow) == {name: "abandoned"}
    wait_until((slow.data / "abandoned" / name).exists, "the file in abandoned/")
    assert run(slow, *arguments, "--yes")["files"] == [], "once is enough"
    told = run(slow, "files", "describe", name, "--data", slow.data)
    assert told["deliveries"][0]["history"][-1]["detail"] == "wrong account"
    with sqlite3.connect(slow.data / "ledger.sqlite") as ledger:
        assert ledger.execute("SELECT * FROM abandonment").fetchall() == [], "no upload API is to be told"
    slow.destination.unlink()
    assert run(slow, "retry", name, "--data", slow.data)["files"][0]["state"] == "abandoned"
    wait_until(lambda: states(slow) == {name: "uploaded"}, "the file at its destination")
    assert service.stop() == 0
    assert slow.command("abandon", "nonsense", "--yes", "--reason", "x", "--data", slow.data).returncode == 4


def test_abandon_tells_the_upload_api(make_cirrus, bucket, encoder):
    settings = bucket.settings
    bucket.key.write_text("wrong")
    cirrus = make_cirrus(**settings)
    service = cirrus.start()
    store(cirrus, encoder, "first")
    wait_until(lambda: "failed" in states(cirrus).values(), "a failed file")
    (name,) = states(cirrus)
    run(cirrus, "abandon", name, "--yes", "--reason", "not ours", "--config", cirrus.config)
    bucket.key.write_text(API_KEY)
    state = f"http://127.0.0.1:{bucket.port}/v1/container-metrics/mock/state"
    told = wait_until(lambda: requests.get(state, timeout=10).json()["abandoned"], "an abandon call")
    assert told == [{"reference_id": name, "reason": "not ours"}]
    assert service.stop() == 0


def test_purged_files_are_told_where_none_is_found(slow, encoder):
    service = slow.start()
    store(slow, encoder, "purged")
    settle(slow)
    assert service.stop() == 0
    wanted = [["files", "list", "--config", slow.config], ["query", "--config", slow.config]]
    for command in wanted:
        assert "purged" not in slow.command(*command).stderr
    run(slow, "purge", "--uploaded", "--older-than", "0s", "--data", slow.data, "--yes")
    for command in wanted:
        told = slow.command(*command)
        note = f"czctl: 1 file is purged; delivered copies in directory ({slow.destination})"
        assert told.returncode == 0 and note in told.stderr, told.stderr
        assert slow.command(*command, "--quiet").stderr == ""
        unknown = slow.command(*command[:-2], "--data", slow.data)
        assert "copies in directory; " in unknown.stderr, "nobody knows where that is"
    listed = slow.command("files", "list", "--data", slow.data, "--state", "failed")
    assert listed.stderr == "", "none of that state has another reason"


def test_purge(slow, encoder):
    service = slow.start()
    store(slow, encoder, "first")
    settle(slow)
    store(slow, encoder, "second")
    slow.destination.rename(slow.destination.with_name("lake-full"))
    slow.destination.write_text("in the way")
    run(slow, "flush", "--config", slow.config)
    assert slow.command("ship", "--config", slow.config).returncode == 8
    old = ["purge", "--uploaded", "--older-than", "1h", "--data", slow.data, "--yes"]
    assert run(slow, *old)["files"] == []
    now = ["purge", "--uploaded", "--older-than", "0s", "--data", slow.data]
    assert slow.command(*now).returncode == 2, "nobody is asked where there is no terminal"
    (delivered,) = [name for name, state in states(slow).items() if state == "uploaded"]
    assert run(slow, *now, "--dry-run")["files"] == [delivered]
    assert (slow.data / "uploaded" / delivered).exists()
    size = (slow.data / "uploaded" / delivered).stat().st_size
    assert run(slow, *now, "--yes") == {
        "schema": "czctl.purge/v1", "dry_run": False, "files": [delivered], "bytes": size
    }  # fmt: skip
    assert not (slow.data / "uploaded" / delivered).exists()
    assert sorted(states(slow).values()) == ["failed", "purged"], "what is not delivered stays"
    assert len(list(slow.data.glob("outbox/*.parquet"))) == 1
    assert run(slow, "files", "describe", delivered, "--data", slow.data).get("path") is None
    assert service.stop() == 0
    assert slow.command("purge", "--older-than", "1d", "--data", slow.data).returncode == 2


def test_every_command_finds_the_volume_alike(slow, encoder):
    """By --data or CZCTL_DATA alone, as long as a service runs there that can be asked."""
    service = slow.start()
    store(slow, encoder, "first")
    settle(slow)
    store(slow, encoder, "second")
    assert run(slow, "flush", "--data", slow.data)["rows"] == ROWS
    environment = {"CZCTL_DATA": str(slow.data)}
    for command in (["ship"], ["status"], ["repair", "--dry-run"], ["support-bundle", "--file", slow.home / "b.tar"]):
        result = slow.command(*command, "-o", "json", env=environment)
        assert result.returncode == 0 and "using" not in result.stderr, result.stdout + result.stderr
    assert run(slow, "drain", "--data", slow.data)["schema"] == "czctl.drain/v1"
    assert service.stop() == 0
    # Nobody to ask, and nobody said where its files go: named, and nothing is touched.
    stopped = slow.command("flush", "--data", slow.data)
    assert stopped.returncode == 2 and "cluster_name" in stopped.stderr and "no service of it runs" in stopped.stderr
    assert "Try: czctl flush --config FILE" in stopped.stderr
    for command in ("ship", "drain"):
        unknown = slow.command(command, "--data", slow.data, "--set", "cluster_name=end-to-end")
        assert unknown.returncode == 2 and "destination.kind" in unknown.stderr, unknown.stderr
    assert not (slow.data / "shipped").exists()
    assert run(slow, "flush", "--data", slow.data, "--set", "cluster_name=end-to-end")["rows"] == 0
    assert run(slow, "drain", "--data", slow.data, "--config", slow.config)["unsent_files"] == 0


def test_the_next_command_works_as_it_is_printed(slow, encoder):
    slow.destination.write_text("in the way")
    service = slow.start("collector")
    store(slow, encoder, "first")
    service.kill()
    run(slow, "flush", "--config", slow.config)
    failed = slow.command("ship", "--config", slow.config)
    tried = failed.stderr.partition("Try: czctl ")[2].split()
    assert tried[0] == "doctor" and str(slow.config) in tried, failed.stderr
    assert slow.command(*tried).returncode == 3  # not 2, nor 4
    left = slow.command("drain", f"--config={slow.config}", "--timeout", "1s")
    tried = left.stderr.partition("Try: czctl ")[2].split()
    assert left.returncode == 8 and tried[:2] == ["files", "list"], left.stderr
    assert "failed" in slow.command(*tried).stdout


def test_retry_waits_for_the_outcome(slow, encoder):
    slow.destination.write_text("in the way")
    slow.start()
    store(slow, encoder, "first")
    wait_until(lambda: "failed" in states(slow).values(), "a failure")
    failed = slow.command("retry", "--state", "failed", "--wait", "--data", slow.data)
    assert failed.returncode == 8 and "retried 1 file: 0 uploaded, 1 failed (" in failed.stdout, failed.stderr
    slow.destination.unlink()
    assert run(slow, "retry", "--all", "--wait", "--data", slow.data)["outcome"]["uploaded_files"] == 1
    assert set(states(slow).values()) == {"uploaded"}
    done = slow.command("retry", "--all", "--wait", "--data", slow.data)
    assert done.returncode == 0 and "retried 0 files: 0 uploaded, 0 failed" in done.stdout
    slow.kill()
    with sqlite3.connect(slow.data / "ledger.sqlite") as ledger:
        ledger.execute("UPDATE shipment SET state = 'failed'")
    alone = slow.command("retry", "--all", "--wait", "--data", slow.data)
    assert alone.returncode == 5 and "no shipper" in alone.stderr, alone.stderr
    assert f"Try: czctl ship --data {slow.data}" in alone.stderr
