"""How commands meet a shell: pipes, terminals, formats, exit codes."""

import subprocess

import pytest

from processes import clean_environment, czctl_path
from test_golden import DELIVERED, SEGMENT, VOLUME

DATA = VOLUME / "data"
PRINTING = [
    ["cat", "--data", DATA],
    ["cat", "--data", DATA, "-o", "json"],
    ["files", "list", "--data", DATA],
    ["files", "describe", DELIVERED, "--data", DATA],
    ["segments", "list", "--data", DATA, "-o", "json"],
    ["query", "--by", "pod", "--data", DATA],
    ["status", "--data", DATA],
    ["inspect", "wal", DATA / "wal" / SEGMENT],
    ["inspect", "parquet", DATA / "uploaded" / DELIVERED, "--stats"],
    ["config", "print"],
    ["config", "schema"],
    ["help", "states"],
]


@pytest.mark.parametrize("command", PRINTING, ids=lambda command: " ".join(map(str, command[:2])))
def test_a_reader_that_ends_early(command):
    """Is no fault of the command, also when it has read nothing."""
    process = subprocess.Popen(
        [czctl_path(), *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment()
    )
    process.stdout.close()
    assert process.wait(timeout=60) == 0 and b"Broken pipe" not in process.stderr.read()


def test_a_full_disk_is_told():
    with open("/dev/full", "w") as full:
        result = subprocess.run([czctl_path(), "version"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert result.returncode == 1 and "cannot write to standard output: no space left" in result.stderr


def test_nothing_runs_at_its_exit(tmp_path):
    """Libraries would give up their locks there while their threads still run: one `verify --remote` of 600 crashed."""
    source, library, told = tmp_path / "exit.c", tmp_path / "exit.so", tmp_path / "told"
    source.write_text(
        '#include <fcntl.h>\n#include <stdlib.h>\n'
        '__attribute__((destructor)) static void at_exit(void) { open(getenv("TOLD"), O_CREAT | O_WRONLY, 0600); }\n'
    )
    subprocess.run(["clang", "-shared", "-fPIC", "-o", library, source], check=True)
    environment = clean_environment() | {"LD_PRELOAD": str(library), "TOLD": str(told)}
    for arguments, code in [(["version"], 0), (["--help"], 0), (["nonsense"], 2), (["status", "--data", "/no"], 4)]:
        result = subprocess.run([czctl_path(), *arguments], env=environment, capture_output=True, timeout=60)
        assert result.returncode == code and result.stdout + result.stderr and not told.exists(), arguments
