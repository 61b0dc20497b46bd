"""The watchdog bites when a call takes too long, once, and never when it does not."""

import subprocess
import sys
import threading
import time

from pipeline.stream.watchdog import Watchdog
from tests.support.waiting import deadline_seconds, slowness


def test_a_call_that_takes_too_long_is_ended_from_outside():
    bitten = threading.Event()
    output: list[str] = []
    watchdog = Watchdog(0.1, "too long", lambda message: (output.append(message), bitten.set())[0])
    with watchdog:
        assert bitten.wait(deadline_seconds())
    assert output == ["too long"]


def test_many_short_calls_may_take_longer_together():
    bitten = threading.Event()
    limit_seconds = 0.5 * slowness()
    watchdog = Watchdog(limit_seconds, "too long", lambda _message: bitten.set())
    end = time.monotonic() + 3 * limit_seconds
    while time.monotonic() < end:
        with watchdog:
            pass
    assert not bitten.is_set()


def test_the_process_ends_with_exit_code_1_and_one_line_though_it_waits_in_c():
    program = (
        "import _thread\n"
        "from pipeline.stream.watchdog import Watchdog\n"
        "lock = _thread.allocate_lock()\n"
        "lock.acquire()\n"
        "with Watchdog(0.1, 'Kafka is silent'):\n"
        "    lock.acquire()\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=deadline_seconds(), check=False)
    assert (done.returncode, done.stderr) == (1, "stitchline: Kafka is silent\n")
