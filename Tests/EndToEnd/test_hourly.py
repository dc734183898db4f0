"""`parquet.hourly`: what was received in one UTC hour is one plan, and one file an hour of samples and stream."""

import time
from collections import Counter

import pyarrow.parquet

from parquet_rows import read_rows, sample_files
from processes import wait_until
from remote_write import V1, Sender, snappy
from test_v2_sender import series_labels

HOUR = 3600


def send(cirrus, encoder, wall: int, names: range) -> list:
    """Requests that come a segment apart, each of a series: a sample of now, one of the hour before."""
    sent = []
    for number in names:
        now = int((time.time() + wall) * 1000)
        samples = [(now - HOUR * 1000, 1.0 + number), (now, 2.0 + number)]
        sent.append((series_labels(number, "hourly"), samples))
        assert Sender(cirrus.port).post(snappy(encoder.v1(sent[-1:])), V1)[0] == 204
        time.sleep(1.2)  # wal.segment_age of these tests is a second
    return sent


def plans(cirrus) -> list[list[str]]:
    """The segments with rows of each plan that is done, in order; a start may leave one without, and a plan of it."""
    done = sorted((cirrus.data / "wal").glob("*.done"), key=lambda path: int(path.stem.split("-")[0]))
    found = []
    for path in done:
        lines = [line.split() for line in path.read_text().split("crc32c")[0].splitlines()]
        found.append([line[1] for line in lines if line[0] == "segment" and line[2] != "0"])
    return [plan for plan in found if plan]


def test_an_hour_is_one_plan_and_its_files_are_one_an_hour(make_cirrus, encoder, wall_clock):
    cirrus = make_cirrus(parquet={"hourly": True})
    # Ten minutes into an hour, so that the test does not cross its end; of the past, since a shift ahead would lengthen
    # each wait of Dispatch's semaphores, whose deadlines glibc takes from the wall clock, by as much.
    now = int(time.time())
    wall = now // HOUR * HOUR - 2 * HOUR + 600 - now
    program = cirrus.start(env=wall_clock(wall))
    # The first request of a new volume is a file at once, for whoever waits to see one.
    sent = send(cirrus, encoder, wall, range(1))
    wait_until(lambda: len(sample_files(cirrus.destination)) == 2, "the first request's files")
    seen = set(sample_files(cirrus.destination))
    sent += send(cirrus, encoder, wall, range(1, 5))
    # More than `cost_max_interval`, which is to have no effect.
    time.sleep(3)
    assert plans(cirrus) == [["1"]] and set(sample_files(cirrus.destination)) == seen
    # Nor does a stop within the hour make files of a part of it.
    assert program.stop() == 0
    assert plans(cirrus) == [["1"]] and not list((cirrus.data / "outbox").iterdir())
    program = cirrus.start(env=wall_clock(wall + HOUR))
    sent += send(cirrus, encoder, wall + HOUR, range(5, 9))
    wait_until(lambda: len(sample_files(cirrus.destination)) >= 4, f"the hour's files\n{program.tail()}", 60)
    time.sleep(3)
    [_, first] = plans(cirrus)
    assert first == ["2", "3", "4", "5"], "all of the hour"
    made = set(sample_files(cirrus.destination)) - seen
    assert hours(made) == {hour_of(wall - HOUR): 1, hour_of(wall): 1}
    assert sum(row_count(file) for file in made) == 2 * 4
    cirrus.drain()
    [*_, second] = plans(cirrus)
    assert len(plans(cirrus)) == 3 and len(second) == 4
    made = set(sample_files(cirrus.destination)) - seen - made
    assert hours(made) == {hour_of(wall): 1, hour_of(wall + HOUR): 1}
    found = [(dict(labels)["__name__"], timestamp) for labels, timestamp, _ in read_rows(cirrus.destination)]
    wanted = [(dict(labels)["__name__"], timestamp) for labels, samples in sent for timestamp, _ in samples]
    assert sorted(found) == sorted(wanted)


def hour_of(wall: int) -> str:
    return time.strftime("dt=%Y-%m-%d/hr=%H", time.gmtime(time.time() + wall))


def hours(files) -> Counter:
    return Counter("/".join(file.parts[-3:-1]) for file in files)


def row_count(file) -> int:
    return pyarrow.parquet.ParquetFile(file).metadata.num_rows
