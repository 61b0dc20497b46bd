"""Threads for restores, so that waiting for the broker does not block the event loop."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from pipeline.stream.ownership import Job

RESTORE_THREADS = 7
"""Jobs that run at once; others wait. One of them reads the group's offsets."""


class RestoreThreads:
    """Runs each job in a thread and reports its end on the event loop that started it."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(RESTORE_THREADS, "restore")
        self._running: list[Future[None]] = []

    def start(self, job: Job, ended: Callable[[BaseException | None], None]) -> None:
        """Runs the job to its end, then calls ``ended`` with the failure or None. Must be called on the event loop."""
        loop = asyncio.get_running_loop()
        self._running = [future for future in self._running if not future.done()]
        self._running.append(self._threads.submit(_run, job, lambda failure: loop.call_soon_threadsafe(ended, failure)))

    def wait(self) -> None:
        """Blocks until every job has ended. Callbacks that the caller schedules next run after all ``ended`` calls."""
        wait(self._running)


def _run(job: Job, report: Callable[[BaseException | None], object]) -> None:
    failure: BaseException | None = None
    try:
        for pause_seconds in job:
            time.sleep(pause_seconds)
    except BaseException as error:  # noqa: BLE001 - handed to the worker, which ends the process
        failure = error
    report(failure)
