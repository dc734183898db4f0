"""`kill -9` of one process or both, at any instant, again and again under load: nothing is lost, nothing doubled."""

import os
import random
import signal
import subprocess
import time
from collections import Counter

from processes import answers, wait_until
from strace import CALLS, injecting
from truth import Load

KILLS = int(os.environ.get("CIRRUS_KILLS", 50))
THIRD = -(-KILLS // 3)
SEED = int(os.environ.get("CIRRUS_SEED", random.randrange(1 << 32)))
CALL_SECONDS = 2  # until a call is reached, if ever
FAST = {"wal": {"segment_age": "200ms"}, "database": {"cost_max_interval": "1s"}}


def kill_again_and_again(cirrus, load: Load, roles: list[str], kills: int, chance: random.Random) -> Counter[str]:
    """Each victim is restarted at once, and may be killed again before it is ready."""
    running = {role: cirrus.start(role) for role in roles}
    victims = Counter()
    for _ in range(kills):
        time.sleep(chance.uniform(0, 1.2))  # any instant will do: the kills are the test
        chosen = chance.choice([[role] for role in roles] + [roles])
        for role in chosen:
            load.note(f"kill {role}")
            running[role].kill()
        for role in chosen:
            running[role] = cirrus.spawn(role)
        victims["both" if len(chosen) > 1 else chosen[0]] += 1
    for role in roles:
        running[role].kill()
        cirrus.start(role)
    return victims


def killed_at(cirrus, load: Load, chance: random.Random) -> str:
    """Runs until one thread comes to its nth call of a kind."""
    call, n = chance.choice(list(CALLS)), 1 + int(chance.expovariate(1 / 4))
    load.note(f"kill before {call} {n}")
    program = cirrus.spawn(under=injecting(call, f"signal=SIGKILL:when={n}", cirrus.data))
    try:
        program.wait_end(CALL_SECONDS)
    except subprocess.TimeoutExpired:
        program.kill()
        return "elsewhere"
    assert program.process.returncode == -signal.SIGKILL, program.tail()
    return call


def summary(victims: Counter[str], verdict, load: Load) -> str:
    counts = ", ".join(f"{victim} {count}" for victim, count in sorted(victims.items()))
    return f"kills: {victims.total()} ({counts}), {verdict}, {load.seconds:.0f} s, seed {SEED}"


def test_collector_and_shipper(make_cirrus, encoder, bucket, summarize):
    cirrus = make_cirrus(**bucket.settings, **FAST)
    print(f"CIRRUS_SEED={SEED}")
    with Load(cirrus.port, encoder, SEED) as load:
        victims = kill_again_and_again(cirrus, load, ["collector", "shipper"], THIRD, random.Random(SEED))
        summarize(summary(victims, load.check(cirrus, bucket.folder), load))


def test_one_process(make_cirrus, encoder, summarize):
    cirrus = make_cirrus(**FAST)
    print(f"CIRRUS_SEED={SEED}")
    with Load(cirrus.port, encoder, SEED) as load:
        victims = kill_again_and_again(cirrus, load, ["run"], THIRD, random.Random(SEED))
        summarize(summary(victims, load.check(cirrus), load))


def test_between_two_system_calls(make_cirrus, encoder, summarize):
    """Random instants seldom meet the steps of a publication; these do."""
    cirrus = make_cirrus(**FAST)
    print(f"CIRRUS_SEED={SEED}")
    chance = random.Random(SEED)
    with Load(cirrus.port, encoder, SEED) as load:
        victims = Counter(killed_at(cirrus, load, chance) for _ in range(THIRD))
        cirrus.start()
        summarize(summary(victims, load.check(cirrus), load))


def test_a_service_ends_from_the_instant_it_is_ready(make_cirrus):
    """A signal that comes while the service is about to wait for one is not lost."""
    cirrus = make_cirrus()
    for _ in range(30):
        service = cirrus.spawn()
        wait_until(lambda: answers(f"{cirrus.url}/readyz"), "a ready service", every=0.0005)
        assert service.stop() == 0, service.tail()
