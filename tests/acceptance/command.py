"""``stitchline …`` as its users run it: a process, with the settings of the test in its environment."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.settings import Settings
from tests.support import children
from tests.support.waiting import eventually


@contextmanager
def running(settings: Settings, *arguments: str | Path) -> Iterator[None]:
    """A command beside the block. With the block it must come to a good end; if the block fails, it is killed."""
    chosen = {f"STITCHLINE_{name.upper()}": str(getattr(settings, name)) for name in settings.model_fields_set}
    command = [sys.executable, "-m", "pipeline.cli", *map(str, arguments)]
    with children.running(command, env={**os.environ, **chosen}, stdin=subprocess.DEVNULL) as process:
        yield
        eventually(lambda: process.poll() is not None, f"stitchline {arguments[0]} has ended")
        assert process.returncode == 0, f"stitchline {arguments[0]} ended with exit code {process.returncode}"


def run(settings: Settings, *arguments: str | Path) -> None:
    """A command to its end, which must be a good one."""
    with running(settings, *arguments):
        pass
