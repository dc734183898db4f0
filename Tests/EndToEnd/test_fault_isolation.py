"""A fault of one upload or destination stays where it is, and a server that asks for time gets it."""

import time

import pytest

import faults
from fault_api import API_KEY, FaultAPI
from processes import wait_until
from s3_servers import put_in_outbox

SOON = 10  # seconds; the waits that the servers ask for are much longer


@pytest.fixture
def server():
    made = FaultAPI()
    yield made
    made.stop()
    assert made.errors == []


@pytest.fixture
def install(make_cirrus, server, tmp_path):
    def make(**more):
        (tmp_path / "api-key").write_text(API_KEY + "\n")
        cloudzero = {"api_key_path": str(tmp_path / "api-key"), "host": f"{server.host}/cirrus", "use_http": True}
        cloudzero |= {"send_interval": "1s", "http_max_wait": "100ms"}
        destination = {} if more else {"destination": {"kind": "cloudzero"}}
        return make_cirrus(**destination, **more, cloudzero=cloudzero), server.side("cirrus")

    return make


def test_a_file_that_waits_does_not_hold_up_others_of_its_cycle(install):
    cirrus, side = install()
    sent = dict(put_in_outbox(cirrus.data, number) for number in range(20))
    side.faults["put"] = [faults.status(503, Retry_After="300")]
    shipper = cirrus.start("shipper")
    wait_until(lambda: len(side.objects) == len(sent) - 1, f"all but one\n{shipper.tail()}", SOON)


def test_a_file_that_waits_does_not_hold_up_new_ones(install):
    cirrus, side = install()
    put_in_outbox(cirrus.data, 0)
    side.faults["put"] = [faults.status(503, Retry_After="300")]
    shipper = cirrus.start("shipper")
    wait_until(lambda: side.count("put"), f"a refusal\n{shipper.tail()}")
    name, _ = put_in_outbox(cirrus.data, 1)
    wait_until(lambda: name in side.objects, f"the new file\n{shipper.tail()}", SOON)


def test_a_destination_that_waits_does_not_hold_up_another(install, tmp_path):
    lake = tmp_path / "lake"
    cirrus, side = install(destinations=[{"kind": "directory", "path": str(lake)}, {"kind": "cloudzero"}])
    put_in_outbox(cirrus.data, 0)
    side.faults["upload"] = [faults.status(503, Retry_After="300")]
    shipper = cirrus.start("shipper")
    wait_until(lambda: side.count("upload"), f"a refusal\n{shipper.tail()}")
    name, _ = put_in_outbox(cirrus.data, 1)
    wait_until(lambda: list(lake.rglob(name)), f"the new file\n{shipper.tail()}", SOON)


@pytest.mark.parametrize("seconds", [300, 3600])
def test_the_api_gets_the_time_it_asks_for(install, seconds):
    cirrus, side = install()
    put_in_outbox(cirrus.data, 0)
    side.faults["upload"] = [faults.status(429, Retry_After=str(seconds))] * 1000
    shipper = cirrus.start("shipper")
    wait_until(lambda: side.count("upload"), f"a refusal\n{shipper.tail()}")
    time.sleep(4)  # that nothing happens can only be waited for: four cycles
    assert side.count("upload") == 1


def test_one_url_for_two_files_is_not_used_twice(install):
    """The second would overwrite the first, and both would count as delivered."""
    cirrus, side = install()
    sent = dict(put_in_outbox(cirrus.data, number) for number in range(3))
    side.faults["upload"] = [faults.urls(lambda one, good: {key: one.url("one") for key in good})]
    shipper = cirrus.start("shipper")
    wait_until(lambda: not list((cirrus.data / "outbox").iterdir()), f"an empty outbox\n{shipper.tail()}")
    lost = set(sent.values()) - set(side.content().values())
    assert lost == set(), f"{len(lost)} files are delivered by the ledger and nowhere"
