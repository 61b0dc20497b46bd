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
    """Starts with the first look and lasts as long as the process.

    So a server whose console is not used sends no request to Kafka.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._samples: deque[Sample] = deque(maxlen=KEPT)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def samples(self) -> Sequence[Sample]:
        """Returns the samples so far, oldest first."""
        with self._lock:
            if self._thread is None and self._settings.bootstrap_servers:
                self._thread = threading.Thread(target=self._run, name="console-pulse", daemon=True)
                self._thread.start()
        return list(self._samples)

    def _run(self) -> None:
        while True:
            try:
                self._sample()
            except (KafkaException, OperatorError) as error:
                log.warning("console_rates_missing", error=type(error).__name__)
                time.sleep(RETRY_SECONDS)

    def _sample(self) -> None:
        meter = FlowMeter(self._settings)
        try:
            meter.sample(time.monotonic())
            while True:
                time.sleep(INTERVAL_SECONDS)
                self._samples.append(Sample(self._clock(), meter.sample(time.monotonic())))
        finally:
            meter.close()
