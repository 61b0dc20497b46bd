"""The workers' disk: a small file system of the run's own that can be filled, or a limit of file sizes without root."""

import ctypes
import errno
import os
import resource
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pipeline.chaos.workers import ChaosWorker

SIZE_MB: Final = 512
CLONE_NEWNS: Final = 0x00020000
MS_REC_PRIVATE: Final = 0x4000 | 0x40000
FILLER: Final = "filler"
CHUNK_BYTES: Final = 1 << 20
SLACK_BYTES: Final = 4096
"""What a file may still grow by, where only file sizes can be limited."""


class Disk:
    """The file system under the workers' home. ``how`` says what stands for a full disk."""

    def __init__(self, home: Path) -> None:
        self._home = home
        home.mkdir(parents=True, exist_ok=True)
        self._is_mounted = _mounted(home)
        self.how = (
            f"a tmpfs of {SIZE_MB} MiB that is filled"
            if self._is_mounted
            else "NOT a full disk: no file system can be mounted here, so the size of files is limited instead"
        )
        self._limited: list[ChaosWorker] = []

    def fill(self, workers: Iterable[ChaosWorker]) -> None:
        """Leaves no space: every write that needs a new block fails from now on."""
        if not self._is_mounted:
            self._limited = list(workers)
            largest = max((path.stat().st_size for path in self._home.rglob("*.log")), default=0)
            for worker in self._limited:
                worker.limit(resource.RLIMIT_FSIZE, largest + SLACK_BYTES)
            return
        with (self._home / FILLER).open("ab", buffering=0) as file:
            for size in (CHUNK_BYTES, 4096, 1):
                _write_until_full(file.fileno(), bytes(size))

    def free(self) -> None:
        """Gives the space back."""
        (self._home / FILLER).unlink(missing_ok=True)
        for worker in self._limited:
            worker.limit(resource.RLIMIT_FSIZE, None)
        self._limited = []

    def close(self) -> None:
        """Unmounts the file system, so that its folder can be removed. Its files are lost."""
        if self._is_mounted:
            subprocess.run(["umount", str(self._home)], capture_output=True, check=False)  # noqa: S603, S607

    def used_bytes(self) -> int:
        """Returns the bytes of the state below the home."""
        total = 0
        for folder, _, names in os.walk(self._home / "state"):
            for name in names:
                try:
                    total += os.stat(os.path.join(folder, name)).st_size  # noqa: PTH116, PTH118 - thousands of files
                except FileNotFoundError:  # RocksDB has just deleted it
                    continue
        return total


def own_mounts() -> bool:
    """Gives this process mounts of its own, which end with it and its children. Returns whether that worked.

    Call before any thread starts, because a thread keeps the mounts it was started with.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return not libc.unshare(CLONE_NEWNS) and not libc.mount(b"none", b"/", None, MS_REC_PRIVATE, None)


def _mounted(home: Path) -> bool:
    if not own_mounts():
        return False
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m,mode=700", "tmpfs", str(home)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603


def _write_until_full(descriptor: int, block: bytes) -> None:
    while True:
        try:
            os.write(descriptor, block)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            return
