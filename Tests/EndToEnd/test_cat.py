"""`czctl cat`: every value of the log, on a volume that runs, was killed or is stopped."""

import json
import re
import subprocess

import pytest
import yaml

from parquet_rows import files_below
from processes import clean_environment, czctl_path, wait_until
from receiver import NOW, Receiver, labels, samples_of
from remote_write import STALE, Sender, from_bits, snappy
from test_receiver import QUIET, one_series


@pytest.fixture
def receiver(make_cirrus, encoder):
    return Receiver(make_cirrus(**QUIET), encoder)


def everything(encoder) -> bytes:
    """One of each kind, and text that must be escaped."""
    request = encoder.two.Request(symbols=[""])

    def refs(*texts: str) -> list[int]:
        for text in texts:
            if text not in list(request.symbols):
                request.symbols.append(text)
        return [list(request.symbols).index(text) for text in texts]

    one = request.timeseries.add(labels_refs=refs("__name__", "golden_total", "path", 'a"b\\c\nd\x1b'))
    one.samples.add(value=0.1, timestamp=NOW, start_timestamp=NOW - 1000)
    one.samples.add(value=-0.0, timestamp=NOW + 1)
    one.samples.add(value=1e300, timestamp=NOW + 2)
    one.samples.add(value=STALE, timestamp=NOW + 3)
    one.samples.add(value=from_bits(0x7FF8000000000001), timestamp=NOW + 4)
    one.samples.add(value=float("-inf"), timestamp=-5)
    one.exemplars.add(labels_refs=refs("trace_id", "abc"), value=2.5, timestamp=NOW)
    help_ref, unit_ref = refs("A counter.", "bytes")
    one.metadata.type, one.metadata.help_ref, one.metadata.unit_ref = 1, help_ref, unit_ref
    two = request.timeseries.add(labels_refs=refs("__name__", "golden.µ"))
    two.histograms.add(
        count_int=9, sum=7.5, schema=3, zero_threshold=0.001, zero_count_int=3, timestamp=NOW, reset_hint=2,
        positive_spans=[{"offset": -2, "length": 1}, {"offset": 3, "length": 1}], positive_deltas=[2, 1],
        negative_spans=[{"offset": 0, "length": 1}], negative_deltas=[1], start_timestamp=NOW - 9,
    )  # fmt: skip
    two.histograms.add(
        count_float=1.5, sum=STALE, schema=-53, timestamp=NOW + 1, custom_values=[-0.5, 2],
        positive_spans=[{"offset": 0, "length": 3}], positive_counts=[0.5, 0, 1],
    )  # fmt: skip
    return request.SerializeToString()


# A line that begins with spaces goes on the one before.
GOLDEN_TEXT = r"""
# request segment=S offset=O lsn=L received=R protocol=v2 fingerprint=F status=204 samples=6
    histograms=2 exemplars=1 metadata=1 rejected=0 filtered=0
golden_total{path="a\"b\\c\nd\u001b"} 0.1 @1782900000000 start=1782899999000
golden_total{path="a\"b\\c\nd\u001b"} -0 @1782900000001
golden_total{path="a\"b\\c\nd\u001b"} 1e+300 @1782900000002
golden_total{path="a\"b\\c\nd\u001b"} NaN @1782900000003 bits=0x7ff0000000000002 stale
golden_total{path="a\"b\\c\nd\u001b"} NaN @1782900000004 bits=0x7ff8000000000001
golden_total{path="a\"b\\c\nd\u001b"} -Inf @-5
histogram "golden.µ"{} schema=3 count=9 sum=7.5 zero_threshold=0.001 zero_count=3
    negative_spans=[0:1] negative_deltas=[1] positive_spans=[-2:1,3:1] positive_deltas=[2,1]
    reset_hint=no start=1782899999991 @1782900000000
histogram "golden.µ"{} schema=-53 count=1.5 sum=NaN sum_bits=0x7ff0000000000002 zero_threshold=0
    zero_count=0 positive_spans=[0:3] positive_counts=[0.5,0,1] custom_values=[-0.5,2]
    reset_hint=unknown @1782900000001
exemplar golden_total{path="a\"b\\c\nd\u001b"} # {trace_id="abc"} 2.5 @1782900000000
metadata golden_total type=counter help="A counter." unit="bytes"
""".lstrip().replace("\n    ", " ")

GOLDEN_SAMPLE = (
    r'{"kind":"sample","labels":{"__name__":"golden_total","path":"a\"b\\c\nd\u001b"},'
    r'"timestamp":1782900000003,"value":"NaN","bits":"7ff0000000000002","stale":true,"streams":["cost"]}'
)


def test_golden_output(receiver, encoder):
    # The first batch of a volume is compacted at once, and gone from the log then.
    wait_until(lambda: list(receiver.cirrus.data.glob("wal/*.done")), "the first batch's file")
    body = everything(encoder)
    assert receiver.post("v2", body) == (204, "", (6, 2, 1))
    result = receiver.cirrus.command("cat", "--data", receiver.cirrus.data, "--metric", "golden_total")
    other = receiver.cirrus.command("cat", "--data", receiver.cirrus.data)
    assert (result.returncode, other.returncode) == (0, 0), result.stderr
    text = re.sub(r"segment=\d+ offset=\d+ lsn=\d+ received=\S+", "segment=S offset=O lsn=L received=R", other.stdout)
    text = re.sub(r"fingerprint=[0-9a-f]{32}", "fingerprint=F", text)
    golden = GOLDEN_TEXT.splitlines(keepends=True)
    assert text[text.rindex("# request") :] == GOLDEN_TEXT
    ours = [line for line in golden if "golden_total" in line]
    assert result.stdout.splitlines(keepends=True)[1:] == ours, "--metric: its values, after their request"
    lines = receiver.cirrus.command("cat", "--data", receiver.cirrus.data, "-o", "json").stdout.splitlines()
    assert GOLDEN_SAMPLE in lines
    kinds = [json.loads(line)["kind"] for line in lines]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "request": 1, "sample": 6, "histogram": 2, "exemplar": 1, "metadata": 1,
    }  # fmt: skip


def test_running_killed_and_stopped(receiver):
    series = [(labels("states", n=str(n)), [(NOW + n, n / 2)]) for n in range(50)]
    for one in series:
        assert receiver.post("v1", receiver.body("v1", [one]))[0] == 204
    running = receiver.log("states")
    assert running.samples == samples_of(series)
    receiver.program.kill()
    assert receiver.log("states") == running
    receiver.program = receiver.cirrus.start("collector")
    receiver.program.stop()
    assert receiver.log("states") == running
    segments = (receiver.cirrus.data / "wal").glob("*.wal")
    (path,) = [path for path in segments if b"states" in path.read_bytes()]
    named = receiver.cirrus.command("cat", path)
    assert named.returncode == 0 and named.stdout.count("\nstates{") == 50


def test_kept_segments(make_cirrus, encoder, tmp_path):
    """Kept aside for its histograms where no destination takes their files; they become files where one does."""
    cirrus = make_cirrus(database={"cost_max_interval": "1h"}, wal={"segment_age": "1h"})
    program = cirrus.start("collector")
    request = encoder.one.WriteRequest()
    for name in ("first", "kept"):  # the first batch of a volume is compacted at once
        request.ParseFromString(encoder.v1(one_series(name)))
        if name == "kept":
            request.timeseries[0].histograms.add(timestamp=NOW)
        assert Sender(cirrus.port).post(snappy(request.SerializeToString()))[0] == 204
        wait_until(lambda: files_below(cirrus.data / "outbox"), "the first file")
    program.kill()
    both = cirrus.config.read_text()
    (tmp_path / "key").write_text("key")
    settings = yaml.safe_load(both) | {"destination": {"kind": "cloudzero"}}
    settings["cloudzero"] = {"api_key_path": str(tmp_path / "key"), "host": "127.0.0.1:9", "use_http": True}
    cirrus.config.write_text(yaml.safe_dump(settings))
    program = cirrus.start("collector")
    assert cirrus.command("flush", "--config", cirrus.config).returncode == 0
    (kept,) = (cirrus.data / "wal").glob("*.kept")
    for arguments in (["--data", cirrus.data], [kept]):
        result = cirrus.command("cat", *arguments)
        assert result.returncode == 0, result.stderr
        assert 'histogram kept{job="a"} ' in result.stdout
    assert cirrus.status()["log"]["kept"]["segments"] == 1
    program.kill()
    cirrus.config.write_text(both)
    cirrus.start("run")
    cirrus.drain()
    assert not list((cirrus.data / "wal").glob("*.kept"))
    kinds = sorted(file.name.split("_")[0] for file in files_below(cirrus.destination))
    assert kinds == ["histograms", "metrics", "metrics"]
    balance = cirrus.status()["balance"][0]
    assert balance["total"] == balance["uploaded"] == 2 * len(one_series("x")[0][1])


def test_a_copy_goes_with_its_reader(receiver, tmp_path):
    """A kept segment is read from a copy, which is nobody's once `head` has what it wanted."""
    for n in range(10):
        series = [(labels("many", n=str(n)), [(NOW + at, 1.0) for at in range(1000)])]
        assert receiver.post("v1", receiver.body("v1", series))[0] == 204
    receiver.program.stop()
    segment = max((receiver.cirrus.data / "wal").glob("*.wal"), key=lambda path: b"many" in path.read_bytes())
    kept, copies = tmp_path / f"{segment.stem}.kept", tmp_path / "copies"
    kept.write_bytes(segment.read_bytes())
    copies.mkdir()
    environment = clean_environment() | {"TMPDIR": str(copies)}
    with subprocess.Popen([czctl_path(), "cat", kept], stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout.readline()
        process.stdout.close()
    assert process.returncode == 0 and list(copies.iterdir()) == []


def test_damage_is_told_and_the_rest_printed(receiver):
    series = [(labels("damaged", n=str(n)), [(NOW + n, n / 2)]) for n in range(3)]
    for one in series:
        assert receiver.post("v1", receiver.body("v1", [one]))[0] == 204
    receiver.program.kill()
    path = max((receiver.cirrus.data / "wal").glob("*.wal"))
    offset = [r["offset"] for r in receiver.requests() if r["segment"] == int(path.stem)][1]
    data = bytearray(path.read_bytes())
    data[offset + 45] ^= 0x10
    path.write_bytes(data)
    result = receiver.cirrus.command("cat", "--data", receiver.cirrus.data, "-o", "json")
    assert result.returncode == 7 and "damaged in 1 place" in result.stderr
    values = [json.loads(line) for line in result.stdout.splitlines()]
    assert [v["value"] for v in values if v["kind"] == "sample" and v["timestamp"] > NOW] == ["1"]


def test_what_cannot_be_read(receiver, tmp_path):
    def fails(*arguments) -> tuple[int, str]:
        result = receiver.cirrus.command("cat", *arguments)
        assert result.stdout == ""
        return result.returncode, result.stderr

    assert fails(tmp_path / "none.wal")[0] == 4
    (tmp_path / "x.wal").write_bytes(b"x")
    status, text = fails(tmp_path / "x.wal")
    assert status == 2 and "its name is not <20 digits>.wal or .kept" in text
    status, text = fails(tmp_path / "part.parquet")
    assert status == 4 and "no such file" in text
    status, text = fails("--where", "job=a")
    assert status == 2 and "are for Parquet files" in text
    assert fails("--data", tmp_path / "nowhere")[0] == 4
    shown = receiver.cirrus.command("cat", "--help").stdout
    assert shown.count("czctl cat") >= 3


def test_a_reader_that_stops_early(receiver):
    """`| head` ends it without a word."""
    series = [(labels("much", n=str(n)), [(NOW + i, 1.0) for i in range(100)]) for n in range(100)]
    assert receiver.post("v1", receiver.body("v1", series))[0] == 204
    script = f"set -o pipefail; {czctl_path()} cat --data {receiver.cirrus.data} | head -2"
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert len(result.stdout.splitlines()) == 2 and result.stderr == "" and result.returncode == 0
