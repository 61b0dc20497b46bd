"""A call that ignores its own time limit is left behind; others end as if they were called directly."""

import subprocess
import sys
import threading

import pytest
from confluent_kafka import KafkaException

from pipeline.kafka import time_limit
from pipeline.kafka.time_limit import CallNotReturnedError, call_within
from pipeline.testing.refusals import refusal
from tests.support.waiting import deadline_seconds


def test_the_caller_gets_the_call_s_own_error() -> None:
    error = refusal(0)
    with pytest.raises(KafkaException) as raised:
        call_within(deadline_seconds(), lambda: (_ for _ in ()).throw(error).__next__())
    assert raised.value is error


def test_an_ended_call_is_awaited() -> None:
    ended: list[bool] = []
    call_within(deadline_seconds(), lambda: ended.append(True))
    assert ended == [True]


def test_a_call_that_does_not_return_is_left_behind_and_not_retriable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_limit, "GRACE_SECONDS", 0.05)
    released = threading.Event()
    with pytest.raises(CallNotReturnedError) as raised:
        call_within(0.05, released.wait)
    released.set()
    assert not raised.value.args[0].retriable()


def test_a_process_ends_though_a_call_waits_in_c() -> None:
    program = (
        "import _thread\n"
        "from pipeline.kafka import time_limit\n"
        "time_limit.GRACE_SECONDS = 0.05\n"
        "lock = _thread.allocate_lock()\n"
        "lock.acquire()\n"
        "try:\n"
        "    time_limit.call_within(0.05, lock.acquire)\n"
        "except time_limit.CallNotReturnedError:\n"
        "    print('left behind')\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=deadline_seconds(), check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "left behind\n", "")
