"""A supervisor counts and waits for each worker alone, and gives up only on a worker's own faults."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.stream.supervisor import MAX_DEATHS, NOT_ITS_FAULT, Supervisor, WorkersKeepDyingError
from tests.support.waiting import deadline_seconds

PROGRAM = """
import os, pathlib, sys
folder, worker = pathlib.Path(os.environ["LIVES"]), os.environ["STITCHLINE_WORKER_ID"]
with (folder / worker).open("a") as lives:
    lives.write("x")
code = int(os.environ.get("CODE_" + worker, "-1"))
if code == 137:
    os.kill(os.getpid(), 9)
if code >= 0:
    sys.exit(code)
sys.stdin.read()
"""
MAX_LOOKS = 400


class Crew:
    """Workers that end at once with a code, watched by a clock that the test moves."""

    def __init__(self, folder: Path, codes: dict[str, int]) -> None:
        self.now, self.folder, self.codes = 0.0, folder, codes
        environment = {"LIVES": str(folder), **{f"CODE_{worker}": str(code) for worker, code in codes.items()}}
        program = ("-c", PROGRAM)
        self.supervisor = Supervisor(2, environment, folder / "log", program=program, clock=lambda: self.now)

    def look(self, seconds: float) -> None:
        """Wait for the ends that are to be seen, look, and let time pass."""
        for worker in self.codes:
            self.supervisor.processes[worker].wait(deadline_seconds())
        self.supervisor.check()
        self.now += seconds

    def lives(self, worker: str) -> int:
        try:
            return len((self.folder / worker).read_text())
        except FileNotFoundError:
            return 0


@contextmanager
def crew(folder: Path, **codes: int) -> Iterator[Crew]:
    crew = Crew(folder, {name.removeprefix("worker_"): code for name, code in codes.items()})
    with crew.supervisor:
        yield crew


@pytest.mark.parametrize("code", [NOT_ITS_FAULT, 137], ids=["kafka is away", "killed"])
def test_a_worker_that_ends_through_no_fault_of_its_own_is_started_again_for_ever(tmp_path: Path, code: int) -> None:
    with crew(tmp_path, worker_0=code) as it:
        looks = 0
        while it.lives("0") <= 2 * MAX_DEATHS:
            it.look(seconds=30.0)
            looks += 1
            assert looks < MAX_LOOKS


def test_the_pause_before_a_start_grows_and_does_not_keep_the_other_worker_waiting(tmp_path: Path) -> None:
    with crew(tmp_path, worker_0=NOT_ITS_FAULT) as it:
        starts = []
        for _ in range(40):
            before = it.supervisor.processes["0"]
            it.look(seconds=0.5)
            if it.supervisor.processes["0"] is not before:
                starts.append(it.now - 0.5)
        assert starts == [0.0, 1.5, 4.0, 8.5, 17.0]
        assert it.supervisor.processes["1"].poll() is None


def test_a_worker_that_keeps_ending_by_its_own_fault_is_given_up_and_named(tmp_path: Path) -> None:
    def until_given_up(it: Crew) -> None:
        for _ in range(MAX_LOOKS):
            it.look(seconds=10.0)

    with crew(tmp_path, worker_1=1) as it, pytest.raises(WorkersKeepDyingError, match="worker 1 ended 6 times"):
        until_given_up(it)


def test_the_exits_of_two_workers_are_not_added_up(tmp_path: Path) -> None:
    with crew(tmp_path, worker_0=1, worker_1=1) as it:
        deaths = 0
        while deaths < MAX_DEATHS - 1:
            it.look(seconds=10.0)
            deaths = min(it.lives("0"), it.lives("1")) - 1
        assert it.lives("0") + it.lives("1") > MAX_DEATHS + 1


def test_a_worker_that_lived_long_enough_begins_anew(tmp_path: Path) -> None:
    with crew(tmp_path, worker_0=1) as it:
        for _ in range(2 * MAX_DEATHS):
            it.look(seconds=61.0)
        it.supervisor.processes["0"].wait(deadline_seconds())
        assert it.lives("0") == 2 * MAX_DEATHS + 1
