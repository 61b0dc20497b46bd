"""One worker per id: two with the same would fence each other's transactions and write to one state folder."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import KafkaError, KafkaException

from pipeline.errors import OperatorError


class WorkerIdError(OperatorError):
    """Operator action: give each worker an id of its own, with STITCHLINE_WORKER_ID or ``--worker-id``."""


@contextmanager
def only_worker(home: Path, application_id: str, worker_id: str) -> Iterator[None]:
    """Run the block as the one worker of this id.

    Raises:
        WorkerIdError: Another process in this home folder has the id, or a worker elsewhere took it in the block.
    """
    folder = home / "state" / application_id
    folder.mkdir(parents=True, exist_ok=True)
    advice = "give each worker its own STITCHLINE_WORKER_ID or --worker-id"
    with (folder / f"worker-{worker_id}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            message = f"a worker with the id {worker_id!r} runs in {home} already: {advice}"
            raise WorkerIdError(message) from error
        try:
            yield
        except KafkaException as error:
            if error.args and error.args[0].code() == KafkaError._FENCED:  # the broker gave the id to a later producer
                message = (
                    f"another worker with the id {worker_id!r} of {application_id} was started, or this one stood "
                    f"still for longer than its transaction may be open: {advice}"
                )
                raise WorkerIdError(message) from error
            raise
