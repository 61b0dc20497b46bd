"""The local Kafka of ``stitchline up``: one per home folder, visible to other commands, restarted when it dies."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from pipeline.backoff import Backoff
from pipeline.errors import OperatorError
from pipeline.local import detached
from pipeline.local.fetch import one_at_a_time
from pipeline.local.kafka import LocalKafka
from pipeline.local.process import ServerError

KIND: Final = "kafka"
Report = Callable[[str, float], None]
"""Receives an event and the seconds until the next attempt."""


class StoppedByHandError(OperatorError):
    """The local Kafka of a running ``stitchline up`` was stopped by ``stitchline kafka stop``."""


class AttendedKafka:
    """A context manager that uses the home's running Kafka or starts one that ends with this process.

    Restarts and stops only a Kafka that it has started, never one of ``stitchline kafka start``.
    """

    def __init__(self, home: Path, report: Report, clock: Callable[[], float] = time.monotonic) -> None:
        self._home, self._report, self._clock = home, report, clock
        self._data = (home / KIND).resolve()
        self._server: LocalKafka | None = None
        self._backoff, self._began, self._start_at = Backoff(), 0.0, 0.0
        self.address = ""
        """``host:port``, the same after every restart."""

    def __enter__(self) -> Self:
        """Finds the running Kafka or starts one.

        Raises:
            LockMismatchError, ServerError: See :meth:`LocalServer.start`.
        """
        with self._locked():
            running = detached.find(self._home, KIND)
            if running is not None:
                self.address = running.address
                return self
            self._start(port=0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            with self._locked():
                self._server.stop()
                detached.forget(self._home, KIND)

    def check(self) -> None:
        """Restarts Kafka on the same data and address if it has died and its pause is over.

        Raises:
            StoppedByHandError: ``stitchline kafka stop`` ended it.
        """
        if self._server is None or not self._server.ended():
            return
        now = self._clock()
        if not self._start_at:
            self._record_death(now)
        if now >= self._start_at:
            self._restart()

    def _record_death(self, now: float) -> None:
        with self._locked():  # `kafka stop` removes the file before it releases the lock
            if not detached.is_remembered(self._home, KIND):
                self._server = None
                message = "the local Kafka was stopped with: stitchline kafka stop"
                raise StoppedByHandError(message)
        pause = self._backoff.failed(now - self._began)
        self._start_at = now + pause
        self._report("kafka_ended", pause)

    def _restart(self) -> None:
        with self._locked():
            try:
                self._start(port=int(self.address.rpartition(":")[2]))
            except ServerError as error:
                pause = self._backoff.failed(0.0)
                self._start_at = self._clock() + pause
                self._report(str(error).partition("\n")[0], pause)

    def _start(self, port: int) -> None:
        server = LocalKafka(self._data, port=port)
        server.start()
        self._server, self.address = server, server.address
        self._began, self._start_at = self._clock(), 0.0
        running = detached.Running(KIND, server.description, server.pid, server.address, "", str(self._data))
        detached.remember(self._home, running)

    def _locked(self) -> AbstractContextManager[None]:
        return one_at_a_time(self._home / f"{KIND}.lock")
