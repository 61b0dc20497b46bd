"""Copies of workers' state, taken at random moments while RocksDB writes, and workers that start from them."""

import contextlib
import shutil
from pathlib import Path

MAX_COPIES = 8
"""Older ones are removed, so that a long run does not fill the disk."""


class Copies:
    """Copies of the folders ``worker-<id>`` below ``state``."""

    def __init__(self, state: Path, folder: Path) -> None:
        self._state, self._folder = state, folder
        self._taken: list[tuple[str, Path]] = []
        self.count = 0

    def take(self, worker_id: str) -> Path:
        """Copies a worker's files one after the other, while it writes. Skips files that vanish meanwhile."""
        target = self._folder / f"{self.count}-worker-{worker_id}"
        self.count += 1
        _copy(self._state / f"worker-{worker_id}", target)
        self._taken.append((worker_id, target))
        if len(self._taken) > MAX_COPIES:
            shutil.rmtree(self._taken.pop(0)[1])
        return target

    def has(self, worker_id: str) -> bool:
        """Returns whether a copy of the worker's state is kept."""
        return any(owner == worker_id for owner, _ in self._taken)

    def put_back(self, worker_id: str) -> Path | None:
        """Replaces the state of an ended worker by its oldest copy. Returns the copy; None if there is none."""
        copy = next((path for owner, path in self._taken if owner == worker_id), None)
        if copy is not None:
            self.remove(worker_id)
            shutil.copytree(copy, self._state / f"worker-{worker_id}")
        return copy

    def remove(self, worker_id: str) -> None:
        """Removes the state of an ended worker."""
        shutil.rmtree(self._state / f"worker-{worker_id}", ignore_errors=True)

    def taken(self) -> list[Path]:
        """Returns the copies that are kept, the oldest first."""
        return [path for _, path in self._taken]


def _copy(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for database in sorted(source.glob("*-*")):
        copied = target / database.name
        copied.mkdir()
        for file in database.iterdir():  # in no order, as cp -r
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(file, copied / file.name)
