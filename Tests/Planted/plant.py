"""Plants each bug of bugs.toml in a copy of the sources and shows that the test suite catches it.

    python3 Tests/Planted/plant.py [--list] [name ...]

All bugs are written into one copy, each behind a switch that the environment variable CIRRUS_PLANTED turns, so the
copy is built once. The sources themselves hold no such switch.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TREE = ROOT / ".build-planted/tree"
BUILD = ROOT / ".build-planted/build"
PYTHON = ROOT / ".venv/bin/python"
SWIFT_PATHS = ["--package-path", str(TREE), "--scratch-path", str(BUILD)]
LIMIT_SECONDS = 900  # of one run; a test that hangs has not caught anything

# One in every module with a bug: an import in the planted file itself could change what its names mean.
SWITCH = """internal import Glibc

// SAFETY: nothing changes the environment; the text is copied at once.
private let wanted = unsafe getenv("CIRRUS_PLANTED").flatMap { unsafe String(validatingCString: $0) }

/// Whether this bug is wanted in this process.
func planted(_ name: String) -> Bool { name == wanted }
"""


@dataclass
class Bug:
    name: str
    omits: str
    file: str
    find: str
    plant: str
    caught_by: str
    seeds: int | None = None

    @property
    def is_end_to_end(self) -> bool:
        return ".py::" in self.caught_by

    @property
    def witness(self) -> str:
        """The test, for readers."""
        return re.sub(r"^Tests/EndToEnd/|^\w+Tests\.|\\.$", "", self.caught_by)


def read_table() -> list[Bug]:
    table = tomllib.loads((ROOT / "Tests/Planted/bugs.toml").read_text())["bug"]
    bugs = [Bug(**entry | {"find": entry["find"].strip(), "plant": entry["plant"].strip()}) for entry in table]
    names = [bug.name for bug in bugs]
    assert len(set(names)) == len(names), "a name stands twice in bugs.toml"
    return bugs


def planted_texts(bugs: list[Bug]) -> dict[Path, str]:
    """Files with their bugs, and the switches. A bug whose place is gone ends the program: the list cannot rot."""
    texts: dict[Path, str] = {}
    for bug in bugs:
        path = Path(bug.file)
        original = (ROOT / path).read_text()
        text = texts.get(path, original)
        for version in original, text:
            if version.count(bug.find) != 1:
                sys.exit(f"{bug.name}: {version.count(bug.find)} places in {bug.file} hold, instead of 1:\n{bug.find}")
        if f'planted("{bug.name}")' not in bug.plant:
            sys.exit(f"{bug.name}: its `plant` does not ask for it")
        texts[path] = text.replace(bug.find, bug.plant)
        texts[Path(*path.parts[:2]) / "Planted.swift"] = SWITCH
    return texts


def write_tree(texts: dict[Path, str]):
    """Brings the copy up to date; files that stay the same keep their times, so that little is built again."""
    wanted: dict[Path, bytes] = {}
    for top in "Package.swift", "Package.resolved", "Sources", "Tests":
        found = [ROOT / top] if (ROOT / top).is_file() else (ROOT / top).rglob("*")
        for path in found:
            if path.is_file() and "__pycache__" not in path.parts:
                wanted[path.relative_to(ROOT)] = path.read_bytes()
    wanted |= {path: text.encode() for path, text in texts.items()}
    for path in list(TREE.rglob("*")):
        if path.is_file() and path.relative_to(TREE) not in wanted:
            path.unlink()
    for path, content in wanted.items():
        copy = TREE / path
        if not copy.exists() or copy.read_bytes() != content:
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(content)


def build():
    if not BUILD.exists() and (ROOT / ".build/checkouts").exists():
        # The packages of the ordinary build, so that nothing is fetched twice.
        BUILD.mkdir(parents=True)
        for name in "checkouts", "repositories":
            shutil.copytree(ROOT / ".build" / name, BUILD / name, symlinks=True)
        shutil.copy2(ROOT / ".build/workspace-state.json", BUILD)
    print("planted: building the copy with all bugs in it (the first time: some minutes)", flush=True)
    flags = ["--explicit-target-dependency-import-check", "error"]
    if subprocess.run(["swift", "build", "--build-tests", *SWIFT_PATHS, *flags]).returncode != 0:
        sys.exit("planted: the copy does not build; correct `plant` of the bug that is named above")


@dataclass
class Run:
    passed: bool
    # What failed; empty when nothing did, or when the run does not count.
    failed: str
    output: str


def swift_test(filters: list[str], bug: str | None, seeds: int | None) -> Run:
    command = ["swift", "test", "--skip-build", "--disable-xctest", *SWIFT_PATHS]
    for one in filters:
        command += ["--filter", one]
    ended = run(command, bug, {"CIRRUS_SEEDS": str(seeds)} if seeds else {})
    summary = re.search(r"Test run with ([1-9]\d*) tests?.* (passed|failed) after", ended.stdout)
    if ended.returncode == 0 and summary and summary[2] == "passed":
        return Run(True, "", ended.stdout)
    issue = re.search(r'Test "?([^"\n]+?)"?(?: with .*)? recorded an issue', ended.stdout)
    if summary and summary[2] == "failed" and issue:
        return Run(False, issue[1], ended.stdout)
    trap = re.search(r"unexpected signal code \d+", ended.stdout)
    return Run(False, trap[0] if trap else "", ended.stdout)


def pytest(test: str, bug: str | None) -> Run:
    bin_path = ["swift", "build", "--show-bin-path", *SWIFT_PATHS]
    folder = subprocess.run(bin_path, capture_output=True, text=True, check=True).stdout.strip()
    # The end-to-end tests give czctl a clean environment.
    program = BUILD.parent / "czctl"
    program.write_text(f'#!/bin/sh\nCIRRUS_PLANTED={bug or ""} exec "{folder}/czctl" "$@"\n')
    program.chmod(0o755)
    ended = run([str(PYTHON), "-m", "pytest", "-q", "-x", test], bug, {"CZCTL": str(program)})
    failed = re.search(r"^FAILED (.*)", ended.stdout, re.MULTILINE)
    return Run(ended.returncode == 0, failed[1] if failed else "", ended.stdout)


def run(command: list[str], bug: str | None, environment: dict[str, str]) -> subprocess.CompletedProcess:
    environment = os.environ | environment | ({"CIRRUS_PLANTED": bug} if bug else {})
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            return subprocess.CompletedProcess(command, 1, f"nothing within {LIMIT_SECONDS} s")
    return subprocess.CompletedProcess(command, process.returncode, output)


def check_without_bugs(bugs: list[Bug]):
    """Every test that is asked to catch a bug passes while there is none."""
    filters: dict[int | None, set[str]] = defaultdict(set)
    for bug in bugs:
        if not bug.is_end_to_end:
            filters[bug.seeds].add(bug.caught_by)
    runs = [swift_test(sorted(group), None, seeds) for seeds, group in filters.items()]
    runs += [pytest(test, None) for test in sorted({bug.caught_by for bug in bugs if bug.is_end_to_end})]
    for one in runs:
        if not one.passed:
            sys.exit(one.output[-4000:] + "\nplanted: these tests fail without any bug")


def is_caught(bug: Bug, width: int) -> bool:
    begin = time.monotonic()
    result = pytest(bug.caught_by, bug.name) if bug.is_end_to_end else swift_test([bug.caught_by], bug.name, bug.seeds)
    seconds = time.monotonic() - begin
    if result.failed:
        print(f"caught  {bug.name:{width}}  by {bug.witness} in {seconds:.1f} s", flush=True)
        return True
    print(f"MISSED  {bug.name:{width}}  by {bug.witness} in {seconds:.1f} s", flush=True)
    if not result.passed:
        print(result.output[-2000:], flush=True)
    return False


def print_list(bugs: list[Bug]):
    print("| bug | what is omitted | caught by |\n| --- | --- | --- |")
    for bug in bugs:
        witness = bug.witness.replace("|", "\\|")
        print(f"| {bug.name} | {bug.omits} | `{witness}` |")


def main():
    parser = argparse.ArgumentParser(description="Plants bugs in a copy of the sources; the tests must catch each.")
    parser.add_argument("names", nargs="*", help="bugs of Tests/Planted/bugs.toml; all without any")
    parser.add_argument("--list", action="store_true", help="check that each can be planted and print them as Markdown")
    arguments = parser.parse_args()
    bugs = read_table()
    texts = planted_texts(bugs)
    if arguments.list:
        return print_list(bugs)
    unknown = set(arguments.names) - {bug.name for bug in bugs}
    if unknown:
        sys.exit(f"planted: there is no bug {', '.join(sorted(unknown))}")
    write_tree(texts)
    build()
    chosen = [bug for bug in bugs if not arguments.names or bug.name in arguments.names]
    check_without_bugs(chosen)
    width = max(len(bug.name) for bug in chosen)
    caught = sum([is_caught(bug, width) for bug in chosen])
    print(f"planted bugs: {caught} of {len(chosen)} caught")
    sys.exit(0 if caught == len(chosen) else 1)


if __name__ == "__main__":
    main()
