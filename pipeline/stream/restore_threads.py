"""Restores run beside the event loop: most of their time goes by waiting for the broker."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from pipeline.stream.ownership import Job

RESTORE_THREADS = 7
"""Jobs that run at once; the others wait. One of them finds the group's offsets."""


class RestoreThreads:
    """Runs each job in a thread, and reports its end on the event loop that started it."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(RESTORE_THREADS, "restore")
        self._running: list[Future[None]] = []

    def start(self, job: Job, ended: Callable[[BaseException | None], None]) -> None:
        """Run the job to its end; ``ended`` gets its failure, or None. Called on the event loop."""
        loop = asyncio.get_running_loop()
        self._running = [future for future in self._running if not future.done()]
        self._running.append(self._threads.submit(_run, job, lambda failure: loop.call_soon_threadsafe(ended, failure)))

    def wait(self) -> None:
        """Block until every started job has ended. What the caller schedules next runs after the report of each end."""
        wait(self._running)


def _run(job: Job, report: Callable[[BaseException | None], object]) -> None:
    failure: BaseException | None = None
    try:
        for pause_seconds in job:
            time.sleep(pause_seconds)
    except BaseException as error:  # noqa: BLE001 - handed to the worker, which ends the process
        failure = error
    report(failure)
