"""Every command's help has examples, and the words of its exit codes are those of the topic."""

import re
import subprocess
import sys

import pytest

from processes import ROOT, czctl_path


def run(*arguments) -> str:
    command = [czctl_path(), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def commands(*of) -> list[tuple[str, ...]]:
    """Those below a command, as its help lists them."""
    listed = run(*of, "--help").partition("SUBCOMMANDS:")[2]
    found = []
    for name in re.findall(r"^  ([a-z][a-z-]+)(?: .*)?$", listed, re.MULTILINE):
        found += [(*of, name), *commands(*of, name)]
    return found


def test_every_command_has_examples():
    found = commands()
    assert {("doctor",), ("files", "describe"), ("config", "check"), ("support-bundle",)} <= set(found)
    for command in found:
        text = run(*command, "--help")
        examples = text.partition("Examples:")[2].partition("USAGE:")[0]
        # One for a whole line of work is enough; most have two.
        assert re.search(r"^\s+(czctl|test|duckdb|SEND_INTERVAL|tar) ?", examples, re.MULTILINE), command
        assert "czctl" in examples, command


@pytest.mark.parametrize("command", ["doctor", "abandon", "ship", "flush", "purge", "repair", "trace", "tail", "top"])
def test_exit_codes_are_named(command):
    text = " ".join(run(command, "--help").split())  # without the breaks of its lines
    sentences = re.sub(r"'.*", "", text.partition("Exit codes:")[2].partition("Examples:")[0])
    named = set(re.findall(r"\b\d+\b", sentences))
    known = set(re.findall(r"^ *(\d+)  ", run("help", "exit-codes"), re.MULTILINE))
    assert named and named <= known


def test_man_pages_are_the_parsers(tmp_path):
    """docs/man is what the program says of itself; `make man` writes it."""
    subprocess.run([sys.executable, ROOT / "scripts/man_pages.py", czctl_path(), tmp_path], timeout=60, check=True)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_text() for path in (ROOT / "docs/man").iterdir()}
    assert made == kept, "make man"
    assert {"czctl.1", "czctl-import.1", "czctl-files.1", "czctl-exit-codes.7", "czctl-wal-format.7"} <= set(made)
    for text in made.values():
        assert ".SH EXAMPLES" in text and "\\- " in text


@pytest.mark.parametrize("topic", ["exit-codes", "states", "wal-format", "configuration", "config"])
def test_topics(topic):
    text = run("help", topic)
    assert "Examples:" in text and len(text) > 200
