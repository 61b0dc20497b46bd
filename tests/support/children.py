"""Child processes of tests: none outlives the test or the module that started it, nor this process, however it ends.

A pytest plugin; ``tests/conftest.py`` loads it. Each child is ended by its id when its test is over. What that cannot
reach (a pytest process that is killed, children of children) carries a mark in its environment, by which
:mod:`tests.support.reaper` ends it as soon as this process is gone.
"""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support import reaper
from tests.support.waiting import deadline_seconds

MARK = "PYTEST_CHILD_OF"
GRACE_SECONDS = 2.0
REAPER = pytest.StashKey["subprocess.Popen[bytes]"]()
_started: list["subprocess.Popen[Any]"] = []


def start(command: Sequence[str | Path], **options: Any) -> "subprocess.Popen[Any]":
    """As :class:`subprocess.Popen`; the process ends with the test, or with the module if its fixture started it."""
    process = subprocess.Popen(list(map(str, command)), **options)
    _started.append(process)
    return process


@contextmanager
def running(command: Sequence[str | Path], **options: Any) -> Iterator["subprocess.Popen[Any]"]:
    """A process beside the block. It is ended with the block, unless it has ended before."""
    process = start(command, **options)
    try:
        yield process
    finally:
        end(process)


def end(process: "subprocess.Popen[Any]") -> None:
    """SIGTERM, time to finish, then SIGKILL. Returns when the process is gone and its pipes are closed."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait(deadline_seconds())
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def _end_what_is_started() -> Iterator[None]:
    before = len(_started)
    yield
    while len(_started) > before:
        end(_started.pop())


children_of_the_module = pytest.fixture(scope="module", autouse=True)(_end_what_is_started)
children_of_the_test = pytest.fixture(autouse=True)(_end_what_is_started)


def pytest_configure(config: pytest.Config) -> None:
    """Mark every process that starts from here, and start the process that outlives this one."""
    mark = uuid.uuid4().hex
    os.environ[MARK] = mark
    config.stash[REAPER] = subprocess.Popen(
        [sys.executable, "-I", "-S", reaper.__file__, f"{MARK}={mark}"], stdin=subprocess.PIPE, start_new_session=True
    )


def pytest_unconfigure(config: pytest.Config) -> None:
    """Return when nothing that was started here is running."""
    watching = config.stash.get(REAPER, None)
    if watching is not None and watching.stdin is not None:
        watching.stdin.close()
        watching.wait()
