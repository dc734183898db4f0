"""Every fault of the upload API and the bucket, with a shipper that stays up and with one that is killed in the middle.

Each case is an installation with some files and a server (fault_api.py) that misbehaves a few times and then behaves.
At the end of each, whatever happened:
- every file is one object under its own key with its own bytes, the outbox is empty, `uploaded/` has the files;
- there was no storm: each file costs one PUT, each batch one allocate call, each fault answered at most two requests
  more (what it spoiled, and an allocate call), each kill at most an allocate call and a PUT a file; what a case needs
  beyond that is its `extra`;
- nothing went where a redirect pointed, and no PUT had a header that was not signed;
- the ledger's history explains it: moves of the table only, without a gap, up to the row's state, and no PUT without
  a move to `uploading`; the URL is wiped.
"""

import sqlite3
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from cirrus import Cirrus
from fault_api import API_KEY, FaultAPI
from fault_cases import Case, cases, wrong_key_of_api
from parquet_rows import files_below
from s3_servers import put_in_outbox

CASE_SECONDS = 60
WORKERS = 8
NEXT_STATES = {  # docs/formats/ledger.md
    None: {"discovered", "uploaded"},
    "discovered": {"allocated", "uploading", "failed", "quarantined", "abandoned"},
    "allocated": {"allocated", "uploading", "failed", "quarantined", "abandoned"},
    "uploading": {"discovered", "allocated", "uploading", "uploaded", "failed", "quarantined"},
    "uploaded": {"allocated", "discovered", "purging"},
    "failed": {"discovered", "allocated", "uploading", "failed", "quarantined", "abandoned"},
}


class Run:
    """One case: an installation, its side of the server, its shipper."""

    def __init__(self, case: Case, server: FaultAPI, home, killed: bool):
        self.case, self.killed, self.kills = case, killed, 0
        self.side = server.side(home.name)
        self.side.faults |= {"upload": list(case.upload), "put": list(case.put), "abandon": list(case.abandon)}
        if case.during is wrong_key_of_api:
            self.side.api_key = "rotated-canary"
        self.side.kill = case.kill if killed else None
        home.mkdir()
        (home / "api-key").write_text(API_KEY + "\n")
        self.side.is_presigned = not case.is_s3
        destination = {"kind": "cloudzero"}
        if case.is_s3:
            destination = {"kind": "s3", "bucket": home.name, "prefix": "bucket", "path_style": True}
            destination["endpoint"] = f"http://{server.host}"
        self.cirrus = Cirrus(home, destination=destination, cloudzero={
            "api_key_path": str(home / "api-key"), "host": f"{server.host}/{home.name}", "use_http": True,
            "send_interval": "1s", "http_max_wait": "100ms", "send_timeout": "1s",
        })  # fmt: skip
        self.sent = dict(put_in_outbox(self.cirrus.data, number, case.byte_count) for number in range(case.files))
        self.bad = ""
        if case.damaged:
            self.bad, _ = put_in_outbox(self.cirrus.data, 1000)
            (self.cirrus.data / "outbox" / self.bad).write_bytes(b"other bytes")
        self.waits_for_later = case.later
        self.lost_ledger = False
        self.retried = 0.0

    def start(self):
        keys = {"AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "secret-canary"}
        self.program = self.cirrus.spawn("shipper", keys)
        self.side.pid = self.program.pid

    def outbox_is_empty(self) -> bool:
        return not any(self.cirrus.data.glob("outbox/*"))

    def is_over(self) -> bool:
        if not self.outbox_is_empty():
            return False
        if self.waits_for_later:
            self.waits_for_later = False
            self.sent |= [put_in_outbox(self.cirrus.data, 2000)]
            return False
        # A replay of a delivered file shows in the ledger only: the file is in uploaded/ all the while.
        states = self._states()
        delivered = all(states.get(key) == "uploaded" for key in self.sent)
        return delivered and len(set(self.side.abandoned)) >= self.case.abandoned

    def _states(self) -> dict[str, str]:
        if not (self.cirrus.data / "ledger.sqlite").exists():
            return {}
        with sqlite3.connect(f"file:{self.cirrus.data}/ledger.sqlite?mode=ro", uri=True, timeout=20) as ledger:
            try:
                return dict(ledger.execute("SELECT file, state FROM shipment"))
            except sqlite3.OperationalError:
                return {}  # a hot journal of a shipper that was killed

    def run(self) -> list[str]:
        self.start()
        deadline = time.monotonic() + CASE_SECONDS
        while not self.is_over():
            if time.monotonic() > deadline:
                return [f"not done in {CASE_SECONDS} s: {self._states()} {self.side.requests[-5:]} {self._tail()}"]
            self.case.during(self)
            if not self.program.running:
                if not self.killed or self.program.process.returncode != -9 or self.kills > 1:
                    return [f"the shipper ended with {self.program.process.returncode}: {self._tail()}"]
                self.kills += 1
                self.start()
            self._retry()
            time.sleep(0.03)
        return self.faults()

    def _retry(self):
        """What an operator does who sees files wait out their back-off."""
        now = time.monotonic()
        if now - max(self.side.last_request, self.retried) > 0.6 and not self.outbox_is_empty():
            self.cirrus.command("retry", "--state", "failed", "--config", self.cirrus.config)
            self.retried = time.monotonic()

    def _tail(self) -> str:
        return self.program.tail(4)

    def faults(self) -> list[str]:
        side, case = self.side, self.case
        requests = len(side.requests)
        code = self.program.stop()
        found = side.violations + [f"trapped: {request}" for request in side.trapped]
        if code != 0:
            found.append(f"the shipper's exit status is {code}: {self._tail()}")
        if self.killed and self.kills == 0:
            found.append("the shipper was never killed")
        objects = side.content()
        if case.is_s3:
            objects = {key.rsplit("/", 1)[-1]: content for key, content in objects.items()}
        if objects != self.sent or len(objects) != len(side.objects):
            found.append(f"objects {sorted(side.objects)} of files {sorted(self.sent)}, or their bytes differ")
        kept = {file.name: file.read_bytes() for file in files_below(self.cirrus.data / "uploaded")}
        if kept != self.sent:
            found.append(f"uploaded/ has {sorted(kept)}")
        if len(set(side.abandoned)) != case.abandoned:
            found.append(f"abandoned {side.abandoned}")
        batch = 1 + case.files // 200
        bound = batch + len(self.sent) + case.later + 2 * side.served + self.kills * (batch + len(self.sent))
        if requests > bound + case.extra:
            found.append(f"{requests} requests, at most {bound} + {case.extra}: {Counter(k for k, _ in side.requests)}")
        return found + self._history_faults()

    def _history_faults(self) -> list[str]:
        found = []
        puts = Counter({key.rsplit("/", 1)[-1]: count for key, count in self.side.whole.items()})
        # Of whole ones: libcurl by itself sends again on a new connection what a reused one did not take
        with sqlite3.connect(self.cirrus.data / "ledger.sqlite") as ledger:
            rows = ledger.execute("SELECT file, state, url, receipt_status FROM shipment").fetchall()
            for file, state, url, receipt in rows:
                query = "SELECT from_state, to_state, detail FROM history WHERE file = ? ORDER BY id"
                moves = ledger.execute(query, [file]).fetchall()
                pairs = [(before, after) for before, after, _ in moves]
                chained = all(a[1] == b[0] for a, b in zip(pairs, pairs[1:], strict=False)) and pairs[0][0] is None
                if not chained or pairs[-1][1] != state or any(b not in NEXT_STATES.get(a, ()) for a, b in pairs):
                    found.append(f"history of {file}, now {state}: {pairs}")
                begun = sum(after == "uploading" for _, after in pairs)
                if puts[file] > begun and not self.lost_ledger:
                    found.append(f"{puts[file]} PUTs of {file}, the history knows of {begun}: {moves}")
                expected = "quarantined" if file == self.bad else "uploaded"
                if state != expected or url is not None or (state == "uploaded" and (receipt or 0) // 100 != 2):
                    if not (self.lost_ledger and state == expected and url is None):
                        found.append(f"{file} ends {state} with receipt {receipt}")
            if {row[0] for row in rows} != self.sent.keys() | ({self.bad} - {""}):
                found.append(f"rows of {len(rows)} files for {len(self.sent)}")
            if ledger.execute("SELECT count(*) FROM abandonment").fetchone() != (0,):
                found.append("the ledger still has ids to abandon")
        return found


@pytest.mark.parametrize("mode", ["up", "killed"])
def test_every_fault(tmp_path, summarize, mode):
    server = FaultAPI()
    runs: list[Run] = []

    def run(entry: tuple[int, Case]) -> tuple[str, list[str]]:
        number, case = entry
        made = Run(case, server, tmp_path / f"{mode}-{number}", mode == "killed")
        runs.append(made)
        try:
            return case.name, made.run()
        except Exception as error:  # one broken case hides no other
            return case.name, [repr(error)]
        finally:
            made.cirrus.kill()

    start = time.monotonic()
    all_cases = cases()
    assert len(all_cases) >= 60 and len({case.name for case in all_cases}) == len(all_cases)
    with ThreadPoolExecutor(WORKERS) as pool:
        results = list(pool.map(run, enumerate(all_cases)))
    server.stop()
    assert server.errors == []
    bad = {name: faults for name, faults in results if faults}
    requests, objects = (sum(len(x) for x in part) for part in
                         ([made.side.requests for made in runs], [made.side.objects for made in runs]))  # fmt: skip
    summarize(
        f"upload faults, shipper {mode}: {len(all_cases)} cases, {requests} requests, {objects} objects, "
        f"{len(bad)} violations, {time.monotonic() - start:.0f} s"
    )
    assert bad == {}, "\n" + "\n".join(f"{name}: {faults}" for name, faults in bad.items())
