"""One deployment of a test: its own topics, group and home; real worker processes and the real command line."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec
from typer.testing import CliRunner, Result

from pipeline.cli import app
from pipeline.settings import Settings
from tests.support import children
from tests.support.signals import kept_signal_handlers
from tests.support.waiting import deadline_seconds, eventually

PARTITIONS = 4
Found = TypeVar("Found")


class Deployment:
    """A context manager: leaving it ends every worker it started."""

    def __init__(self, bootstrap_servers: str, prefix: str, home: Path) -> None:
        self.home = home
        self.settings = Settings(
            bootstrap_servers=bootstrap_servers,
            topic_prefix=prefix,
            application_id=prefix,
            partitions=PARTITIONS,
            home=home,
            session_timeout_ms=3000,
        )
        chosen = {
            f"STITCHLINE_{name.upper()}": str(getattr(self.settings, name)) for name in self.settings.model_fields_set
        }
        self.environment = {**os.environ, **chosen, "COLUMNS": "200"}
        self._workers: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._workers:
            process.kill()
            process.wait(deadline_seconds())

    def start_worker(self) -> subprocess.Popen[bytes]:
        """``stitchline worker``, in a process of its own."""
        command = [sys.executable, "-m", "pipeline.cli", "worker", "--worker-id", str(len(self._workers))]
        self._workers.append(children.start(command, env=self.environment))
        return self._workers[-1]

    def end_worker(self, process: subprocess.Popen[bytes]) -> None:
        """As an operator would; it must leave cleanly."""
        self._workers.remove(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(deadline_seconds()) == 0

    def run(self, *arguments: str | Path, code: int = 0) -> Result:
        """A command of ``stitchline`` that sets no signal handlers, in this process; it must end with ``code``."""
        done = CliRunner().invoke(app, list(map(str, arguments)), env=self.environment)
        assert done.exit_code == code, done.output
        return done

    def json(self, *arguments: str | Path, code: int = 0) -> Any:
        """What a command prints with ``--json``."""
        return msgspec.json.decode(self.run(*arguments, "--json", code=code).stdout)

    def has_profile(self, ident: str, *options: str) -> bool:
        """Whether ``stitchline profile show`` finds one."""
        done = CliRunner().invoke(app, ["profile", "show", ident, *options, "--json"], env=self.environment)
        return done.exit_code == 0

    def ingest(self, events: Iterable[dict[str, Any]]) -> None:
        """Events through ``stitchline ingest``."""
        file = self.home / f"events-{time.monotonic_ns()}.ndjson"
        file.write_bytes(b"".join(msgspec.json.encode(event) + b"\n" for event in events))
        with kept_signal_handlers():
            self.run("ingest", file)

    def until(self, read: Callable[[], Found | None], what: str) -> Found:
        """Read again until there is a result, while every worker runs."""

        def found() -> tuple[Found] | None:
            result = read()
            if result is None:
                assert all(process.poll() is None for process in self._workers), "a worker ended by itself"
                return None
            return (result,)

        return eventually(found, what, interval_seconds=0.1)[0]
