"""``stitchline worker`` and ``stitchline up``: one process of the pipeline, or several under a supervisor.

Exit codes: 0 stopped, 1 it could not start or could not go on (the message says what to do).
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from threading import Event, Thread
from typing import Annotated

import typer
from confluent_kafka import KafkaException

from pipeline.cli.background import start_and_wait
from pipeline.cli.connect import located
from pipeline.cli.exit_codes import ExitCode
from pipeline.cli.explained import complain, explained, text_of
from pipeline.cli.printed import print_line
from pipeline.errors import OperatorError
from pipeline.kafka.reach import NoBrokerError
from pipeline.local.attended import AttendedKafka
from pipeline.local.home_lock import held
from pipeline.obs.disk import explained as host_fault
from pipeline.obs.log import configure, logger
from pipeline.settings import Settings
from pipeline.stream.build import Blueprint, stage_specs
from pipeline.stream.only_worker import only_worker
from pipeline.stream.process import run
from pipeline.stream.supervisor import RESUME_SIGNAL, Supervisor

END_GRACE_SECONDS = 10.0

log = logger(__name__)

WORKER_EXAMPLES = """\b
Exit codes: 0 stopped; 1 it could not start or could not go on.
\b
Examples:
  stitchline worker
  stitchline worker --stages intake,profile --http-port 9101
  STITCHLINE_BOOTSTRAP_SERVERS=kafka:9092 STITCHLINE_WORKER_ID=$(hostname) stitchline worker
"""
UP_EXAMPLES = """\b
Exit codes: 0 stopped; 1 it could not start, or its workers keep ending.
\b
Examples:
  stitchline up
  stitchline up --workers 4
  stitchline up --wait && stitchline ingest events.ndjson && stitchline down
"""

app = typer.Typer()


@app.command("worker", epilog=WORKER_EXAMPLES)
def worker(
    stages: Annotated[str, typer.Option(help="Stages to run. Default: STITCHLINE_STAGES, or all.")] = "",
    worker_id: Annotated[
        str | None, typer.Option(help="Unique among running workers. Default: STITCHLINE_WORKER_ID.")
    ] = None,
    http_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of /metrics, /livez, /readyz; 0: none.")] = 0,
    supervised: Annotated[bool, typer.Option(hidden=True, help="End when standard input ends.")] = False,
) -> None:
    """Run one worker until SIGTERM or ctrl-c. Start as many as there are cores; they share the partitions."""
    chosen = {name: value for name, value in (("stages", stages), ("http_port", http_port)) if value}
    if worker_id is not None:
        chosen["worker_id"] = worker_id
    with explained(KafkaException), _blaming_kafka(supervised=supervised), _in_one_line():
        settings = located(Settings(**chosen))
        configure(settings.log_level, fields={"worker": settings.worker_id})
        if supervised:
            _end_with_parent()
        stage_specs(settings)  # a misspelt stage is refused before Kafka is contacted
        with only_worker(settings.home, settings.application_id, settings.worker_id):
            plan = Blueprint(settings)
            asyncio.run(run(settings, plan.specs, plan.metrics, plan.worker, plan.partitions))


@app.command("up", epilog=UP_EXAMPLES)
def up(
    workers: Annotated[int, typer.Option(min=1, max=64, help="Worker processes.")] = 1,
    wait: Annotated[
        bool, typer.Option("--wait", help="Run in the background; return when the workers are ready.")
    ] = False,
) -> None:
    """Run workers under a supervisor, on the configured Kafka or else a local one, until SIGTERM or ctrl-c."""
    if wait:
        with explained(KafkaException):
            start_and_wait(Settings(), workers)
        return
    stop, resume_due = Event(), Event()
    signal.signal(RESUME_SIGNAL, lambda _signal, _frame: resume_due.set())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _signal, _frame: stop.set())
    with explained(KafkaException), held(Settings().home), kafka_for(Settings()) as (settings, look_after_kafka):
        configure(settings.log_level)
        print_line(f"Kafka: {settings.bootstrap_servers} · workers: {workers} · stop with ctrl-c", err=True)
        with Supervisor(workers, {"STITCHLINE_BOOTSTRAP_SERVERS": settings.bootstrap_servers}) as supervisor:

            def look_after() -> None:
                look_after_kafka()
                if resume_due.is_set():
                    resume_due.clear()
                    supervisor.resume_sources()

            supervisor.run(stop, look_after)


@contextlib.contextmanager
def kafka_for(settings: Settings) -> Iterator[tuple[Settings, Callable[[], None]]]:
    """Settings with brokers, and what to call now and then so that a local Kafka that was started here stays up.

    The brokers are the configured ones, or the running local ones, or local ones that end with this process; other
    commands of the same home find them.
    """
    if settings.bootstrap_servers:
        yield settings, lambda: None
        return
    with AttendedKafka(settings.home, _report_kafka) as local:
        yield settings.model_copy(update={"bootstrap_servers": local.address}), local.check


def _report_kafka(event: str, pause_seconds: float) -> None:
    log.warning("local_kafka_down", reason=event, started_again_in_seconds=pause_seconds)


@contextlib.contextmanager
def _blaming_kafka(*, supervised: bool) -> Iterator[None]:
    """Ends a supervised worker with the exit code on which its supervisor waits for Kafka."""
    try:
        yield
    except (NoBrokerError, KafkaException) as error:
        if not supervised:
            raise
        complain(text_of(error))
        raise typer.Exit(ExitCode.KAFKA_UNAVAILABLE) from error


class WorkerDefectError(OperatorError):
    """The worker ended with an error that is a defect of its code. The log holds the traceback."""


@contextlib.contextmanager
def _in_one_line() -> Iterator[None]:
    """Logs the traceback of a defect as one JSON line. Names a full disk and a lack of descriptors."""
    try:
        yield
    except (OperatorError, KafkaException, typer.Exit):
        raise
    except Exception as error:
        fault = host_fault(error)
        if fault is not error:
            raise fault from error
        log.exception("worker_crashed", error=type(error).__name__)
        message = f"the worker has a defect ({type(error).__name__}); report it with the log line worker_crashed"
        raise WorkerDefectError(message) from error


def _end_with_parent() -> None:
    """A supervisor that was killed closes our standard input: leave the group as on SIGTERM, in a bounded time.

    A local Kafka ends with the same parent, so a worker that cannot reach it must not wait for it.
    """

    def watch() -> None:
        while os.read(0, 1):  # not sys.stdin: a thread that holds its lock at the interpreter's end makes Python abort
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(END_GRACE_SECONDS)
        os._exit(ExitCode.FAILED)  # nothing is lost: what is not committed is done again

    Thread(target=watch, name="parent-watch", daemon=True).start()
