"""``stitchline up --wait`` and ``stitchline down``: workers that stay when the command ends.

Exit codes: 0 done, 1 it could not start (the message says what to do), 6 (down) nothing ran.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import typer

from pipeline.cli.connect import NoKafkaError, located
from pipeline.cli.exit_codes import ExitCode
from pipeline.cli.explained import fail
from pipeline.cli.printed import print_line
from pipeline.demo.worker_processes import wait_for_workers
from pipeline.errors import OperatorError
from pipeline.local.home_lock import holder
from pipeline.settings import Settings

LOG_NAME: Final = "up.log"
KAFKA_SECONDS: Final = 150.0
"""An idle machine starts Kafka in a few seconds, a busy one needs many times that."""
END_SECONDS: Final = 60.0
CONSOLE_SECONDS: Final = 60.0
CONSOLE_LINE: Final = "console: "
"""Beginning of the line that `stitchline serve` prints when it listens."""
POLL_SECONDS: Final = 0.1
DOWN_EXAMPLES: Final = """\b
Exit codes: 0 ended; 1 it did not end in time; 6 nothing ran.
\b
Examples:
  stitchline down
"""


class NotUpError(OperatorError):
    """The background process ended, or was not ready in time. The message names its log."""


def start_and_wait(settings: Settings, workers: int, *, collect: bool = False, serve: bool = False) -> None:
    """Starts ``stitchline up`` in the background and returns when its workers share the partitions.

    With ``serve``, also waits for the console and prints its URL.

    Raises:
        NotUpError: It ended, or Kafka was not there in time.
        CrewError: The workers were not ready in time.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    log = settings.home / LOG_NAME
    command = [
        sys.executable,
        "-m",
        "pipeline.cli",
        "up",
        "--workers",
        str(workers),
        *(["--collect"] if collect else []),
        *(["--serve"] if serve else []),
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )

    def check() -> None:
        if process.poll() is not None:
            message = f"it ended before it was ready; {log} ends with: {_last_line(log)}"
            raise NotUpError(message)

    wait_for_workers(_with_kafka(settings, check), workers, check)
    if serve:
        print_line(_console_line(log, check), err=True)
    print_line(
        f"{workers} worker{'s' if workers > 1 else ''} ready · log: {log} · stop with: stitchline down", err=True
    )


app = typer.Typer()


@app.command(epilog=DOWN_EXAMPLES)
def down() -> None:
    """Stop the workers of `stitchline up` for this home, after a commit, then the local Kafka that it started."""
    home = Settings().home
    pid = holder(home)
    if pid is None:
        fail(f"no workers of {home.resolve()} run under stitchline up", ExitCode.NOT_READY)
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + END_SECONDS
    while holder(home) == pid:
        if time.monotonic() > deadline:
            fail(f"pid {pid} did not end within {END_SECONDS:.0f} s", ExitCode.FAILED)
        time.sleep(POLL_SECONDS)
    print_line("stopped")


def _with_kafka(settings: Settings, check: Callable[[], None]) -> Settings:
    deadline = time.monotonic() + KAFKA_SECONDS
    while True:
        check()
        try:
            return located(settings)
        except NoKafkaError as error:
            if time.monotonic() > deadline:
                message = f"the local Kafka was not there within {KAFKA_SECONDS:.0f} s"
                raise NotUpError(message) from error
        time.sleep(POLL_SECONDS)


def _console_line(log: Path, check: Callable[[], None]) -> str:
    """Waits until the console listens. Returns the line that states its URL.

    Raises:
        NotUpError: It did not listen in time.
    """
    deadline = time.monotonic() + CONSOLE_SECONDS
    while time.monotonic() < deadline:
        check()
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(CONSOLE_LINE):
                return line.partition(" · stop")[0]
        time.sleep(POLL_SECONDS)
    message = f"the console did not listen within {CONSOLE_SECONDS:.0f} s; see {log}, and stop with: stitchline down"
    raise NotUpError(message)


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return lines[-1].removeprefix("stitchline: ") if lines else "nothing"
