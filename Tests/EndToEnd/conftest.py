import re
import subprocess
from pathlib import Path

import pytest

import made_files
from bucket import Bucket
from cirrus import Cirrus
from processes import Program, czctl_path
from remote_write import Encoder
from volume import Volume

# Every key, password and token of these tests says canary; presigned URLs are secrets by their signatures.
SECRETS = re.compile(r".*(?:canary|X-Amz-(?:Signature|Credential|Security-Token)=).*")
SUMMARY = pytest.StashKey[list[str]]()


@pytest.fixture(autouse=True)
def no_secret_is_printed():
    """By whatever a test makes the program do: in its log, its pages and what its commands print."""
    Program.started, Cirrus.printed = [], []
    yield
    services = [one for one in Program.started if str(czctl_path()) in one.arguments and "mock" not in one.arguments]
    for text in Cirrus.printed + [service.log.read_text(errors="replace") for service in services]:
        assert not SECRETS.search(text), f"a secret was printed: {SECRETS.search(text).group()[:300]}"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item):
    """Before the fixtures end: volumes are mounted still."""
    if "tmp_path" in item.funcargs:
        made_files.keep(item.funcargs["tmp_path"])


@pytest.fixture
def make_volume(tmp_path):
    """Makes a file system of its own for the data of an installation; to be called before `make_cirrus`."""
    made = []

    def make(mebibytes: int, name: str = "cirrus") -> Volume:
        volume = Volume(tmp_path / f"{name}.image", tmp_path / name / "data")
        made.append(volume)
        volume.make(mebibytes)
        return volume

    yield make
    for volume in made:
        volume.remove()


@pytest.fixture
def make_cirrus(tmp_path, make_volume):  # make_volume: the installations end before their volumes
    """Makes installations that are killed at the end of the test, whatever happened."""
    made = []

    def make(name: str = "cirrus", **overrides) -> Cirrus:
        made.append(Cirrus(tmp_path / name, **overrides))
        return made[-1]

    yield make
    for cirrus in made:
        cirrus.kill()


@pytest.fixture
def programs():
    """A list of other programs to kill at the end of the test."""
    started = []
    yield started
    for program in started:
        if program.running:
            program.kill()


@pytest.fixture
def bucket(tmp_path, programs) -> Bucket:
    made = Bucket(tmp_path, programs)
    made.wait_ready()
    return made


@pytest.fixture(scope="session")
def encoder(tmp_path_factory) -> Encoder:
    return Encoder(tmp_path_factory.mktemp("proto"))


@pytest.fixture
def wall_clock(tmp_path):
    """The environment of a program whose wall clock is so many seconds off."""
    library = tmp_path / "wall_clock.so"
    source = Path(__file__).with_name("wall_clock.c")
    subprocess.run(["clang", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, source], check=True)
    return lambda shift: {"LD_PRELOAD": str(library), "WALL_CLOCK_SHIFT": str(shift)}


@pytest.fixture
def summarize(request):
    """Takes a line that is shown at the end of the whole run."""
    return request.config.stash.setdefault(SUMMARY, []).append


def pytest_terminal_summary(terminalreporter, config):
    lines = config.stash.get(SUMMARY, [])
    if lines:
        terminalreporter.section("durability")
    for line in lines:
        terminalreporter.write_line(line)
