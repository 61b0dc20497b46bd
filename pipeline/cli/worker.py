"""``stitchline worker`` and ``stitchline up``: one process of the pipeline, or several under a supervisor.

Exit codes: 0 stopped, 1 it could not start or could not go on (the message says what to do).
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Iterator
from threading import Event, Thread
from typing import Annotated

import typer
from confluent_kafka import KafkaException

from pipeline.cli.connect import NoKafkaError, connected
from pipeline.cli.exit_codes import ExitCode
from pipeline.cli.explained import explained
from pipeline.cli.printed import print_line
from pipeline.local.kafka import LocalKafka
from pipeline.obs.log import configure
from pipeline.settings import Settings
from pipeline.stream.app import run
from pipeline.stream.build import build_worker, stage_specs
from pipeline.stream.only_worker import only_worker
from pipeline.stream.supervisor import Supervisor

END_GRACE_SECONDS = 10.0
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
    with explained(KafkaException):
        settings = connected(Settings(**chosen))
        configure(settings.log_level)
        if supervised:
            _end_with_parent()
        specs = stage_specs(settings)
        with only_worker(settings.home, settings.application_id, settings.worker_id):
            asyncio.run(run(settings, build_worker(settings), specs))


@app.command("up", epilog=UP_EXAMPLES)
def up(
    workers: Annotated[int, typer.Option(min=1, max=64, help="Worker processes.")] = 1,
) -> None:
    """Run workers under a supervisor, on the configured Kafka or else a local one, until SIGTERM or ctrl-c."""
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _signal, _frame: stop.set())
    with explained(KafkaException), kafka_for(Settings()) as settings:
        configure(settings.log_level)
        print_line(f"Kafka: {settings.bootstrap_servers} · workers: {workers} · stop with ctrl-c", err=True)
        with Supervisor(workers, {"STITCHLINE_BOOTSTRAP_SERVERS": settings.bootstrap_servers}) as supervisor:
            supervisor.run(stop)


@contextlib.contextmanager
def kafka_for(settings: Settings) -> Iterator[Settings]:
    """Settings with brokers: the configured, or the running local ones, or local ones that end with this process."""
    try:
        running = connected(settings)
    except NoKafkaError:
        with LocalKafka(settings.home / "kafka") as local:
            yield settings.model_copy(update={"bootstrap_servers": local.bootstrap_servers})
        return
    yield running


def _end_with_parent() -> None:
    """A supervisor that was killed closes our standard input: leave the group as on SIGTERM, in a bounded time.

    A local Kafka ends with the same parent; who cannot reach it any more must not wait for it.
    """

    def watch() -> None:
        while os.read(0, 1):  # not sys.stdin: a thread that holds its lock at the interpreter's end makes Python abort
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(END_GRACE_SECONDS)
        os._exit(ExitCode.FAILED)  # nothing is lost: what is not committed is done again

    Thread(target=watch, name="parent-watch", daemon=True).start()
