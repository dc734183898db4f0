"""Keeps the Parquet files that the tests' services made, for Tests/Independent/judge_files.py to judge at the end.

Nothing is kept unless $CIRRUS_FILES names a directory. Which files are Cirrus's own is told by their names: they state
the hash of the content, which a file that a test damaged, cut or wrote itself does not have. What a test puts into an
outbox under such a name, bytes at random, has not Parquet's first four.
"""

import hashlib
import os
import re
import shutil
from pathlib import Path

NAME = re.compile(r"(?:metrics|observability|histograms|exemplars|metadata)_-?\d+_-?\d+_([0-9a-f]{32})\.parquet")


def keep(folder: Path):
    """Of all that is below `folder`, each content once."""
    into = os.environ.get("CIRRUS_FILES")
    if not into:
        return
    for path in sorted(folder.rglob("*.parquet")):
        name = NAME.fullmatch(path.name)
        kept = Path(into) / path.name
        if name is None or kept.exists() or path.is_symlink():
            continue
        try:
            content = path.read_bytes()
        except OSError:
            continue  # taken away by a service that still runs, or on a file system whose power was cut
        if content[:4] == b"PAR1" and hashlib.sha256(content).hexdigest().startswith(name[1]):
            # Linked where that can be: the test's folder goes, and nobody writes to a file that has its name.
            try:
                os.link(path, kept)
            except OSError:
                shutil.copyfile(path, kept)
