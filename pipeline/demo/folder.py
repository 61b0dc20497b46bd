"""The demo's own home folder: emptied at the start, kept at the end, never mistaken for anybody else's."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pipeline.errors import OperatorError
from pipeline.local import detached

MARK: Final = ".stitchline-demo"
"""A file that says: made by the demo, to be deleted by the next."""


class FolderError(OperatorError):
    """The folder cannot be used. Operator action: the message says which other to choose."""


@contextmanager
def demo_folder(home: Path) -> Iterator[Path]:
    """An empty folder ``demo`` in the home folder, or that folder itself where a demo made it. One demo at a time.

    A Kafka that was started on the data of the last demo is stopped.

    Raises:
        FolderError: a demo is running in it, or it holds something else.
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
        message = f"{folder} holds something that no demo made; move it, or set STITCHLINE_HOME to another folder"
        raise FolderError(message)
    if folder.exists():
        for kind in reversed(detached.KINDS):
            detached.stop(folder, kind)
        shutil.rmtree(folder)
    folder.mkdir()
    (folder / MARK).touch()
