"""What a running service can be asked to do and to say of itself, without a shell: reload, readiness, state."""

import json
import os
import signal
import socket
import sqlite3

import requests
import yaml

from processes import Program, answers, czctl_path, wait_until
from remote_write import Sender, snappy
from s3_servers import put_in_outbox
from test_receiver import one_series


def change(cirrus, **keys):
    config = yaml.safe_load(cirrus.config.read_text())
    for key, value in keys.items():
        config[key] = config.get(key, {}) | value
    cirrus.config.write_text(yaml.safe_dump(config, sort_keys=False))


def test_reload_by_command(make_cirrus):
    """The image has no shell and no kill."""
    cirrus = make_cirrus()
    assert cirrus.command("reload", "--data", cirrus.data).returncode == 4, "nobody is there"
    services = {role: cirrus.start(role) for role in ("collector", "shipper")}
    cirrus.status()  # its sockets are there
    change(cirrus, limits={"body_bytes": "1Ki"}, server={"reconnect_frequency": 7})
    result = cirrus.command("reload", "--data", cirrus.data)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        f"{role} pid {service.pid}: changed limits.body_bytes; needs a restart: server.reconnect_frequency"
        for role, service in services.items()
    ]
    answer = json.loads(cirrus.command("reload", "--data", cirrus.data, "-o", "json").stdout)
    assert answer["schema"] == "czctl.reload/v1"
    assert [(one["changed"], one["faults"]) for one in answer["services"]] == [([], [])] * 2

    change(cirrus, limits={"body_bytes": "a lot"}, dedup={"window": "10 minutes"})
    result = cirrus.command("reload", "--data", cirrus.data)
    assert result.returncode == 1
    assert "limits.body_bytes" in result.stderr and "dedup.window" in result.stderr, result.stderr
    metrics = requests.get(cirrus.url + "/metrics", timeout=10).text
    assert "cirrus_config_last_reload_successful 0" in metrics


def test_reload_over_the_port_is_for_those_who_asked_for_it(make_cirrus):
    cirrus = make_cirrus()
    cirrus.start("collector")
    answer = requests.post(cirrus.url + "/-/reload", timeout=10)
    assert answer.status_code == 403 and "--enable-lifecycle" in answer.text
    command = [czctl_path(), "shipper", "--config", cirrus.config, "--enable-lifecycle"]
    shipper = Program(command, cirrus.home / "shipper.log")
    cirrus.programs.append(shipper)
    url = f"http://127.0.0.1:{cirrus.shipper_port}/-/reload"
    shipper.wait_ready(url.replace("/-/reload", "/readyz"))
    assert requests.get(url, timeout=10).status_code == 405
    change(cirrus, cloudzero={"send_interval": "5s"})
    answer = requests.post(url, timeout=10)
    assert (answer.status_code, answer.text) == (200, "changed cloudzero.send_interval\n")
    change(cirrus, cloudzero={"send_interval": "soon"})
    answer = requests.post(url, timeout=10)
    assert answer.status_code == 500 and "cloudzero.send_interval" in answer.text


def test_what_is_refused_is_in_the_log_once(make_cirrus):
    cirrus = make_cirrus()
    service = cirrus.start("collector")
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
    for _ in range(50):
        assert requests.post(cirrus.write_url, b"no snappy", headers=headers, timeout=10).status_code == 400
    assert requests.post(cirrus.write_url, b"", headers={"Content-Type": "text/html"}, timeout=10).status_code == 415
    (line,) = [json.loads(x) for x in service.log.read_text().splitlines() if "a request is refused" in x]
    assert line["level"] == "warning" and line["status"] == 400 and "not a snappy block" in line["answer"]


def test_state(make_cirrus):
    cirrus = make_cirrus(server={"profiling": True})
    service = cirrus.start()
    state = requests.get(cirrus.url + "/debug/state", timeout=10).json()
    assert (state["schema"], state["role"]) == ("czctl.state/v1", "run")
    parts = state["state"]
    assert parts["intake"]["in_flight_bytes"] == 0 and parts["intake"]["in_flight_bytes_limit"] > 1 << 20
    assert parts["http"]["connections"] >= 1 and parts["process"]["threads"] > 1
    assert parts["process"]["resident_bytes"] > 1 << 20 and parts["log"]["queue"] == 0
    assert "unsent_files" in parts["shipping"] and "is_running" in parts["compaction"]
    service.process.send_signal(signal.SIGUSR1)
    line = json.loads(wait_until(lambda: [x for x in service.tail().splitlines() if '"msg":"state"' in x], "a line")[0])
    assert line["intake.in_flight_bytes"] == 0 and line["process.resident_bytes"] > 1 << 20
    assert answers(cirrus.url + "/livez"), "it lives"


def test_a_port_that_is_taken_names_its_holder(make_cirrus):
    cirrus = make_cirrus()
    with socket.create_server(("127.0.0.1", cirrus.port)):
        told = cirrus.command("collector", "--config", cirrus.config)
    assert told.returncode == 1 and f"pid {os.getpid()} (" in told.stderr, told.stderr
    assert f"cannot listen on 127.0.0.1:{cirrus.port}: address already in use" in told.stderr


def test_counts_in_the_log_are_numbers(make_cirrus, encoder):
    cirrus = make_cirrus()
    service = cirrus.start()
    assert Sender(cirrus.port).post(snappy(encoder.v1(one_series("counted"))))[0] == 204
    cirrus.drain()
    assert service.stop() == 0
    lines = {line["msg"]: line for line in map(json.loads, service.log.read_text().splitlines())}
    assert lines["listening"]["port"] == cirrus.port and isinstance(lines["listening"]["version"], str)
    recovered, compacted = lines["log recovered"], lines["compacted"]
    assert (recovered["segments"], recovered["bytes"]) == (0, 0) and isinstance(recovered["newest"], str)
    assert compacted["rows"] == len(one_series("counted")[0][1]) and compacted["files"] == 1
    assert isinstance(compacted["seconds"], float) and isinstance(compacted["segment_range"], str)
    cycle = lines["Successfully ran the shipper cycle"]
    assert {type(cycle[key]) for key in ("uploaded", "failed", "quarantined", "unsent")} == {int}


def test_state_is_for_those_who_asked_for_it(make_cirrus):
    cirrus = make_cirrus()
    cirrus.start("collector")
    answer = requests.get(cirrus.url + "/debug/state", timeout=10)
    assert answer.status_code == 403 and "server.profiling" in answer.text


def test_readiness_says_what_it_is_made_of(make_cirrus):
    cirrus = make_cirrus()
    put_in_outbox(cirrus.data, 1, 10)
    cirrus.start("collector")
    ready = requests.get(cirrus.url + "/readyz?verbose", timeout=10)
    assert (ready.status_code, ready.text) == (200, "[+]log ok\n[+]intake ok\n[+]disk ok\nready\n")

    # A shipper that cannot have its ledger yet is not ready, though it lives.
    url = f"http://127.0.0.1:{cirrus.shipper_port}"
    with sqlite3.connect(cirrus.data / "ledger.sqlite", isolation_level=None) as ledger:
        ledger.execute("begin exclusive")
        cirrus.spawn("shipper")
        wait_until(lambda: answers(url + "/livez"), "the shipper's port")
        waiting = requests.get(url + "/readyz?verbose", timeout=10)
        health = requests.get(url + "/healthz", timeout=10)
        ledger.execute("rollback")
    assert (waiting.status_code, waiting.text) == (503, "[-]shipper starting\nnot ready\n")
    assert health.status_code == 503 and health.json() == {"success": False, "error": "starting"}
    wait_until(lambda: answers(url + "/readyz"), "a ready shipper")
    assert requests.get(url + "/readyz?verbose", timeout=10).text == "[+]shipper ok\nready\n"
