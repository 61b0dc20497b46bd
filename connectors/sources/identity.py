"""Which file this is, wherever it lies and whatever it is called, and how far it was delivered to which Kafka."""

import os
from hashlib import blake2b
from pathlib import Path

import msgspec

from connectors.sources.record import Position

SAMPLE_BYTES = 64 << 10


def file_identity(path: Path, reading: str) -> str:
    """16 hex digits of the file's size, its first and last 64 KiB, and how it is read.

    ``reading`` names the destination and the options: the same file goes to another cluster, or with a corrected
    mapping, from its start.
    """
    size = path.stat().st_size
    digest = blake2b(f"{reading}\0{size}\0".encode(), digest_size=8)
    with path.open("rb") as file:
        digest.update(file.read(SAMPLE_BYTES))
        file.seek(max(0, size - SAMPLE_BYTES))
        digest.update(file.read(SAMPLE_BYTES))
    return digest.hexdigest()


class ProgressFile:
    """The position of one file, kept beyond the days for which Kafka remembers it."""

    def __init__(self, folder: Path, identity: str) -> None:
        self._path = folder / f"{identity}.json"

    def load(self) -> Position:
        """The position last saved; the beginning if there is none or the file is damaged."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Position)
        except (FileNotFoundError, msgspec.MsgspecError):
            return Position()

    def save(self, position: Position) -> None:
        """Replace the file in one step, so that a crash leaves the old position or the new one."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(msgspec.json.encode(position))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
