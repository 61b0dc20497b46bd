"""A process that may open no more files ends with one line."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.obs.descriptors import DescriptorReserve, DescriptorsError, explained

EXHAUSTED = """
import os, resource
from pipeline.obs.descriptors import DescriptorReserve, DescriptorsError
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
reserve = DescriptorReserve()
reserve.check()
try:
    while True:
        os.open(os.devnull, os.O_RDONLY)
except OSError:
    pass
try:
    reserve.check()
except DescriptorsError as error:
    with open("/proc/self/status"):
        print(error)
"""


def test_the_reserve_is_released_as_the_last_resort_and_the_error_has_an_action() -> None:
    command = [sys.executable, "-c", EXHAUSTED]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3], check=True)
    assert done.stdout.startswith("out of file descriptors: this process may open 64 files; raise the limit")


def test_a_process_that_cannot_open_the_reserve_reports_it() -> None:
    code = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (9, 9))\nDescriptorReserve()"
    command = [sys.executable, "-c", f"from pipeline.obs.descriptors import *\n{code}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3], check=False)
    assert done.returncode == 1
    assert "out of file descriptors" in done.stderr


@pytest.mark.parametrize(
    "error",
    [OSError(errno.EMFILE, "Too many open files"), Exception("IO error: While open a file: Too many open files")],
)
def test_errors_from_a_lack_of_descriptors_are_reported_as_one(error: Exception) -> None:
    assert isinstance(explained(error), DescriptorsError)


def test_other_errors_stay_what_they_are() -> None:
    error = ValueError("x")
    assert explained(error) is error
    DescriptorReserve().release()
