"""System calls of the real program fail, or take a second: strace answers them in the kernel's place.

Whatever fails, and however often: no trap, no hang, a clear word when the start is refused, and afterwards nothing is
lost and nothing doubled.
"""

import itertools
import os
import random
import time
from collections import Counter

import pytest
import requests

from processes import answers, wait_until
from strace import CALLS, injecting
from truth import Load

INJECTIONS = int(os.environ.get("CIRRUS_INJECTIONS", 48))
SEED = int(os.environ.get("CIRRUS_SEED", random.randrange(1 << 32)))
FAST = {"wal": {"segment_age": "200ms"}, "database": {"cost_max_interval": "1s"}}
ERRORS = ["EIO", "ENOSPC", "EROFS", "EDQUOT"]
# Each thread counts its own calls: the first, some, every third, all from there on.
OCCURRENCES = ["{n}", "{n}..{m}", "{n}+3", "{n}+"]
OUTCOME_SECONDS, RESUME_SECONDS = 20, 10
SENDERS, SLOW_SYNCS = 16, 6


def run_with(cirrus, load: Load, name: str, fault: str, chance: random.Random) -> str:
    """Runs the service for a while with `fault`, ends it, and says how it went."""
    load.note(f"{name}:{fault}")
    log_begin = len(log_text(cirrus))
    program = cirrus.spawn(under=injecting(name, fault, cirrus.data))
    what = f"{name}:{fault}, seed {SEED}"
    wait_until(lambda: not program.running or answers(cirrus.url + "/livez"), what, OUTCOME_SECONDS)
    time.sleep(chance.uniform(0.5, 1.5))  # any instant will do
    if not program.running:
        said = log_text(cirrus)[log_begin:].splitlines()
        assert program.process.returncode > 0, f"{what}: ended by {program.process.returncode}\n{program.tail(12)}"
        assert "cannot " in said[-1], f"{what}: no clear word\n{program.tail(12)}"
        return "refused to start"
    assert answers(cirrus.url + "/livez"), f"{what}: hangs\n{program.tail(12)}"
    if "+" not in fault:
        before = load.samples
        wait_until(lambda: load.samples > before, f"{what}: a 2xx after the fault is over", RESUME_SECONDS)
    if chance.random() < 0.5:
        program.kill()
        return "killed"
    status = program.stop()
    assert status >= 0, f"{what}: ended by {status}\n{program.tail(12)}"
    return "stopped"


def log_text(cirrus) -> str:
    log = cirrus.home / "run.log"
    return log.read_text(errors="replace") if log.exists() else ""


@pytest.mark.parametrize("name", CALLS)
def test_failing(name, make_cirrus, encoder, summarize):
    print(f"CIRRUS_SEED={SEED}")
    cirrus = make_cirrus(**FAST)
    chance = random.Random(f"{SEED} {name}")
    runs = max(1, INJECTIONS // len(CALLS))
    faults = itertools.cycle(itertools.product(OCCURRENCES, chance.sample(ERRORS, 2)))
    ends = Counter()
    if chance.random() < 0.5:  # else the faults meet the making of the volume too
        cirrus.start().kill()
    with Load(cirrus.port, encoder, SEED) as load:
        for occurrences, error in itertools.islice(faults, runs):
            n = chance.randint(1, 12)
            when = occurrences.format(n=n, m=n + chance.randint(1, 5))
            ends[run_with(cirrus, load, name, f"error={error}:when={when}", chance)] += 1
        cirrus.start()
        verdict = load.check(cirrus)
        counts = ", ".join(f"{end} {count}" for end, count in sorted(ends.items()))
        summarize(f"failing {name}: {runs} runs ({counts}), {verdict}, {load.seconds:.0f} s, seed {SEED}")


def test_a_failing_device_does_not_fill_the_volume(make_cirrus, encoder):
    """Segments that cannot be made durable leave nothing behind, however often they are tried."""
    cirrus = make_cirrus(wal={"segment_age": "200ms", "segment_bytes": "64Ki"})
    cirrus.start(under=injecting("fsync", "error=EIO:when=12+"))
    with Load(cirrus.port, encoder, SEED) as load:
        wait_until(lambda: load.failures.total() >= 50, "50 refused requests")
        prepared = list((cirrus.data / "wal").glob("prep-*"))
        assert len(prepared) <= 1, f"{len(prepared)} prepared segments after {load.failures.total()} refusals"


def metric(cirrus, name: str) -> float:
    for line in requests.get(cirrus.url + "/metrics", timeout=30).text.splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    raise KeyError(name)


def test_a_slow_disk_slows_only_the_answers(make_cirrus, encoder, summarize):
    """With a second a sync, each sync answers all who waited for it: two in a row answer every sender."""
    cirrus = make_cirrus(database={"cost_max_interval": "1h"}, wal={"segment_age": "1h"})
    program = cirrus.start(under=injecting("fdatasync", "delay_exit=1000000"))
    with Load(cirrus.port, encoder, SEED, senders=SENDERS, requests_per_second=0) as load:
        syncs = "cirrus_wal_group_records_count"
        wait_until(lambda: metric(cirrus, syncs) >= SLOW_SYNCS, f"{SLOW_SYNCS} syncs", 60)
        count, answered = metric(cirrus, syncs), metric(cirrus, "cirrus_wal_group_records_sum")
        assert metric(cirrus, "cirrus_wal_fsync_seconds_sum") >= count, "no sync was slow"
        assert 2 * answered >= SENDERS * (count - 1), f"{answered} requests by {count} syncs of {SENDERS} senders"
        assert min(load.requests) >= (SLOW_SYNCS - 2) // 2, f"a sender was passed over: {load.requests}"
        assert not load.failures, load.failures
        program.kill()
        cirrus.start()
        verdict = load.check(cirrus)
        summarize(f"slow disk: {answered:.0f} requests by {count:.0f} syncs of 1 s, {SENDERS} senders; {verdict}")
