import pytest

from cirrus import Cirrus
from remote_write import Encoder


@pytest.fixture
def make_cirrus(tmp_path):
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


@pytest.fixture(scope="session")
def encoder(tmp_path_factory) -> Encoder:
    return Encoder(tmp_path_factory.mktemp("proto"))
