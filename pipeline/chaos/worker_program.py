"""``python -m pipeline.chaos.worker_program CLOCK_FILE``: a worker that dies with its parent and whose clock is set.

The file holds the seconds that are added to the wall clock, as eight bytes. All else is ``stitchline worker``.
"""

import ctypes
import mmap
import runpy
import signal
import struct
import sys
import time
from pathlib import Path

OFFSET = struct.Struct("<q")
PR_SET_PDEATHSIG = 1
NANOSECONDS = 1_000_000_000


def _set_clock_by(path: Path) -> None:
    with path.open("r+b") as file:
        offset = mmap.mmap(file.fileno(), OFFSET.size)
    true_ns, true_time = time.time_ns, time.time

    def seconds() -> int:
        return int(OFFSET.unpack_from(offset)[0])

    time.time_ns = lambda: true_ns() + seconds() * NANOSECONDS
    time.time = lambda: true_time() + seconds()


def main() -> None:
    """Runs the worker."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    _set_clock_by(Path(sys.argv[1]))
    sys.argv = ["stitchline", "worker", "--supervised"]
    runpy.run_module("pipeline.cli", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
