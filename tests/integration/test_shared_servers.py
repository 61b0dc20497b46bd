"""Test processes share one server: whoever needs it first starts it, and it runs until the last is done with it."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tests.support import shared as module
from tests.support.shared import shared
from tests.support.waiting import deadline_seconds


class Server(msgspec.Struct, frozen=True):
    number: int


class Starts:
    """Starts servers with rising numbers; ``running`` holds those that have not been stopped."""

    def __init__(self) -> None:
        self.count = 0
        self.running: set[int] = set()

    @contextmanager
    def __call__(self) -> Iterator[Server]:
        self.count += 1
        server = Server(self.count)
        self.running.add(server.number)
        yield server
        self.running.remove(server.number)


def test_the_owner_stops_the_server_only_after_every_other_user(tmp_path: Path) -> None:
    starts, leave, left = Starts(), threading.Event(), threading.Event()

    def own(started: threading.Event) -> None:
        with shared(tmp_path, Server, starts):
            started.set()
            assert leave.wait(deadline_seconds())
        left.set()

    started = threading.Event()
    owner = threading.Thread(target=own, args=[started])
    owner.start()
    assert started.wait(deadline_seconds())
    with shared(tmp_path, Server, starts) as server:
        leave.set()
        assert server == Server(1)
        assert starts.running == {1}
        assert not left.wait(0.2), "the owner did not wait"
    assert left.wait(deadline_seconds())
    owner.join(deadline_seconds())
    assert (starts.count, starts.running) == (1, set())


def test_after_its_end_or_its_owners_death_another_server_is_started(tmp_path: Path, monkeypatch) -> None:
    starts = Starts()
    with shared(tmp_path, Server, starts) as server:
        assert server == Server(1)
    with shared(tmp_path, Server, starts) as server:
        assert server == Server(2)
        monkeypatch.setattr(module, "is_running", lambda pid: pid != os.getpid())
        with shared(tmp_path, Server, starts) as other:
            assert other == Server(3)
