"""The power is cut at any instant, on a real ext4 under load: nothing is lost, nothing doubled.

The cut is the file system's own shutdown: what was not synced is gone, be it data, names or removed names. From the cut
on nobody hears the service, as if the machine were off: ext4 may return 0 from an `fdatasync` that the shutdown
overtakes (a bare loop of pwrite and fdatasync finds its last block missing in one cut of fifteen).
"""

import os
import random
import time
from collections import Counter

from processes import wait_until
from strace import injecting
from truth import Load
from volume import DROP_JOURNAL, KEEP_JOURNAL, Volume

CUTS = int(os.environ.get("CIRRUS_CUTS", 100))
SEED = int(os.environ.get("CIRRUS_SEED", random.randrange(1 << 32)))
CUTS_BETWEEN_CHECKS = 10
VOLUME_MEBIBYTES = 256
FAST = {"wal": {"segment_age": "200ms", "segment_bytes": "1Mi"}, "database": {"cost_max_interval": "1s"}}


def cut(cirrus, volume: Volume, load: Load, chance: random.Random) -> str:
    """One cut and the volume as it is after it; the processes are dead."""
    flag = chance.choice([KEEP_JOURNAL, DROP_JOURNAL])
    load.note(f"cut, {'journal kept' if flag == KEEP_JOURNAL else 'journal dropped'}")
    with load.unheard():
        volume.cut_power(flag)
        time.sleep(chance.uniform(0, 0.05))  # the service meets errors for a while
        cirrus.kill()
    volume.unmount()
    volume.mount()
    return "journal kept" if flag == KEEP_JOURNAL else "journal dropped"


def cut_again_and_again(cirrus, volume: Volume, load: Load, roles: list[str], chance: random.Random) -> Counter[str]:
    """Half of the cuts before the processes are ready, or soon after."""
    flags = Counter()
    for number in range(CUTS // 2):
        for role in roles:
            cirrus.spawn(role)
        time.sleep(chance.choice([chance.uniform(0, 0.3), chance.uniform(0.3, 2)]))
        flags[cut(cirrus, volume, load, chance)] += 1
        if number % CUTS_BETWEEN_CHECKS == 0:
            volume.unmount()
            volume.check()
            volume.mount()
    for role in roles:
        cirrus.start(role)
    return flags


def check_cut(cirrus, volume, encoder, roles: list[str], summarize, folder=None):
    print(f"CIRRUS_SEED={SEED}")
    with Load(cirrus.port, encoder, SEED) as load:
        flags = cut_again_and_again(cirrus, volume, load, roles, random.Random(SEED))
        verdict = load.check(cirrus, folder)
        summarize(
            f"power cuts: {flags.total()} ({', '.join(f'{flag} {count}' for flag, count in sorted(flags.items()))}),"
            f" {verdict}, {load.seconds:.0f} s, seed {SEED}"
        )


def test_to_a_directory_on_the_same_volume(make_volume, make_cirrus, encoder, summarize):
    """What the destination holds was synced there too."""
    volume = make_volume(VOLUME_MEBIBYTES)
    cirrus = make_cirrus(destination={"kind": "directory"}, **FAST)
    cirrus.destination = cirrus.data / "shipped"
    check_cut(cirrus, volume, encoder, ["run"], summarize)


def test_to_a_bucket(make_volume, make_cirrus, encoder, bucket, summarize):
    """The bucket keeps what it received, though the volume may forget that it was sent."""
    volume = make_volume(VOLUME_MEBIBYTES)
    cirrus = make_cirrus(**bucket.settings, **FAST)
    check_cut(cirrus, volume, encoder, ["collector", "shipper"], summarize, bucket.folder)


def test_a_missing_sync_is_noticed(make_volume, make_cirrus, encoder):
    """The test can fail: a log whose `fdatasync` does nothing loses what it acknowledged."""
    volume = make_volume(VOLUME_MEBIBYTES)
    cirrus = make_cirrus(database={"cost_max_interval": "1h"}, wal={"segment_age": "1h"})
    cirrus.start(under=injecting("fdatasync", "retval=0"))
    with Load(cirrus.port, encoder, SEED) as load:
        wait_until(lambda: min(load.requests) >= 20, "20 acknowledged requests of each sender")
        cut(cirrus, volume, load, random.Random(SEED))
        cirrus.start()
        load.finish()
    cirrus.drain()
    verdict = load.judge(cirrus.destination)
    assert len(verdict.lost) > 100, verdict.details()
    assert not verdict.unknown, verdict.details()
