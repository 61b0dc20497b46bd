"""One server for all test processes of a session: the first that needs it starts it, the others find it.

Two files do it. Under an exclusive lock on the first, a process looks for a server or starts one. Every process that
uses a server holds a shared lock on the second, which the kernel releases however the process ends; the one that
started the server stops it under an exclusive lock, and so after all others.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from pipeline.local.process import is_running

Server = TypeVar("Server", bound=msgspec.Struct)


class _Running(msgspec.Struct, Generic[Server]):
    owner: int
    """Id of the process that started it."""
    server: Server


@contextmanager
def shared(folder: Path, kind: type[Server], start: Callable[[], AbstractContextManager[Server]]) -> Iterator[Server]:
    """Yields the running server that the processes with this folder share."""
    state = folder / f"{kind.__name__}.json"
    turns, uses = folder / f"{kind.__name__}.lock", folder / f"{kind.__name__}.users"
    with turns.open("ab") as turn, uses.open("ab") as users:
        fcntl.flock(turn, fcntl.LOCK_EX)
        server = _running(state, kind)
        if server is not None:
            fcntl.flock(users, fcntl.LOCK_SH)
            fcntl.flock(turn, fcntl.LOCK_UN)
            yield server
            return
        with start() as server:
            state.write_bytes(msgspec.json.encode(_Running(os.getpid(), server)))
            fcntl.flock(turn, fcntl.LOCK_UN)
            yield server
            fcntl.flock(turn, fcntl.LOCK_EX)
            state.unlink(missing_ok=True)
            fcntl.flock(turn, fcntl.LOCK_UN)
            fcntl.flock(users, fcntl.LOCK_EX)


def _running(state: Path, kind: type[Server]) -> Server | None:
    """The server of the state file, unless the process that started it, and with it the server, is gone."""
    if not state.exists():
        return None
    result = msgspec.json.decode(state.read_bytes(), type=_Running[kind])  # type: ignore[valid-type]
    return result.server if is_running(result.owner) else None
