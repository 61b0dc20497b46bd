"""Samples the rates and lags of the stages from Kafka, in a thread, for the chart of the overview."""

import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Final

from confluent_kafka import KafkaException

from pipeline.clock import Clock
from pipeline.errors import OperatorError
from pipeline.obs.log import logger
from pipeline.query.flow import FlowMeter
from pipeline.serve.console.views import Sample
from pipeline.settings import Settings

INTERVAL_SECONDS: Final = 2.0
KEPT: Final = 450
"""A quarter of an hour."""
RETRY_SECONDS: Final = 15.0

log = logger(__name__)


class Pulse:
    """Starts with the first look and lasts until ``close``: a console that is not used sends no request to Kafka."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._samples: deque[Sample] = deque(maxlen=KEPT)
        self._lock, self._closing = threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None

    def samples(self) -> Sequence[Sample]:
        """Returns the samples so far, oldest first."""
        with self._lock:
            if self._thread is None and self._settings.bootstrap_servers and not self._closing.is_set():
                self._thread = threading.Thread(target=self._run, name="console-pulse", daemon=True)
                self._thread.start()
        return list(self._samples)

    def close(self) -> None:
        """Makes the thread end after the request that is under way, without a word about its outcome."""
        with self._lock:
            self._closing.set()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._sample()
            except (KafkaException, OperatorError) as error:
                if not self._closing.is_set():
                    log.warning("console_rates_missing", error=type(error).__name__)
                self._closing.wait(RETRY_SECONDS)

    def _sample(self) -> None:
        meter = FlowMeter(self._settings)
        try:
            meter.sample(time.monotonic())
            while not self._closing.wait(INTERVAL_SECONDS):
                self._samples.append(Sample(self._clock(), meter.sample(time.monotonic())))
        finally:
            meter.close()
