"""Words of strace: a system call of a real program is answered, delayed or made its last in the kernel's place."""

from pathlib import Path

STRACE = ["strace", "-D", "-f", "--quiet=all", "-o", "/dev/null"]  # -D: the child is czctl itself
CALLS = {  # a name with ? need not exist on this processor
    "pread64": "pread64",
    "pwrite64": "pwrite64",
    "fdatasync": "fdatasync",
    "fsync": "fsync",
    "rename": "?rename,?renameat,renameat2",
    "unlink": "?unlink,unlinkat",
    "fallocate": "fallocate",
    "openat": "openat",
    "ftruncate": "ftruncate",
}


def injecting(call: str, fault: str, data: Path | None = None) -> list[str]:
    """The command before czctl; `fault` is such as `error=EIO:when=3`, counted by each thread for itself.

    Of `openat` and `pread64` only files of the volume `data` with names known before, so that no library fails; and of
    `openat` only what a running service opens, so that not every start fails.
    """
    words = [*STRACE, "-e", f"trace={CALLS[call]}", "-e", f"inject={CALLS[call]}:{fault}"]
    if not fault.startswith("signal"):  # which would get lost
        words.append("--seccomp-bpf")
    if call in ("openat", "pread64"):
        names = ["staging", "staging/part-0.tmp", "uploaded", "ledger.sqlite", "ledger.sqlite-journal"]
        newest = max((int(path.stem) for path in (data / "wal").glob("*.wal")), default=0)
        for number in range(0 if call == "pread64" else newest + 2, newest + 100):
            names += [f"wal/prep-{number}.tmp", f"wal/{number:020}.wal"]
        words += [word for name in names for word in ("-P", str(data / name))]
    return words
