"""The receiver, row by row (docs/remote-write.md): what a request gets, and what of it is in the log.

Rows 18 to 30, of single values, are in test_receiver_values.py; row 33, who may send, is in test_access.py."""

import shutil
import signal
import socket

import pytest
import requests

from cirrus import Cirrus
from processes import wait_until
from receiver import NOW, TYPES, RawClient, Receiver, labels, refused_values, samples_of
from remote_write import V1, V2, WRITTEN, Sender, snappy
from strace import injecting

QUIET = {"wal": {"segment_age": "1h"}, "database": {"cost_max_interval": "1h"}}
VERSIONS = pytest.mark.parametrize("version", ["v1", "v2"])


@pytest.fixture(scope="module")
def receiver(tmp_path_factory, encoder):
    cirrus = Cirrus(tmp_path_factory.mktemp("receiver"), **QUIET)
    yield Receiver(cirrus, encoder)
    cirrus.kill()


@pytest.fixture
def make_receiver(make_cirrus, encoder):
    return lambda **overrides: Receiver(make_cirrus(**(QUIET | overrides)), encoder)


def written(headers) -> tuple:
    return tuple(int(headers[name]) for name in WRITTEN)


def one_series(name: str, value: float = 1.5) -> list:
    return [(labels(name, job="a"), [(NOW, value), (NOW + 1, 2.0)])]


@VERSIONS
def test_row_01_all_written(receiver, version):
    series = [(labels(f"row_01_{version}", n=str(n)), [(NOW + i, n + i / 8) for i in range(3)]) for n in range(4)]
    client = RawClient(receiver.cirrus.port)
    client.send(RawClient.request(version, receiver.body(version, series)))
    status, text, headers = client.answer()
    assert (status, text, written(headers)) == (204, "", (12, 0, 0))
    assert "Content-Type" not in headers
    assert receiver.log(f"row_01_{version}").samples == samples_of(series)
    last = receiver.requests()[-1]
    assert (last["protocol"], last["status"], last["written"]["samples"]) == (version, 204, 12)


@VERSIONS
def test_row_02_no_success_with_nothing_written(receiver, version, encoder):
    """Prometheus takes a 2xx without counts, or with zeros for what it sent, for a failure."""
    name = f"row_02_{version}"
    samples = receiver.body(version, one_series(name))
    request = (encoder.one.WriteRequest if version == "v1" else encoder.two.Request)()
    request.ParseFromString(samples)
    del request.timeseries[0].samples[:]
    request.timeseries[0].histograms.add(count_int=1, zero_count_int=1, sum=1, timestamp=NOW)
    assert receiver.post(version, samples) == (204, "", (2, 0, 0))
    assert receiver.post(version, request.SerializeToString()) == (204, "", (0, 1, 0))


@VERSIONS
def test_row_03_filtered_counts_as_written(make_receiver, version):
    receiver = make_receiver(metrics={"cost": [{"pattern": "wanted", "match": "prefix"}]})
    series = one_series("wanted_1") + one_series("other")
    assert receiver.post(version, receiver.body(version, series)) == (204, "", (4, 0, 0))
    assert receiver.post(version, receiver.body(version, one_series("nothing"))) == (204, "", (2, 0, 0))
    assert receiver.log("wanted").samples == samples_of(series[:1])
    assert receiver.log("other").samples == receiver.log("nothing").samples == []
    # warm_up is filtered too
    assert receiver.metrics()["cirrus_samples_filtered_total"] == 1 + 2 + 2


@VERSIONS
def test_row_04_the_valid_part_is_written(receiver, version):
    name = f"row_04_{version}"
    good, late = one_series(f"{name}_good"), 1 << 60
    known = [(labels(f"{name}_known"), [(NOW, 1.0), (late, 2.0), (NOW + 2, 3.0)])]
    nameless = [((("job", "x"),), [(NOW, 1.0), (NOW + 1, 1.0)])]
    for turn in range(2):  # the second time every good series is known to the segment
        unique = [(labels(f"{name}_turn", turn=str(turn)), [(NOW, float(turn))])]
        status, reason, counts = receiver.post(version, receiver.body(version, good + known + nameless + unique))
        assert (status, counts) == (400, (5, 0, 0))
        assert refused_values(reason) == 3
        known_line = f'series {{__name__="{name}_known"}}: timestamp {late} is outside the years 0001 to 9999'
        assert known_line in reason.splitlines()
        assert 'series {job="x"}: no __name__ label' in reason.splitlines()
    kept = [(known[0][0], [known[0][1][0], known[0][1][2]])]
    turns = [(labels(f"{name}_turn", turn=str(turn)), [(NOW, float(turn))]) for turn in range(2)]
    assert receiver.log(name).samples == samples_of(2 * (good + kept) + turns)


@VERSIONS
def test_row_04_the_reasons_fit_in_4_kib(receiver, version):
    name = f"row_04_many_{version}"
    bad = [(labels(name, n="x" * 80 + str(n)), [(1 << 60, 1.0)]) for n in range(500)]
    client = RawClient(receiver.cirrus.port)
    client.send(RawClient.request(version, receiver.body(version, bad + one_series(name))))
    status, reason, headers = client.answer()
    assert (status, written(headers), refused_values(reason)) == (400, (2, 0, 0), 500)
    assert len(reason.encode()) <= 4096 and reason.splitlines()[-1] == "..."
    assert receiver.log(name).samples == samples_of(one_series(name))


BAD_LABELS = {
    "duplicate": ([("__name__", "x"), ("a", "1"), ("a", "2")], 'label "a" twice'),
    "duplicate name": ([("__name__", "x"), ("__name__", "y")], 'label "__name__" twice'),
    "empty label name": ([("", "1"), ("__name__", "x")], "a label without a name"),
    "unsorted": ([("b", "1"), ("__name__", "x")], 'labels are not sorted at "__name__"'),
    "empty metric name": ([("__name__", ""), ("a", "1")], "no __name__ label"),
    "no metric name": ([("a", "1")], "no __name__ label"),
    "no labels": ([], "no labels"),
}


@VERSIONS
@pytest.mark.parametrize("case", BAD_LABELS)
def test_row_05_bad_labels(receiver, version, case):
    bad, reason = BAD_LABELS[case]
    name = f"row_05_{version}_{case.replace(' ', '_')}"
    series = [(tuple(bad), [(NOW, 1.0), (NOW + 1, 2.0)])] + one_series(name)
    status, text, counts = receiver.post(version, receiver.body(version, series))
    assert (status, counts, refused_values(text)) == (400, (2, 0, 0), 2), text
    assert reason in text
    assert receiver.log(name).samples == samples_of(one_series(name))


@pytest.mark.parametrize("order", ["sl", "slsl"])
def test_row_05_labels_behind_values(receiver, encoder, order):
    """Legal protobuf that no sender makes: read like any other."""
    sample = encoder.one.Sample(value=1.0, timestamp=NOW).SerializeToString()
    names = [("__name__", f"row_05_{order}"), ("a", "b")]
    texts = [encoder.one.Label(name=name, value=value).SerializeToString() for name, value in names]
    message = b""
    for part in order if order == "slsl" else order + "l":
        text = texts.pop(0) if part == "l" else sample
        message += (b"\x0a" if part == "l" else b"\x12") + bytes([len(text)]) + text
    values = 2 if order == "slsl" else 1
    body = b"\x0a" + bytes([len(message)]) + message
    assert receiver.post("v1", body) == (204, "", (values, 0, 0))
    assert len(receiver.log(f"row_05_{order}").samples) == values


def is_unavailable(answer: tuple, word: str) -> bool:
    status, text, headers = answer
    assert status == 503 and word in text, answer
    assert 1 <= int(headers["Retry-After"]) <= 30
    assert all(name not in headers for name in WRITTEN)
    return True


@VERSIONS
def test_row_06_queue_full(make_receiver, version):
    receiver = make_receiver(limits={"in_flight_requests": 1})
    message = receiver.body(version, one_series("row_06"))
    first, second = RawClient(receiver.cirrus.port), RawClient(receiver.cirrus.port)
    whole = RawClient.request(version, message)
    first.send(whole[:-1])  # admitted, and not at its end
    refused = "cirrus_requests_refused_total"

    # Until the server has read the first head the second is accepted.
    def second_is_refused():
        second.send(RawClient.request(version, receiver.body(version, one_series("row_06_second"))))
        answer = second.answer()
        return answer[0] == 503 and is_unavailable(answer, "limits.in_flight_requests is 1")

    wait_until(second_is_refused, "a 503")
    assert receiver.metrics()[f'{refused}{{reason="in_flight"}}'] >= 1
    first.send(whole[-1:])
    assert first.answer()[0] == 204
    second.send(RawClient.request(version, receiver.body(version, one_series("row_06_third"))))
    assert second.answer()[0] == 204, "on the same connection"
    assert receiver.log("row_06_third").samples == samples_of(one_series("row_06_third"))


@VERSIONS
def test_row_06_bytes_in_flight(make_receiver, version):
    receiver = make_receiver(limits={"in_flight_bytes": "1Mi", "decoded_bytes": "1Mi"})
    client = RawClient(receiver.cirrus.port)
    client.send(RawClient.head(version, length=(1 << 20) + 1))
    is_unavailable(client.answer(), "limits.in_flight_bytes is 1048576")


@VERSIONS
def test_row_06_shutting_down(make_receiver, version):
    receiver = make_receiver()
    name = f"row_06_{version}"
    assert receiver.post(version, receiver.body(version, one_series(name)))[0] == 204
    receiver.cirrus.command("drain", "--config", receiver.cirrus.config, "--timeout", "20")
    client = RawClient(receiver.cirrus.port)
    client.send(RawClient.request(version, receiver.body(version, one_series(name, 7.0))))
    is_unavailable(client.answer(), "draining")
    assert client.is_closed(), "the sender looks for another replica"
    assert requests.get(receiver.cirrus.url + "/readyz", timeout=30).status_code == 503


@VERSIONS
def test_row_06_disk_full(make_cirrus, encoder, version):
    # More than any disk has: the volume is full for this configuration.
    cirrus = make_cirrus(**(QUIET | {"limits": {"reserve_bytes": "64Gi"}}))
    free = shutil.disk_usage(cirrus.home).free
    if free > 64 << 30:
        pytest.skip(f"{free} bytes are free here; test_disk_full.py fills a volume of its own")
    cirrus.spawn("collector")
    wait_until(lambda: requests_answer(cirrus), "a 503 of /readyz")
    client = RawClient(cirrus.port)
    body = (encoder.v1 if version == "v1" else encoder.v2)(one_series("row_06_disk"))
    client.send(RawClient.request(version, body))
    is_unavailable(client.answer(), "limits.reserve_bytes")


def requests_answer(cirrus) -> bool:
    try:
        return "disk is full" in requests.get(cirrus.url + "/readyz", timeout=5).text
    except requests.RequestException:
        return False


@VERSIONS
def test_row_07_a_failing_sync_is_no_success(make_cirrus, encoder, version):
    cirrus = make_cirrus(**QUIET)
    cirrus.start("collector").stop()  # the volume is made before its syncs fail
    cirrus.spawn("collector", under=injecting("fdatasync", "error=EIO:when=1+"))
    body = (encoder.v1 if version == "v1" else encoder.v2)(one_series("row_07"))

    def answered():
        try:
            client = RawClient(cirrus.port)
        except ConnectionRefusedError:
            return None
        client.send(RawClient.request(version, body))
        return client.answer()

    is_unavailable(wait_until(answered, "an answer"), "")


@VERSIONS
def test_row_08_never_429(make_receiver, version):
    """There is no key for a rate: a sender that must wait is told 503, which every sender repeats."""
    receiver = make_receiver(limits={"in_flight_requests": 1})
    clients = [RawClient(receiver.cirrus.port) for _ in range(20)]
    for number, client in enumerate(clients):
        client.send(RawClient.request(version, receiver.body(version, one_series("row_08", float(number)))))
    statuses = {client.answer()[0] for client in clients}
    assert 204 in statuses and statuses <= {204, 503}
    keys = receiver.cirrus.command("config", "print", "--config", receiver.cirrus.config).stdout
    assert "requests_per" not in keys and "limits.rate" not in keys


WRONG_TYPES = {
    "another type": ("application/json", "snappy", "content type application/json"),
    "no proto type": ("text/plain; proto=prometheus.WriteRequest", "snappy", "content type text/plain"),
    "unknown message": ("application/x-protobuf;proto=io.prometheus.write.v3.Request", "snappy", "v3.Request"),
    "gzip": (V1, "gzip", "content encoding gzip"),
    "zstd": (V2, "zstd", "content encoding zstd"),
    "identity": (V1, "identity", "content encoding identity"),
    "two encodings": (V1, "snappy, gzip", "content encoding snappy, gzip"),
}


@pytest.mark.parametrize("case", WRONG_TYPES)
def test_row_09_wrong_types(receiver, case):
    type_, encoding, word = WRONG_TYPES[case]
    sender = Sender(receiver.cirrus.port)
    body = snappy(receiver.body("v2" if type_ == V2 else "v1", one_series("row_09")))
    status, text, counts = sender.post(body, type_, encoding)
    assert (status, counts) == (415, (None, None, None)) and word in text
    assert sender.same_connection
    assert receiver.log("row_09").samples == []


def test_row_10_missing_headers(receiver):
    sender = Sender(receiver.cirrus.port)
    series = [one_series(f"row_10_{n}") for n in range(4)]
    bodies = [receiver.body("v1", s) for s in series]
    assert sender.post(snappy(bodies[0]), None, "snappy") == (204, "", (2, 0, 0))
    assert sender.post(snappy(bodies[1]), V1, None) == (204, "", (2, 0, 0))
    assert sender.post(snappy(bodies[2]), None, None) == (204, "", (2, 0, 0))
    status, text, _ = sender.post(bodies[3], None, None)
    assert status == 400 and "not a snappy block" in text
    assert receiver.log("row_10").samples == samples_of([s for part in series[:3] for s in part])


TYPE_FORMS = {
    "v1": [
        "application/x-protobuf", "APPLICATION/X-Protobuf", "application/x-protobuf;proto=prometheus.WriteRequest",
        'application/x-protobuf; proto="prometheus.WriteRequest"', "application/x-protobuf ; charset=utf-8",
        "application/x-protobuf;charset=utf-8;PROTO=prometheus.WriteRequest", "application/x-protobuf;",
    ],
    "v2": [
        "application/x-protobuf;proto=io.prometheus.write.v2.Request",
        "application/x-protobuf; proto=io.prometheus.write.v2.Request",
        'application/x-protobuf;\tproto="io.prometheus.write.v2.Request" ; v=1',
        'Application/X-Protobuf; a="x;proto=y"; Proto=io.prometheus.write.v2.Request',
        r'application/x-protobuf; proto="io.prometheus.write.v2.\Request"',
    ],
}  # fmt: skip


@VERSIONS
def test_row_11_forms_of_the_content_type(receiver, version):
    sender = Sender(receiver.cirrus.port)
    series = [one_series(f"row_11_{version}_{n}") for n in range(len(TYPE_FORMS[version]))]
    for form, one in zip(TYPE_FORMS[version], series, strict=True):
        assert sender.post(snappy(receiver.body(version, one)), form) == (204, "", (2, 0, 0)), form
    assert receiver.log(f"row_11_{version}").samples == samples_of([s for part in series for s in part])


@VERSIONS
def test_row_12_undecodable(receiver, version):
    good = receiver.body(version, one_series(f"row_12_{version}"))
    sender = Sender(receiver.cirrus.port)
    bodies = {
        "not snappy": (b"\xff" * 50, "cannot inflate request body"),
        "no bytes": (b"", "cannot inflate request body"),
        "cut snappy": (snappy(good)[:-2], "cannot inflate request body"),
        "framed snappy": (b"\xff\x06\x00\x00sNaPpY" + snappy(good), "cannot inflate request body"),
        "cut message": (snappy(good[:-1]), "cannot decode write request at byte"),
        "a length beyond the end": (snappy(good + b"\x2a\x7f"), "cannot decode write request at byte"),
        "a group": (snappy(good + b"\x0b"), "cannot decode write request at byte"),
        "a varint of 11 bytes": (snappy(good + b"\xff" * 10 + b"\x01"), "cannot decode write request at byte"),
    }
    for case, (body, word) in bodies.items():
        status, text, counts = sender.post(body, TYPES[version])
        assert (status, counts) == (400, (None, None, None)), f"{case}: {text}"
        assert word in text, case
        assert sender.same_connection, case
    assert receiver.log(f"row_12_{version}").samples == []


@VERSIONS
def test_row_13_over_the_byte_limits(make_receiver, version):
    receiver = make_receiver(limits={"body_bytes": "1Ki", "decoded_bytes": "2Ki"})
    sender = Sender(receiver.cirrus.port)
    status, text, counts = sender.post(b"\x00" * 1025, TYPES[version])
    assert (status, counts) == (400, (None, None, None)) and "limits.body_bytes, 1024 bytes" in text
    status, text, counts = sender.post(snappy(b"\x00" * 3000), TYPES[version])
    assert (status, counts) == (400, (None, None, None))
    assert "declares 3000 bytes, limits.decoded_bytes is 2048" in text
    assert sender.same_connection
    metrics = receiver.metrics()
    assert metrics['cirrus_requests_refused_total{reason="body_limit"}'] == 1
    assert metrics['cirrus_requests_refused_total{reason="decoded_limit"}'] == 1
    client = RawClient(receiver.cirrus.port)
    client.send(RawClient.head(version, "Expect: 100-continue", length=1 << 30))
    assert client.answer()[0] == 400, "before any byte of the body"


def chunked(data: bytes, size: int) -> bytes:
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(f"{len(part):x};note=x\r\n".encode() + part + b"\r\n" for part in parts) + b"0\r\n\r\n"


@VERSIONS
def test_row_14_chunked(make_receiver, version):
    receiver = make_receiver(limits={"body_bytes": "64Ki"})
    series = [(labels(f"row_14_{version}", n=str(n)), [(NOW, n + 0.1)]) for n in range(200)]
    client = RawClient(receiver.cirrus.port)
    head = RawClient.head(version, "Transfer-Encoding: chunked")
    client.send(head + chunked(snappy(receiver.body(version, series)), 7))
    status, text, headers = client.answer()
    assert (status, text, written(headers)) == (204, "", (200, 0, 0))
    client.send(head + chunked(b"\x00" * (65 << 10), 4096))
    status, text, _ = client.answer()
    assert status == 400 and "limits.body_bytes, 65536 bytes" in text
    client = RawClient(receiver.cirrus.port)
    client.send(RawClient.head(version, "Transfer-Encoding: chunked", length=5))
    assert client.answer()[0] == 400, "two lengths are two requests for somebody"
    assert receiver.log(f"row_14_{version}").samples == samples_of(series)


@VERSIONS
def test_row_14_expect_and_pipelining(receiver, version):
    name = f"row_14_more_{version}"
    body = snappy(receiver.body(version, one_series(f"{name}_0")))
    client = RawClient(receiver.cirrus.port)
    client.send(RawClient.head(version, "Expect: 100-continue", length=len(body)))
    assert client.socket.recv(64) == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send(body)
    assert client.answer()[0] == 204
    # Answers come in order, one bad request between the good.
    wrong = RawClient.request(version, b"\x0b")
    good = [RawClient.request(version, receiver.body(version, one_series(f"{name}_{n}"))) for n in (1, 2)]
    reader = RawClient(receiver.cirrus.port)
    reader.send(good[0] + wrong + good[1])
    stream = reader.socket.makefile("rb")
    statuses = []
    for _ in range(3):
        statuses.append(int(stream.readline().split()[1]))
        length = 0
        while (line := stream.readline()) != b"\r\n":
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        stream.read(length)
    assert statuses == [204, 400, 204]
    expected = [s for n in range(3) for s in one_series(f"{name}_{n}")]
    assert receiver.log(name).samples == samples_of(expected)


@VERSIONS
def test_row_15_left_within_the_body(make_receiver, version):
    receiver = make_receiver(limits={"in_flight_requests": 1})
    before = receiver.metrics()
    whole = RawClient.request(version, receiver.body(version, one_series("row_15")))
    for cut in (len(whole) - 1, len(whole) // 2 + 40):
        client = RawClient(receiver.cirrus.port)
        client.send(whole[:cut])
        client.close()
    # What they held is given back, though only one may be in flight.
    after = one_series("row_15_after")

    def accepted():
        return receiver.post(version, receiver.body(version, after))[0] == 204

    wait_until(accepted, "a 204")
    assert receiver.log("row_15").samples == samples_of(after)
    grown = receiver.metrics()["cirrus_samples_received_total"] - before["cirrus_samples_received_total"]
    assert grown == 2


@VERSIONS
def test_row_16_left_after_the_commit(make_receiver, version):
    receiver = make_receiver()
    message = receiver.body(version, one_series("row_16"))
    client = RawClient(receiver.cirrus.port)
    client.send(RawClient.request(version, message))
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    client.close()  # with a reset: no answer can be read
    wait_until(lambda: receiver.log("row_16").samples, "the batch in the log")
    assert receiver.post(version, message) == (204, "", (2, 0, 0))
    assert receiver.log("row_16").samples == samples_of(one_series("row_16"))
    assert receiver.metrics()["cirrus_requests_deduplicated_total"] == 1


def test_row_17_methods_and_paths(receiver):
    for method in ("GET", "PUT", "DELETE", "HEAD", "OPTIONS"):
        for path in ("/api/v1/write", "/collector"):
            response = requests.request(method, receiver.cirrus.url + path, timeout=30)
            assert (response.status_code, response.headers["Allow"]) == (405, "POST"), (method, path)
    body = snappy(receiver.body("v1", one_series("row_17")))
    for path in ("/", "/api/v1/writes", "/write", "/api/v1/write/"):
        status, text, _ = Sender(receiver.cirrus.port).post(body, path=path)
        assert status == (405 if path == "/" else 404), (path, text)
    assert receiver.log("row_17").samples == []
    for number, path in enumerate(("/collector", "/metrics", "/api/v1/write?x=1")):
        body = snappy(receiver.body("v1", one_series("row_17", float(number))))
        assert Sender(receiver.cirrus.port).post(body, path=path)[0] == 204, path


@VERSIONS
def test_row_31_identical_bytes_again(receiver, version):
    name = f"row_31_{version}"
    series = one_series(name)
    bad = [((("job", "x"),), [(NOW, 1.0)])]
    whole, partly = receiver.body(version, series), receiver.body(version, series + bad)
    for message, status, count in ((whole, 204, 2), (partly, 400, 2)):
        answers = []
        for attempt in range(3):
            client = RawClient(receiver.cirrus.port)
            client.send(RawClient.request(version, message, *([f"Retry-Attempt: {attempt}"] if attempt else [])))
            got, text, headers = client.answer()
            answers.append((got, text, written(headers)))
        assert answers == [answers[0]] * 3
        assert (answers[0][0], answers[0][2]) == (status, (count, 0, 0))
    assert receiver.log(name).samples == samples_of(2 * series)
    if version == "v1":  # the same bytes, of the other protocol: another request
        status, _, _ = receiver.post("v2", whole)
        assert status in (204, 400)


@VERSIONS
def test_row_32_empty_request(receiver, version):
    before = len(receiver.requests())
    empty = b"" if version == "v1" else receiver.encoder.two.Request(symbols=[""]).SerializeToString()
    for message in (b"", empty):
        assert receiver.post(version, message) == (204, "", (0, 0, 0))
    assert len(receiver.requests()) == before, "there is nothing to write"


@VERSIONS
def test_row_34_terminated_within_a_request(make_receiver, version):
    receiver = make_receiver()
    client, idle = RawClient(receiver.cirrus.port), RawClient(receiver.cirrus.port)
    idle.send(RawClient.request(version, receiver.body(version, one_series("row_34_idle"))))
    assert idle.answer()[0] == 204
    whole = RawClient.request(version, receiver.body(version, one_series("row_34")))
    client.send(whole[:-5])
    # Its head has been read when another request of the same loop is answered after it.
    assert requests.get(receiver.cirrus.url + "/livez", timeout=30).status_code == 200
    receiver.program.process.send_signal(signal.SIGTERM)
    assert idle.is_closed(), "a connection without a request is closed"
    client.send(whole[-5:])
    status, _, headers = client.answer()
    assert (status, headers["Connection"]) == (204, "close")
    assert client.is_closed()
    assert receiver.program.wait_end() == 0
    log = receiver.log("row_34")
    assert log.samples == samples_of(one_series("row_34") + one_series("row_34_idle"))


def test_limits_of_connections_and_headers(make_receiver):
    receiver = make_receiver(
        limits={"connections": 3, "header_bytes": "1Ki", "header_time": "500ms", "body_rate": "1Ki"}
    )
    held = [RawClient(receiver.cirrus.port) for _ in range(3)]
    extra = RawClient(receiver.cirrus.port)
    status, text, headers = extra.answer()
    assert status == 503 and "limits.connections is 3" in text and 1 <= int(headers["Retry-After"]) <= 30
    for client in [*held, extra]:
        client.close()
    client = wait_until(lambda: connect(receiver), "a free connection")
    client.send(RawClient.head("v1", "X-Long: " + "x" * 2000, length=0))
    status, text, _ = client.answer()
    assert status == 431 and "limits.header_bytes, 1024 bytes" in text
    client = wait_until(lambda: connect(receiver), "a free connection")
    client.send(RawClient.head("v1", length=100) + b"x")
    status, text, _ = client.answer()
    assert status == 408 and "limits.body_rate, 1024 bytes a second" in text


def connect(receiver):
    """A connection that is not over the limit: those that were closed may still be counted."""
    client = RawClient(receiver.cirrus.port)
    client.send(b"GET /livez HTTP/1.1\r\nHost: receiver\r\n\r\n")
    return client if client.answer()[0] == 200 else None


def test_the_answers_in_the_log_are_those_given(receiver):
    """Each request of the log says what its sender was told: a repeat after a restart is answered by it."""
    name = "answers"
    bad = [((("job", "x"),), [(NOW, 1.0)])]
    _, reason, _ = receiver.post("v1", receiver.body("v1", one_series(name) + bad))
    last = receiver.requests()[-1]
    assert (last["status"], last["rejected"], last["written"]["samples"]) == (400, 1, 2)
    assert last["reasons"].strip() == reason.split("\n", 1)[1].strip()
