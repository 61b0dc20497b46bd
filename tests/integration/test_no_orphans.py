"""No child process outlives a test that fails, a module that fails to set up, or a test process that is killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.local.process import is_running
from tests.support import children
from tests.support.waiting import deadline_seconds, eventually

ROOT = Path(__file__).parents[2]
TESTS = """
import gc, os, subprocess, sys, threading
from pathlib import Path
import pytest
from tests.support import children

STUBBORN = "import signal, threading; signal.signal(signal.SIGTERM, signal.SIG_IGN); threading.Event().wait()"
PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"


def note(name, process):
    pids = Path(os.environ["PIDS"])
    (pids / f".{name}").write_text(str(process.pid))
    (pids / f".{name}").rename(pids / name)


@pytest.fixture(scope="module")
def shared():
    process = children.start([sys.executable, "-c", "import threading; threading.Event().wait()"])
    note("of-the-module", process)
    yield process


def test_fails(shared):
    note("of-the-test", children.start([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE))
    raise AssertionError


def test_finds_what_the_module_shares(shared):
    assert shared.poll() is None
    gc.collect()  # were anything left open, this test would fail with a warning about it


def test_waits():
    note("with-a-child", children.start([sys.executable, "-c", PARENT, STUBBORN], start_new_session=True))
    threading.Event().wait()
"""


def pytest_over(folder: Path, *names: str) -> "subprocess.Popen[str]":
    file = folder / "test_inside.py"
    file.write_text(TESTS, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "tests.support.children", "-p", "no:cacheprovider"]
    return children.start(
        [*command, "-c", "pyproject.toml", *(f"{file}::{name}" for name in names)], cwd=ROOT, text=True,
        env={**os.environ, "PIDS": str(folder)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def noted(folder: Path, name: str) -> int:
    file = folder / name
    return int(eventually(lambda: file.exists() and file.read_text(encoding="utf-8"), f"{name} is started"))


def test_a_test_that_fails_leaves_no_child_and_keeps_the_modules(tmp_path: Path) -> None:
    run = pytest_over(tmp_path, "test_fails", "test_finds_what_the_module_shares")
    out, _ = run.communicate(timeout=deadline_seconds())

    assert "1 failed, 1 passed" in out
    assert not is_running(noted(tmp_path, "of-the-test"))
    assert not is_running(noted(tmp_path, "of-the-module"))


@pytest.mark.skipif(sys.platform != "linux", reason="the reaper finds processes in /proc")
def test_a_killed_test_process_leaves_no_descendants(tmp_path: Path) -> None:
    run = pytest_over(tmp_path, "test_waits")
    parent = noted(tmp_path, "with-a-child")
    tasks = Path(f"/proc/{parent}/task/{parent}/children")
    child = int(eventually(lambda: tasks.read_text(encoding="utf-8").split(), "the child has a child")[0])

    run.send_signal(signal.SIGKILL)
    run.wait(deadline_seconds())

    for pid in (parent, child):
        eventually(lambda pid=pid: not is_running(pid), f"process {pid} is gone")
