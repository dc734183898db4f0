"""What the original's quick start and the documentation tell people to type."""

import contextlib
import hashlib
import io
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import duckdb
import pytest

from processes import ROOT, Program, answers, clean_environment, czctl_path, free_port, wait_until
from remote_write import snappy
from test_receiver import one_series

PAGE = (ROOT / "docs/querying.md").read_text().split("## Layout `native`")[0]  # which has a test of its own


def send_files(url: str, *files) -> str:
    result = subprocess.run(
        [ROOT / "test/sendfiles.sh", *files],
        capture_output=True, text=True, timeout=60,
        env=clean_environment() | {"CZCTL": str(czctl_path()), "URL": url},
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture
def shipped(make_cirrus, encoder, tmp_path):
    cirrus = make_cirrus()
    cirrus.start("run")
    file = tmp_path / "one.snappy"
    file.write_bytes(snappy(encoder.v1(one_series("sent_from_a_file"))))
    # The three paths of remote write: ours, and the original's two.
    send_files(cirrus.write_url, file)
    send_files(cirrus.url + "/collector")
    send_files(cirrus.url + "/metrics?cluster_name=a&cloud_account_id=b&region=c", file)
    cirrus.drain()
    return cirrus


def test_sendfiles_and_the_queries_of_the_page(shipped):
    """Every DuckDB query of docs/querying.md runs on what test/sendfiles.sh sent."""
    queries = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    assert len(queries) == 4
    here = [query.replace("demo-data/shipped", str(shipped.destination)) for query in queries]
    with duckdb.connect() as connection:
        rows = [connection.sql(query).fetchall() for query in here]
    there, cpu, memory, repeated = rows
    samples = {name: count for name, count, *_ in there}
    # The file's two samples came twice, and are there once.
    assert sum(samples.values()) == 1000 + 2 and samples["sent_from_a_file"] == 2
    assert cpu and all(seconds >= 0 for _, _, seconds in cpu)
    assert memory and all(amount > 0 for *_, amount in memory)
    assert repeated == []


def unpack_image(archive, root) -> dict:
    """Lays the image out below `root`, each blob checked against its digest; its configuration."""
    with tarfile.open(archive) as image:

        def blob(descriptor: dict) -> bytes:
            content = image.extractfile("blobs/" + descriptor["digest"].replace(":", "/")).read()
            assert f"sha256:{hashlib.sha256(content).hexdigest()}" == descriptor["digest"]
            assert len(content) == descriptor["size"]
            return content

        assert json.load(image.extractfile("oci-layout")) == {"imageLayoutVersion": "1.0.0"}
        [described] = json.load(image.extractfile("index.json"))["manifests"]
        manifest = json.loads(blob(described))
        [layer] = manifest["layers"]
        media, _, compression = layer["mediaType"].partition("+")
        assert media == "application/vnd.oci.image.layer.v1.tar"
        unpacked = subprocess.run([compression, "-dc"], input=blob(layer), stdout=subprocess.PIPE, check=True).stdout
        configuration = json.loads(blob(manifest["config"]))
    assert configuration["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(unpacked).hexdigest()}"]
    with tarfile.open(fileobj=io.BytesIO(unpacked)) as files:
        files.extractall(root, filter="fully_trusted")
    return configuration


@pytest.mark.skipif(os.getuid() != 0, reason="an empty root needs root")
def test_the_image(tmp_path, programs):
    """As nobody, in a root that holds nothing but the image's layer and cannot be written: commands and the service."""
    root, port = tmp_path / "root", free_port()
    if archive := os.environ.get("CIRRUS_IMAGE"):
        archives = [archive]
    else:
        gathered = tmp_path / "gathered"
        subprocess.run([ROOT / "scripts/root_filesystem.sh", czctl_path(), gathered], check=True, timeout=120)
        archives = [tmp_path / "once.tar", tmp_path / "twice.tar"]
        for archive in archives:
            # By gzip: the program of the tests is large, and zstd would take minutes.
            pack = [ROOT / "scripts/oci_archive.py", gathered, archive, "--compression", "gzip"]
            subprocess.run(pack, check=True, timeout=240)
        assert archives[0].read_bytes() == archives[1].read_bytes()
    configuration = unpack_image(archives[0], root)
    assert configuration["config"]["User"] == "65534"
    assert configuration["config"]["Entrypoint"] == ["/cloudzero/app"]
    owners = {name: (root / name).stat().st_uid for name in ("cloudzero", "cloudzero/czctl", "cloudzero/data")}
    assert owners == {"cloudzero": 0, "cloudzero/czctl": 0, "cloudzero/data": 65534}
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, 65534, 65534)
    (root / "proc").mkdir()
    (root / "cloudzero/config/config.yml").write_text(
        f"{{cluster_name: image, server: {{address: 127.0.0.1, port: {port}}}, database: {{cost_max_interval: 1s}},"
        " wal: {segment_age: 1s}, cloudzero: {send_interval: 1s}, destination: {kind: directory}}\n"
    )
    mounts = [
        f"mount --bind {root} {root}",
        f"mount -o remount,bind,ro {root}",
        f"mount -t proc proc {root}/proc",
        f"mount -t tmpfs tmpfs {root}/tmp",
        f"mount --bind {data} {root}/cloudzero/data",
        f'exec chroot --userspec=65534:65534 {root} "$0" "$@"',
    ]
    enter = ["unshare", "--mount", "sh", "-ec", " && ".join(mounts)]

    def run(*command) -> str:
        result = subprocess.run([*enter, *command], capture_output=True, text=True, timeout=60)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    assert run("/cloudzero/app", "version") == run("/cloudzero/czctl", "version")
    assert "stopped" in run("/cloudzero/czctl", "status")
    service = Program([*enter, "/cloudzero/app", *configuration["config"]["Cmd"]], tmp_path / "service.log")
    programs.append(service)
    service.wait_ready(f"http://127.0.0.1:{port}/readyz")
    url = f"http://127.0.0.1:{port}/api/v1/write"
    run("/cloudzero/czctl", "send", "--url", url, "--generate", "1000", "--series", "100")
    wait_until(lambda: list(data.glob("shipped/**/*.parquet")), "a shipped file")
    assert json.loads(run("/cloudzero/czctl", "status", "-o", "json"))["state"] == "running"
    # With the configuration where the manifests mount it no command needs to be told anything.
    for command in ("flush", "ship", "drain"):
        run("/cloudzero/czctl", command)
    assert service.stop() == 0
    count = duckdb.sql(f"select count(*) from read_parquet('{data}/shipped/dt=*/**/*.parquet')").fetchall()
    assert count == [(1000,)]
    run("/cloudzero/czctl", "repair")


def anchors(text: str) -> set[str]:
    """As a forge makes them of headings."""
    titles = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_link_of_the_documents_leads_somewhere():
    documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    broken = []
    for document in documents:
        text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            path, _, anchor = link.partition("#")
            if link.startswith(("http://", "https://")):
                continue
            target = document.parent / path if path else document
            if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
                broken.append(f"{document.relative_to(ROOT)}: {link}")
    assert broken == []


def test_each_planted_bug_has_its_place_and_its_line_in_the_page():
    """Planting them takes an hour (`make planted`); that they can still be planted is seen here."""
    plant = [sys.executable, ROOT / "Tests/Planted/plant.py", "--list"]
    listed = subprocess.run(plant, capture_output=True, text=True, timeout=60)
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout in (ROOT / "docs/testing.md").read_text()


def test_a_demo_over_what_a_killed_one_left(tmp_path):
    """Rows that an earlier one left are shipped, and are none of the new one's balance."""
    demo = [czctl_path(), "demo", "--data", tmp_path / "demo", "--port", free_port()]
    first = Program([*demo, "--for", "60s"], tmp_path / "first.log")

    def waits() -> bool:
        status = subprocess.run(
            [czctl_path(), "status", "--data", tmp_path / "demo", "-o", "json"], capture_output=True, text=True
        )
        return status.returncode == 0 and json.loads(status.stdout)["log"]["rows"] > 0

    wait_until(waits, "rows in the log")
    first.process.kill()
    first.process.wait(timeout=60)
    second = subprocess.run([*map(str, demo), "--for", "2s"], capture_output=True, text=True, timeout=120)
    assert second.returncode == 0 and "Nothing lost." in second.stdout, second.stdout + second.stderr


def test_a_demo_takes_no_volume_but_a_demos(shipped, tmp_path):
    shipped.drain()
    shipped.programs[0].stop()
    told = shipped.command(*demo("--data", shipped.data, "--port", free_port(), "--for", "1s")[1:])
    assert told.returncode == 1 and "it is a volume, and no demo's" in told.stderr, told.stderr
    assert "Try: czctl demo --data OTHER_DIRECTORY" in told.stderr
    assert not (shipped.data / "DEMO").exists()
    # One that lost its VOLUME: what waits in it is somebody's.
    outbox = tmp_path / "restored" / "outbox"
    outbox.mkdir(parents=True)
    told = shipped.command(*demo("--data", outbox.parent, "--port", free_port(), "--for", "1s")[1:])
    assert told.returncode == 1 and "it is a volume, and no demo's" in told.stderr, told.stderr
    assert sorted(path.name for path in outbox.parent.iterdir()) == ["outbox"]
    arguments = demo("--data", tmp_path / "new", "--port", free_port(), "--for", "1s")[1:]
    for words in ([], ["of an earlier demo: this one adds to it"]):
        told = shipped.command(*arguments)
        assert told.returncode == 0 and told.stderr.count("earlier demo") == len(words), told.stderr


def test_an_interrupt_after_a_demos_time_is_heard(tmp_path):
    """What is left is sent then, which may take a while: nobody waits for the signal any more, and it ends at once."""
    data = tmp_path / "demo"
    program = Program(demo("--data", data, "--port", free_port(), "--for", "2s"), tmp_path / "log")
    wait_until(lambda: (data / "ledger.sqlite").exists() and "file  " in program.log.read_text(), "a delivered file")
    with sqlite3.connect(data / "ledger.sqlite", isolation_level=None, timeout=30) as ledger:
        ledger.execute("begin exclusive")  # the drain waits for it
        time.sleep(4)
        assert program.running, program.tail()
        program.process.send_signal(signal.SIGINT)
        assert program.wait_end(10) == 130


def demo(*arguments) -> list:
    return [czctl_path(), "demo", *map(str, arguments)]


def children(pid: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):  # it has ended
            if f"\nPPid:\t{pid}\n" in status.read_text():
                found.append(int(status.parent.name))
    return found


@pytest.mark.parametrize("extra", [[], ["--mock-api"]], ids=["directory", "mock"])
def test_a_demo_that_is_killed_again_and_again(tmp_path, extra):
    """The balance is of the files; another reader counts the same."""
    data = tmp_path / "demo"
    ended = subprocess.run(
        demo("--data", data, "--port", free_port(), "--kill", "--for", "8s", *extra),
        capture_output=True, text=True, timeout=120, env=clean_environment() | {"CLUSTER_NAME": "another"},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    line = r"accepted ([\d,]+) samples = ([\d,]+) rows in (\d+) files, (\d+) kills. Nothing lost."
    balance = re.search(line, ended.stdout)
    assert balance, ended.stdout + ended.stderr
    accepted, rows, files, kills = (int(number.replace(",", "")) for number in balance.groups())
    assert accepted == rows > 1000 and kills >= 1 and ended.stdout.count("kill -9 ") == kills
    folder = data / ("mock-bucket" if extra else "shipped")
    found = list(folder.rglob("*.parquet"))
    counted = duckdb.sql(
        "select count(*), count(distinct (labels, timestamp)), min(cluster_name), max(cluster_name)"
        f" from read_parquet({[str(path) for path in found]})"
    ).fetchall()
    assert (counted, len(found)) == ([(rows, rows, "demo", "demo")], files)
    assert ("put-lost" in ended.stdout) == bool(extra)


def test_the_service_of_a_demo_never_outlives_it(tmp_path):
    port = free_port()
    program = Program(demo("--data", tmp_path / "demo", "--port", port, "--kill", "--for", "60s"), tmp_path / "log")
    wait_until(lambda: "kill -9" in program.log.read_text(), "a kill")
    [child] = wait_until(lambda: children(program.pid), "the service's process")
    program.kill()
    wait_until(lambda: not Path(f"/proc/{child}").exists(), "its end")
    assert not answers(f"http://127.0.0.1:{port}/livez")
    # Ctrl-C on it alone: the balance, and nobody left.
    program = Program(demo("--data", tmp_path / "demo", "--port", port, "--kill", "--for", "60s"), tmp_path / "second")
    wait_until(lambda: "kill -9" in program.log.read_text(), "a kill")
    program.process.send_signal(signal.SIGINT)
    assert program.wait_end() == 0 and "Nothing lost." in program.log.read_text(), program.tail()


def test_the_lines_of_a_demo_work_as_they_are_printed(tmp_path):
    """From where the user stands, with no czctl in PATH."""
    (tmp_path / "build").mkdir()
    (tmp_path / "build/czctl").symlink_to(czctl_path())
    port = free_port()
    arguments = ["build/czctl", "demo", "--data", "./demo-data", "--port", str(port)]

    def run(*words) -> subprocess.CompletedProcess:
        return subprocess.run(words, capture_output=True, text=True, timeout=60, cwd=tmp_path, env={"PATH": "/usr/bin"})

    ended = run(*arguments, "--for", "2s")
    assert ended.returncode == 0, ended.stderr
    lines = [line.strip() for line in ended.stdout.partition("Try:")[2].splitlines()]
    commands = [command for line in lines for command in re.split(r"  +", line) if command.startswith("build/czctl")]
    assert len(commands) == 3, lines
    for command in commands:
        assert run(*command.split()).returncode == 0, command
    query = re.search(r'duckdb -c "(.*)"', ended.stdout).group(1).replace("demo-data/", f"{tmp_path}/demo-data/")
    assert duckdb.sql(query).fetchall()
    with socket.create_server(("127.0.0.1", port)):
        taken = run(*arguments, "--for", "2s")
    assert taken.returncode == 1 and f"Try: czctl demo --port {port + 1}" in taken.stderr, taken.stderr
    assert "server.port" not in taken.stderr
