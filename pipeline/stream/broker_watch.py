"""Whether the brokers answer, and since when not: the reason on ``/readyz``, and one log line for each change."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from threading import Event, Lock, Thread
from typing import Final, Protocol

from confluent_kafka import KafkaException
from confluent_kafka.admin import ClusterMetadata  # type: ignore[attr-defined]  # public, not re-exported

from pipeline.kafka.reach import NoBrokerError, Reach
from pipeline.obs import metrics as m
from pipeline.obs.log import logger

INTERVAL_SECONDS: Final = 2.0
TIMEOUT_SECONDS: Final = 5.0

log = logger(__name__)


class Cluster(Protocol):
    """Requests the cluster's metadata; see :class:`~pipeline.kafka.reach.Reach`."""

    def metadata(self, timeout_seconds: float) -> ClusterMetadata:
        """Returns brokers and topics. Raises NoBrokerError if no broker answers in time."""
        ...


class BrokerWatch:
    """Keeps whether brokers answer. Reasons may be read from any thread."""

    def __init__(
        self,
        cluster: Cluster,
        metrics: m.Metrics,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._cluster, self._metrics, self._clock, self._wall = cluster, metrics, clock, wall
        self._away_since: float | None = None
        self._reasons: list[str] = []
        self._lock, self._is_over = Lock(), Event()
        metrics.set(m.BROKERS_AWAY, 0)

    @classmethod
    def of(cls, config: Mapping[str, str | int], metrics: m.Metrics) -> "BrokerWatch":
        """Returns a watch over the brokers of a connection configuration."""
        return cls(Reach(config), metrics)

    def reasons(self) -> list[str]:
        """Returns one reason while no broker answers, else none."""
        return self._reasons

    def look(self) -> ClusterMetadata | None:
        """Requests the metadata, which takes up to ``TIMEOUT_SECONDS``. Returns None if no broker answers.

        May be called from any thread.
        """
        with self._lock:
            requested_at, requested_wall = self._clock(), self._wall()
            try:
                metadata = self._cluster.metadata(TIMEOUT_SECONDS)
            except NoBrokerError as error:
                self._away(requested_at, requested_wall, str(error))
                return None
            except KafkaException as error:  # a broker answered, with an error of its own
                self._back()
                log.debug("metadata_refused", error=error.args[0].str())
                return None
            self._back()
            return metadata

    def start(self, seen: Callable[[ClusterMetadata], object]) -> None:
        """Looks every ``INTERVAL_SECONDS`` in a thread of its own. Calls ``seen`` there with what a broker answers."""
        Thread(target=self._look_again, args=(seen,), name="broker-watch", daemon=True).start()

    def stop(self) -> None:
        """Ends the thread at its next look."""
        self._is_over.set()

    def _look_again(self, seen: Callable[[ClusterMetadata], object]) -> None:
        while not self._is_over.is_set():
            metadata = self.look()
            if metadata is not None and not self._is_over.is_set():
                seen(metadata)
            self._is_over.wait(INTERVAL_SECONDS)

    def _away(self, requested_at: float, requested_wall: datetime, reason: str) -> None:
        if self._away_since is None:
            self._away_since = requested_at
            self._reasons = [f"no broker answers since {requested_wall:%Y-%m-%dT%H:%M:%SZ}: {reason}"]
            log.warning("kafka_away", reason=reason)
        self._metrics.set(m.BROKERS_AWAY, self._clock() - self._away_since)

    def _back(self) -> None:
        if self._away_since is not None:
            log.warning("kafka_back", away_seconds=round(self._clock() - self._away_since, 1))
        self._away_since, self._reasons = None, []
        self._metrics.set(m.BROKERS_AWAY, 0)
