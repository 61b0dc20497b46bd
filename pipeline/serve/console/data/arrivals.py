"""The newest events with what became of them, followed in a thread while a page shows them."""

import threading
import time
from collections import deque
from typing import Final

from confluent_kafka import KafkaException

from pipeline.errors import OperatorError
from pipeline.obs.log import logger
from pipeline.query.arrivals import Arrivals
from pipeline.query.fates import Fate
from pipeline.settings import Settings

KEPT: Final = 500
UNWATCHED_SECONDS: Final = 60.0
"""After so long without a look the topics are not followed any more: every record of every event topic is read."""
PAUSE_SECONDS: Final = 0.5

log = logger(__name__)


class ArrivalsWatch:
    """Starts with the first look and lasts until ``close`` at most. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._newest: deque[Fate] = deque(maxlen=KEPT)
        self._lock, self._closing = threading.Lock(), threading.Event()
        self._looked_at, self._running = 0.0, False

    def newest(self, tenant: str, limit: int, *, with_unknown: bool) -> list[Fate]:
        """Returns the newest events of a tenant, newest first.

        ``with_unknown``: also records that show no tenant, because they are no events.
        """
        with self._lock:
            self._looked_at = time.monotonic()
            if not self._running and self._settings.bootstrap_servers and not self._closing.is_set():
                self._running = True
                threading.Thread(target=self._run, name="console-arrivals", daemon=True).start()
            newest = list(self._newest)
        shown = {tenant, ""} if with_unknown else {tenant}
        return [fate for fate in reversed(newest) if fate.tenant in shown][:limit]

    def close(self) -> None:
        """Makes the thread end after the request that is under way, without a word about its outcome."""
        with self._lock:
            self._closing.set()

    def _run(self) -> None:
        try:
            with Arrivals(self._settings) as arrivals:
                while self._is_watched():
                    for fate in arrivals.step():
                        with self._lock:
                            self._newest.append(fate)
                    self._closing.wait(PAUSE_SECONDS)
        except (KafkaException, OperatorError) as error:
            if not self._closing.is_set():
                log.warning("console_arrivals_missing", error=type(error).__name__)
        finally:
            with self._lock:
                self._running = False

    def _is_watched(self) -> bool:
        with self._lock:
            return not self._closing.is_set() and time.monotonic() - self._looked_at < UNWATCHED_SECONDS
