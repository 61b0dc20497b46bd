"""The files of the spool: numbered segments, written in order and deleted once Kafka has their records."""

import os
from pathlib import Path
from typing import Final

from connectors.collect.safekeeping.frames import read_frames

SUFFIX: Final = ".spool"
DAMAGED: Final = ".damaged"
REFUSED: Final = "refused.frames"
_DIGITS: Final = 16


def segment_paths(folder: Path) -> list[Path]:
    """Returns the segments of a folder in the order in which they were written."""
    return sorted(path for path in folder.iterdir() if path.suffix == SUFFIX and path.stem.isdecimal())


def path_of(folder: Path, number: int) -> Path:
    """Returns the path of a segment."""
    return folder / f"{number:0{_DIGITS}d}{SUFFIX}"


def cut_broken_end(path: Path) -> int:
    """Cuts off what follows the last whole frame, and keeps it in a file beside it. Returns the bytes cut off.

    These are bytes of a write that a crash interrupted before it was acknowledged, unless the disk is damaged.
    """
    data = path.read_bytes()
    end = max((end for _, end in read_frames(data)), default=0)
    if end == len(data):
        return 0
    path.with_suffix(DAMAGED).write_bytes(data[end:])
    with path.open("r+b") as file:
        file.truncate(end)
        os.fsync(file.fileno())
    return len(data) - end
