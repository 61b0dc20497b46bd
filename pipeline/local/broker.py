"""Chooses the Kafka to use: the configured one, a container if enabled, or Apache Kafka on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from pipeline.local.container import engine_answers, kafka_container
from pipeline.local.kafka import LocalKafka
from pipeline.settings import Settings


class Broker(msgspec.Struct, frozen=True):
    """A Kafka that answers, and its description for reports."""

    bootstrap_servers: str
    description: str


@contextmanager
def broker(settings: Settings | None = None) -> Iterator[Broker]:
    """Yields a running Kafka. Stops afterwards what it started.

    Uses ``STITCHLINE_BOOTSTRAP_SERVERS`` if set; else a container if ``STITCHLINE_TESTCONTAINERS`` is set and an engine
    answers; else the local Apache Kafka.
    """
    chosen = settings or Settings()
    if chosen.bootstrap_servers:
        yield Broker(chosen.bootstrap_servers, f"Kafka at {chosen.bootstrap_servers} (STITCHLINE_BOOTSTRAP_SERVERS)")
    elif chosen.testcontainers and engine_answers():
        with kafka_container() as (servers, image):
            yield Broker(servers, f"Apache Kafka, container {image}")
    else:
        with LocalKafka() as local:
            note = "; no container engine answered" if chosen.testcontainers else ""
            yield Broker(local.bootstrap_servers, local.description + note)
