"""`czctl status` on a live, a stopped and an empty directory."""

import json
import re
import signal
import sqlite3
import subprocess
import time

import requests

from processes import czctl_path, wait_until
from remote_write import Sender, snappy
from s3_servers import put_in_outbox
from test_v2_sender import START_MS, series_labels
from upload_api import API_KEY, UploadAPI

STATUS = ("status", "-o", "json", "--data")


def limit_seconds() -> float:
    """A debug build starts more slowly; the target is of the release build."""
    return 0.5 if "debug" in str(czctl_path()) else 0.1


def status(cirrus, *arguments):
    """The parsed answer, the exit code and the fastest of five runs in seconds."""
    fastest, result = 1e9, None
    for _ in range(5):
        started = time.monotonic()
        result = cirrus.command("status", *arguments)
        fastest = min(fastest, time.monotonic() - started)
    answer = json.loads(result.stdout) if "json" in arguments else result.stdout
    return answer, result.returncode, fastest


def check(cirrus, state: str):
    answer, code, seconds = status(cirrus, "--config", cirrus.config, "-o", "json")
    assert answer["schema"] == "czctl.status/v1"
    assert code == 0, answer
    assert seconds < limit_seconds()
    text, code, _ = status(cirrus, "--data", cirrus.data)
    assert code == 0 and ("stopped" in text.splitlines()[0]) == (state == "stopped"), text
    return answer


def test_status_live_then_stopped(make_cirrus, encoder):
    cirrus = make_cirrus()
    service = cirrus.start()
    series = [(series_labels(n, "status"), [(START_MS, float(n))]) for n in range(100)]
    assert Sender(cirrus.port).post(snappy(encoder.v1(series)))[0] == 204
    live = check(cirrus, "running")
    cirrus.drain()
    assert service.stop() == 0
    stopped = check(cirrus, "stopped")
    assert stopped["files"]["uploaded"] >= 1 and stopped["files"]["failed"] == 0
    assert json.dumps(live) != json.dumps(stopped)


def test_a_drained_service_is_no_fault(make_cirrus, encoder):
    """It goes on running, as its preStop hook has asked it to: nothing is left, and nothing is wrong."""
    cirrus = make_cirrus()
    cirrus.start()
    series = [(series_labels(n, "drained"), [(START_MS, float(n))]) for n in range(10)]
    assert Sender(cirrus.port).post(snappy(encoder.v1(series)))[0] == 204
    cirrus.drain()
    answer = check(cirrus, "running")
    assert answer["problems"] == [] and answer["services"][0]["readiness"] == "draining"
    text = cirrus.command("status", "--data", cirrus.data)
    assert text.returncode == 0 and "DRAINED: nothing is left" in text.stdout.splitlines()[0], text.stdout
    assert requests.get(cirrus.url + "/readyz", timeout=10).status_code == 503


def test_status_shows_the_last_minutes(make_cirrus, encoder):
    cirrus = make_cirrus(cloudzero={"send_interval": "1h"})
    cirrus.start()
    series = [(series_labels(n, "status"), [(START_MS, float(n))]) for n in range(100)]
    assert Sender(cirrus.port).post(snappy(encoder.v1(series)))[0] == 204
    intake = wait_until(lambda: (found := cirrus.status()["intake"]).get("recent_seconds", 0) >= 1 and found, "a rate")
    assert 0 < intake["recent_seconds"] <= 130
    rate = intake["recent_samples_per_second"]
    assert abs(rate * intake["recent_seconds"] - 100) < 1e-6
    latency = intake["request_latency"]
    assert sum(latency["counts"]) == 1 and len(latency["counts"]) == len(latency["bounds"]) + 1
    assert intake["recent_request_p99_seconds"] in latency["bounds"]
    text = cirrus.command("status", "--data", cirrus.data).stdout
    assert re.search(r"^INTAKE +\d+ samples/s in the last [\d.]+s   p99 .*   100 samples   ", text, re.MULTILINE), text
    line = re.compile(r"^SHIP .*   next in (1h|59m)", re.MULTILINE)
    wait_until(lambda: line.search(cirrus.command("status", "--data", cirrus.data).stdout), "the next cycle")


def test_a_file_is_ready_for_the_destinations_that_take_its_kind(make_cirrus, tmp_path):
    """The upload API takes samples alone: also of the files that no cycle has met yet."""
    api = UploadAPI()
    try:
        key = tmp_path / "api-key"
        key.write_text(API_KEY)
        cirrus = make_cirrus(
            destinations=[{"kind": "directory", "path": str(tmp_path / "lake")}, {"kind": "cloudzero"}],
            cloudzero={"api_key_path": str(key), "host": api.host, "use_http": True, "send_interval": "1h"},
        )

        def check_ready(first: int):
            """Two files come: of samples, and of something else."""
            put_in_outbox(cirrus.data, first)
            put_in_outbox(cirrus.data, first + 1, kind="histograms")
            answer = cirrus.status()
            ready = {destination["name"]: destination["files"]["ready"] for destination in answer["destinations"]}
            assert ready == {"cloudzero": 1, "directory": 2}
            assert answer["files"]["ready"] == answer["unsent"]["files"] == 2

        put_in_outbox(cirrus.data, 0)
        shipper = cirrus.start("shipper")
        wait_until(lambda: not list((cirrus.data / "outbox").iterdir()), "the first delivery")
        check_ready(1)  # by the kinds that the shipper names: nobody has a row of histograms
        assert cirrus.command("ship", "--data", cirrus.data).returncode == 0
        assert shipper.stop() == 0
        check_ready(3)  # by the rows of the ledger
    finally:
        api.stop()


def test_status_of_a_killed_service(make_cirrus, encoder):
    cirrus = make_cirrus()
    service = cirrus.start()
    series = [(series_labels(n, "status"), [(START_MS, float(n))]) for n in range(100)]
    assert Sender(cirrus.port).post(snappy(encoder.v1(series)))[0] == 204
    service.kill()
    check(cirrus, "stopped")


def test_status_of_an_empty_directory(make_cirrus):
    cirrus = make_cirrus()
    answer = check(cirrus, "stopped")
    assert answer["files"]["uploaded"] == 0
    assert list(cirrus.data.iterdir()) == [], "status writes nothing"


def test_status_of_a_failing_destination_is_3(make_cirrus, encoder):
    cirrus = make_cirrus()
    cirrus.destination.write_text("a file is in the way of the directory")
    cirrus.start()
    series = [(series_labels(n, "status"), [(START_MS, float(n))]) for n in range(100)]
    sender = Sender(cirrus.port)
    assert sender.post(snappy(encoder.v1(series)))[0] == 204
    deadline = time.monotonic() + 60
    while True:
        answer, code, _ = status(cirrus, "--config", cirrus.config, "-o", "json")
        if code == 3 or time.monotonic() > deadline:
            break
        time.sleep(0.5)
    assert (code, answer["files"]["uploaded"]) == (3, 0), answer
    assert sender.post(snappy(encoder.v1([(series_labels(1, "still"), [(START_MS, 1.0)])])))[0] == 204
    # The obstacle removed, the waiting file goes out.
    cirrus.destination.unlink()
    assert cirrus.command("retry", "--all", "--config", cirrus.config).returncode == 0
    cirrus.drain()


def test_bad_configuration_ends_with_2_and_every_fault(make_cirrus):
    cirrus = make_cirrus(database={"cost_max_interval": "10 minutes"}, server={"port": 99999}, clusterr_name="x")
    result = cirrus.command("run", "--config", cirrus.config)
    assert result.returncode == 2
    assert "cost_max_interval" in result.stderr and "server.port" in result.stderr
    check_result = cirrus.command("config", "check", "--config", cirrus.config)
    assert check_result.returncode == 2
    assert "clusterr_name" in check_result.stdout + check_result.stderr


def test_status_watch(make_cirrus):
    """Without a terminal: one answer a line, until it is stopped."""
    cirrus = make_cirrus()
    cirrus.start()
    command = [czctl_path(), "status", "--data", cirrus.data, "--watch=100ms", "-o", "json"]
    watch = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        answers = [json.loads(watch.stdout.readline()) for _ in range(3)]
    finally:
        watch.terminate()
        watch.wait(timeout=60)
    assert [answer["state"] for answer in answers] == ["running"] * 3
    assert answers[0]["time"] < answers[1]["time"] < answers[2]["time"]
    assert cirrus.command("status", "--data", cirrus.data, "--watch=1ms").returncode == 2
    assert cirrus.command("status", "--data", cirrus.data, "--watch=soon").returncode == 2


def test_disk_forecast(make_cirrus):
    """From the pace of the files: nothing while an hour of it is not known."""
    cirrus = make_cirrus()
    names = [put_in_outbox(cirrus.data, number, 1000)[0] for number in range(3)]
    shipper = cirrus.start("shipper")
    wait_until(lambda: not list((cirrus.data / "outbox").iterdir()), f"an empty outbox\n{shipper.tail()}")
    assert shipper.stop() == 0
    assert "full_in_seconds" not in cirrus.status()["disk"]
    with sqlite3.connect(cirrus.data / "ledger.sqlite") as ledger:
        for hours, name in [(2, names[0]), (48, names[1])]:
            change = "update shipment set discovered_ms = discovered_ms - ? where file = ?"
            ledger.execute(change, (hours * 3_600_000, name))
    disk = cirrus.status()["disk"]
    # Two files of the last day, two hours apart; the third came before it.
    assert abs(disk["growth_bytes_per_day"] - 24_000) < 50
    assert abs(disk["full_in_seconds"] - disk["free_bytes"] / disk["growth_bytes_per_day"] * 86_400) < 86_400 * 30
    text = cirrus.command("status", "--data", cirrus.data).stdout
    assert " a day" not in text, "beyond ten years it is left out"


def test_a_service_that_has_the_volume_and_does_not_answer(make_cirrus):
    """As one that reads a large log, or hangs: not stopped."""
    cirrus = make_cirrus()
    service = cirrus.start()
    service.process.send_signal(signal.SIGSTOP)
    try:
        answer, code = json.loads((result := cirrus.command(*STATUS, cirrus.data)).stdout), result.returncode
        text = cirrus.command("status", "--data", cirrus.data)
    finally:
        service.process.send_signal(signal.SIGCONT)
    assert (answer["state"], code, text.returncode) == ("degraded", 3, 3), answer
    assert [problem["text"] for problem in answer["problems"]] == [
        f"run pid {service.pid} has the volume and does not answer: it starts, stops or hangs"
    ]
    assert f"DEGRADED: run pid {service.pid} has the volume and does not answer" in text.stdout.splitlines()[0]
    assert service.stop() == 0
    assert cirrus.command(*STATUS, cirrus.data).returncode == 0


def test_a_collector_without_a_shipper(make_cirrus, encoder):
    cirrus = make_cirrus()
    cirrus.start("collector")
    assert cirrus.command(*STATUS, cirrus.data).returncode == 0, "nothing waits yet"
    series = [(series_labels(n, "status"), [(START_MS, float(n))]) for n in range(100)]
    assert Sender(cirrus.port).post(snappy(encoder.v1(series)))[0] == 204
    wait_until(lambda: list((cirrus.data / "outbox").glob("*.parquet")), "a file that waits")
    result = cirrus.command(*STATUS, cirrus.data)
    assert result.returncode == 3
    for answer in json.loads(result.stdout), requests.get(cirrus.url + "/api/v1/status", timeout=10).json():
        assert answer["state"] == "degraded"
        assert answer["problems"][0]["text"] == "no shipper runs, and 1 files wait for one"
    doctor = cirrus.command("doctor", "--config", cirrus.config, "--role", "collector", "--only", "service")
    assert doctor.returncode == 3 and "no shipper runs" in doctor.stdout, doctor.stdout

    # With one, both ports know both.
    cirrus.start("shipper")
    wait_until(lambda: not list((cirrus.data / "outbox").iterdir()), "a delivered file")
    for port in (cirrus.port, cirrus.shipper_port):
        answer = requests.get(f"http://127.0.0.1:{port}/api/v1/status", timeout=10).json()
        assert [service["role"] for service in answer["services"]] == ["collector", "shipper"], port
        assert (answer["state"], answer["intake"]["samples_received"]) == ("running", 100), port

    # Where the rows are, for a dashboard.
    def shows(*lines: str) -> bool:
        ports = (cirrus.port, cirrus.shipper_port)
        text = "".join(requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text for port in ports)
        return all(line in text.splitlines() for line in lines)

    uploaded = ('cirrus_file_state{state="uploaded"} 1', 'cirrus_file_rows{state="uploaded"} 100')
    empty = ("cirrus_wal_active_rows 0", "cirrus_wal_sealed_rows 0")
    wait_until(lambda: shows(*uploaded, *empty), "the places of the rows")
