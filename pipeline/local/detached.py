"""Servers that outlive the command that started them: ``stitchline kafka start | status | stop``."""

import os
import subprocess
from pathlib import Path

import msgspec

from pipeline.local.fetch import one_at_a_time
from pipeline.local.kafka import LocalKafka
from pipeline.local.process import end_pid, is_running
from pipeline.local.registry import LocalRegistry
from pipeline.local.server import LocalServer

KINDS: dict[str, type[LocalServer]] = {"kafka": LocalKafka, "registry": LocalRegistry}


class Running(msgspec.Struct, frozen=True):
    """A detached server, stored as a file in the home folder where the next command finds it."""

    kind: str
    description: str
    pid: int
    address: str
    """``host:port``: for Kafka the bootstrap servers."""
    url: str
    """Base URL of an HTTP server, else empty."""
    data: str


def start(home: Path, kind: str, port: int = 0) -> Running:
    """Returns the running server of that kind in this home folder. Starts one on the existing data if none runs.

    Raises:
        LockMismatchError, ServerError: See :meth:`LocalServer.start`.
    """
    data = (home / kind).resolve()
    with one_at_a_time(home / f"{kind}.lock"):
        existing = find(home, kind)
        if existing is not None:
            return existing
        server = KINDS[kind](data, detached=True, port=port).start()
        url = server.url if isinstance(server, LocalRegistry) else ""
        running = Running(kind, server.description, server.pid, server.address, url, str(data))
        remember(home, running)
        return running


def remember(home: Path, running: Running) -> None:
    """Stores a running server for the next command."""
    _state(home, running.kind).write_bytes(msgspec.json.encode(running))


def forget(home: Path, kind: str) -> None:
    """Removes the stored server."""
    _state(home, kind).unlink(missing_ok=True)


def is_remembered(home: Path, kind: str) -> bool:
    """Returns whether a server is stored that was not stopped since, alive or dead."""
    return _state(home, kind).exists()


def find(home: Path, kind: str) -> Running | None:
    """Returns the running server of that kind, or None. A stale file, as after a reboot, counts as not running."""
    try:
        running = msgspec.json.decode(_state(home, kind).read_bytes(), type=Running)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return running if is_running(running.pid) and running.data in _command_line(running.pid) else None


def stop(home: Path, kind: str) -> bool:
    """Stops the server and keeps its data. Returns whether one was running."""
    with one_at_a_time(home / f"{kind}.lock"):
        running = find(home, kind)
        if running is not None:
            end_pid(running.pid)
        forget(home, kind)
        return running is not None


def _state(home: Path, kind: str) -> Path:
    return home / f"{kind}.json"


def _command_line(pid: int) -> str:
    """Returns the command line of a process, because its id may belong to another process by now."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except FileNotFoundError:
        if os.path.exists("/proc/self"):  # noqa: PTH110 - whether there is a /proc at all
            return ""
        listing = ["ps", "-o", "command=", "-ww", "-p", str(pid)]
        return subprocess.run(listing, capture_output=True, text=True, check=False).stdout  # noqa: S603
