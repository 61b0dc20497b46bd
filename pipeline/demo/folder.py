"""The demo's own home folder: emptied at the start, kept at the end. No other program's folder is ever emptied."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pipeline.errors import OperatorError
from pipeline.local import detached

MARK: Final = ".stitchline-demo"
"""A file that marks a folder as created by a demo, so that the next demo may delete it."""


class FolderError(OperatorError):
    """The folder cannot be used. Operator action: the message states how to choose another one."""


@contextmanager
def demo_folder(home: Path) -> Iterator[Path]:
    """Yields an empty folder for one demo at a time.

    The folder is ``home / "demo"``, or ``home`` itself if a demo created it. Stops a Kafka that still runs on the data
    of the previous demo.

    Raises:
        FolderError: another demo is running in the folder, or the folder holds files that no demo created.
    """
    folder = home if (home / MARK).exists() else home / "demo"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            message = f"a demo is running in {folder}; wait for its end, or set STITCHLINE_HOME to another folder"
            raise FolderError(message) from error
        _empty(folder)
        yield folder


def _empty(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        message = f"{folder} holds files that no demo created; move them, or set STITCHLINE_HOME to another folder"
        raise FolderError(message)
    if folder.exists():
        for kind in reversed(detached.KINDS):
            detached.stop(folder, kind)
        shutil.rmtree(folder)
    folder.mkdir()
    (folder / MARK).touch()
