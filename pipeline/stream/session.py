"""One session of a worker: its clients and its membership in the group, from joining to leaving.

A session ends when the worker is to stop, when it fails, or when Kafka makes its clients useless. The process then
starts another one with new clients, which restores the state as after a restart; see :mod:`pipeline.stream.process`.
"""

import asyncio
import time

from confluent_kafka import KafkaError, KafkaException

from pipeline.kafka.reach import NoBrokerError
from pipeline.obs.log import logger
from pipeline.settings import Settings
from pipeline.stream.app import build_app
from pipeline.stream.stages.base import StageSpec
from pipeline.stream.unit_of_work import INIT_TIMEOUT_SECONDS, UnitOfWork, Unsettled
from pipeline.stream.vitals import INTERVAL_SECONDS
from pipeline.stream.worker import Worker

MIN_CHECK_SECONDS = 0.005
IDLE_CHECK_SECONDS = 0.01
"""Short, because a commit after a batch begins an interval that may be over before the next check."""
START_STEP_SECONDS = 5.0
"""Time limit of one attempt to fence earlier producers. Short, because a process that is to stop waits for it."""

log = logger(__name__)


class SessionEnded(Exception):  # noqa: N818 - the outcome
    """Kafka ended the session. Another one with new clients can continue."""


async def run_session(settings: Settings, worker: Worker, specs: tuple[StageSpec, ...], stop: asyncio.Event) -> None:
    """Runs a new worker until ``stop`` is set. Its state and its membership are released afterwards.

    Raises:
        SessionEnded: Kafka is away or has refused the clients for good.
        BaseException: The worker's failure, after the open transaction was aborted and the worker has left the group.
    """
    try:
        if not await _fence_earlier(worker.unit, stop):
            return
        app = build_app(settings, worker, specs)
        await app.start()
        gauges = asyncio.create_task(_show(worker))
        try:
            await _commit_until(worker, stop)
        finally:
            is_overdue, failure = worker.unit.is_overdue, worker.unit.cause_of(worker.failure)
            gauges.cancel()
            await app.stop()
            worker.end_restore()
            worker.ownership.release()
    except KafkaException as error:  # of a client that could not be built or started
        raise SessionEnded(str(error)) from error
    failure = failure or worker.failure  # the second is set while the worker stops
    if failure is not None:
        if _is_of_kafka(failure, is_overdue=is_overdue):
            raise SessionEnded(str(failure)) from failure
        raise failure


def _is_of_kafka(error: BaseException, *, is_overdue: bool) -> bool:
    """Returns whether new clients can continue after this error.

    Kafka fences the producer of a transaction that has been open for too long, just as it does when another process
    takes over the transactional id. In the second case this process must end: two workers would fence each other.
    """
    if isinstance(error, KafkaException):
        return is_overdue or error.args[0].code() != KafkaError._FENCED
    return isinstance(error, Unsettled | NoBrokerError)


async def _fence_earlier(unit: UnitOfWork, stop: asyncio.Event) -> bool:
    """Starts the unit of work. Returns False if the process is to stop first."""
    deadline = time.monotonic() + INIT_TIMEOUT_SECONDS
    while not stop.is_set():
        try:
            await asyncio.to_thread(unit.start, START_STEP_SECONDS)
        except KafkaException as error:
            if not error.args[0].retriable() or time.monotonic() > deadline:
                raise
            continue
        return True
    return False


async def _commit_until(worker: Worker, stop: asyncio.Event) -> None:
    while not stop.is_set() and worker.failure is None:
        if worker.is_interval_over():
            try:
                worker.tick()
                worker.commit()
            except Exception as error:  # noqa: BLE001 - the outcome is unknown; the next session restores from the changelog
                worker.fail(error)
        wait = worker.seconds_to_commit()
        await asyncio.sleep(max(wait, MIN_CHECK_SECONDS) if wait > 0 else IDLE_CHECK_SECONDS)


async def _show(worker: Worker) -> None:
    """Updates the gauges every ``INTERVAL_SECONDS`` until cancelled."""
    while True:
        worker.show(await worker.offsets.of(worker.poller.held))
        await worker.stability.look(worker.poller.held)
        worker.unit.poll()  # an idle worker does not poll its producer, whose log lines need it
        await asyncio.sleep(INTERVAL_SECONDS)
