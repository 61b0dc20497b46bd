"""Allows one ``stitchline up`` per home folder: a lock file with the holder's pid, released when the holder dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pipeline.errors import OperatorError

NAME: Final = "up.lock"


class AlreadyUpError(OperatorError):
    """Workers of this home folder are already running.

    Operator action: end them with ``stitchline down``, or set STITCHLINE_HOME to another folder.
    """


@contextmanager
def held(home: Path) -> Iterator[None]:
    """Holds the lock of the home folder.

    Raises:
        AlreadyUpError: Another process holds it.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / NAME).open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            message = (
                f"workers of {home.resolve()} run already (pid {holder(home)}); end them with: stitchline down, "
                "or set STITCHLINE_HOME to another folder"
            )
            raise AlreadyUpError(message) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def holder(home: Path) -> int | None:
    """Returns the pid of the process that holds the lock, or None."""
    try:
        with (home / NAME).open(encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read().strip() or 0) or None
            return None
    except FileNotFoundError:
        return None
