"""``stitchline worker`` and ``stitchline up``: one process of the pipeline, or several under a supervisor.

Exit codes: 0 stopped, 1 it could not start or could not go on (the message says what to do).
"""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Event
from typing import Annotated

import typer
from confluent_kafka import KafkaException

from pipeline.cli.background import start_and_wait
from pipeline.cli.connect import located
from pipeline.cli.exit_codes import ExitCode
from pipeline.cli.explained import complain, explained, text_of
from pipeline.cli.parent import end_with_parent
from pipeline.cli.printed import print_line
from pipeline.errors import OperatorError
from pipeline.extras import MissingExtraError, require
from pipeline.kafka.reach import NoBrokerError
from pipeline.local.attended import AttendedKafka
from pipeline.local.home_lock import held
from pipeline.obs.disk import explained as host_fault
from pipeline.obs.log import configure, logger
from pipeline.settings import Settings
from pipeline.stream.build import Blueprint, stage_specs
from pipeline.stream.malloc_tuning import use_few_arenas
from pipeline.stream.only_worker import only_worker
from pipeline.stream.process import run
from pipeline.stream.supervisor import COLLECTOR, READ_SIDE, RESUME_SIGNAL, Supervisor, http_port_behind

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
  stitchline up --collect --serve
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
        use_few_arenas()
        if supervised:
            end_with_parent()
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
    collect: Annotated[
        bool, typer.Option("--collect", help="Run the collector too: events over HTTP, see `stitchline collect`.")
    ] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Run the read model, API and console too, see `stitchline serve`.")
    ] = False,
) -> None:
    """Run workers under a supervisor, on the configured Kafka or else a local one, until SIGTERM or ctrl-c."""
    if serve:
        with explained(MissingExtraError):
            require("serve")
    if wait:
        with explained(KafkaException):
            start_and_wait(Settings(), workers, collect=collect, serve=serve)
        return
    stop, resume_due = Event(), Event()
    signal.signal(RESUME_SIGNAL, lambda _signal, _frame: resume_due.set())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _signal, _frame: stop.set())
    with explained(KafkaException), held(Settings().home), kafka_for(Settings()) as (settings, look_after_kafka):
        configure(settings.log_level)
        print_line(f"Kafka: {settings.bootstrap_servers} · workers: {workers} · stop with ctrl-c", err=True)
        environment = {"STITCHLINE_BOOTSTRAP_SERVERS": settings.bootstrap_servers}
        with (
            Supervisor(workers, environment) as supervisor,
            _beside(COLLECTOR, settings, environment, workers, wanted=collect) as look_after_collector,
            _beside(READ_SIDE, settings, environment, workers + collect, wanted=serve) as look_after_read_side,
        ):

            def look_after() -> None:
                look_after_kafka()
                look_after_collector()
                look_after_read_side()
                if resume_due.is_set():
                    resume_due.clear()
                    supervisor.resume_sources()

            supervisor.run(stop, look_after)


@contextlib.contextmanager
def _beside(
    program: Sequence[str], settings: Settings, environment: Mapping[str, str], before: int, *, wanted: bool
) -> Iterator[Callable[[], None]]:
    """Runs a program if it is wanted. Yields what to call now and then, which starts it again if it has ended.

    Its health pages are on the port behind those of the ``before`` processes before it, if these have any.
    """
    if not wanted:
        yield lambda: None
        return
    environment = {**environment, **http_port_behind(settings.http_port, before)}
    with Supervisor(1, environment, program=program) as supervisor:
        yield supervisor.check


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
