"""A file system of its own in an image file: it can be filled, and its power can be cut."""

import array
import fcntl
import os
import subprocess
from pathlib import Path

import pytest

EXT4_IOC_SHUTDOWN = 0x8004587D
KEEP_JOURNAL, DROP_JOURNAL = 1, 2  # both drop dirty data; 2 also metadata whose transaction is not committed
COMMAND_SECONDS = 60


def _run(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run(list(map(str, arguments)), capture_output=True, text=True, timeout=COMMAND_SECONDS)


class Volume:
    """ext4 in `image`, mounted at `path`."""

    def __init__(self, image: Path, path: Path):
        self.image, self.path = image, path

    def make(self, mebibytes: int):
        """Makes and mounts it; the test is skipped where that is not allowed."""
        if os.geteuid() != 0:
            pytest.skip("needs root: loop mount")
        self.path.mkdir(parents=True)
        with open(self.image, "wb") as file:
            file.truncate(mebibytes << 20)
        # -m 0: no blocks are kept for root, so full is full for everyone.
        made = _run("mkfs.ext4", "-q", "-F", "-m", "0", self.image)
        assert made.returncode == 0, made.stderr
        if (mounted := self._mount()).returncode != 0:
            pytest.skip(f"needs root: loop mount ({mounted.stderr.strip()})")

    def _mount(self) -> subprocess.CompletedProcess:
        return _run("mount", "-o", "loop", self.image, self.path)

    def mount(self):
        assert (mounted := self._mount()).returncode == 0, mounted.stderr

    def unmount(self):
        assert (result := _run("umount", self.path)).returncode == 0, result.stderr

    def cut_power(self, flag: int):
        """From now on nothing reaches the image, and every operation fails."""
        directory = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(directory, EXT4_IOC_SHUTDOWN, array.array("I", [flag]))
        finally:
            os.close(directory)

    def check(self):
        """The unmounted file system is consistent: what is missing is missing for us, not by its fault."""
        checked = _run("e2fsck", "-f", "-n", self.image)
        assert checked.returncode == 0, checked.stdout + checked.stderr

    def fill(self, ballast: Path) -> int:
        """Takes every free block for `ballast`, in a moment: what is freed afterwards stays free. Its size."""
        descriptor = os.open(ballast, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            size, step = 0, 16 << 20
            while step >= 4096:
                try:
                    os.posix_fallocate(descriptor, size, step)
                    size += step
                except OSError:
                    step //= 4
            return size
        finally:
            os.close(descriptor)

    def remove(self):
        """Whatever happened: unmounted, the loop device detached."""
        if os.path.ismount(self.path):
            if _run("umount", self.path).returncode != 0:
                _run("umount", "--lazy", self.path)
        for line in _run("losetup", "--noheadings", "--output", "NAME", "--associated", self.image).stdout.split():
            _run("losetup", "--detach", line)
        self.image.unlink(missing_ok=True)
