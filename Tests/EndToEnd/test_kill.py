"""`kill -9` again and again under load: what was acknowledged is in the files once."""

import json
import random
import subprocess
import time

from parquet_rows import files_below, read_rows
from processes import clean_environment, czctl_path

SAMPLES = 200_000
KILLS = 8


def test_killed_under_load_loses_and_doubles_nothing(make_cirrus):
    cirrus = make_cirrus(logging={"level": "warn"})
    program = cirrus.start()
    sender = subprocess.Popen(
        [
            czctl_path(), "send", "--generate", str(SAMPLES), "--series", "500", "--batch", "250", "--rate", "15000",
            "--connections", "4", "--retry-for", "60", "--url", cirrus.write_url, "-o", "json",
        ],
        stdout=subprocess.PIPE, text=True, env=clean_environment(),
    )  # fmt: skip
    chance = random.Random(1)
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.2, 1.2))  # any instant will do: the kills are the test
        program.kill()
        program = cirrus.start()
    report = json.loads(sender.communicate(timeout=120)[0])
    assert (report["requests_failed"], report["requests_rejected"]) == (0, 0), report
    assert report["samples_written"] == SAMPLES
    assert report["retries"] > 0, "no request met a dead service"
    cirrus.drain()
    rows = read_rows(cirrus.destination)
    assert len(rows) == SAMPLES
    assert len({(row[0], row[1]) for row in rows}) == SAMPLES
    assert files_below(cirrus.data / "outbox") == []
