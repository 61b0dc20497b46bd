"""The demo's workers: their number, their settings, and when they are ready."""

import os
from collections.abc import Callable
from typing import Any, Final

from confluent_kafka import ConsumerGroupState, KafkaError, KafkaException

from pipeline.demo.waiting import holds_within
from pipeline.errors import OperatorError
from pipeline.kafka.clients import KafkaAdmin, admin
from pipeline.kafka.retry import NO_BROKER_CODES, is_passing
from pipeline.settings import Settings
from pipeline.topics import StageName

MAX_WORKERS: Final = 2
READY_SECONDS: Final = 60.0
PARTITIONS: Final = 4
REQUEST_SECONDS: Final = 30.0


class WorkersError(OperatorError):
    """The workers did not become ready in time. Operator action: see the workers' log."""


def workers_here() -> int:
    """Returns the number of workers for this machine: two, or one on a single core."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MAX_WORKERS, cores)


def configured(base: Settings, **chosen: Any) -> tuple[Settings, dict[str, str]]:
    """Returns the settings of a demo, and the environment variables that give a worker the same settings.

    Kafka's address, the rules and the port of the health pages come from ``base``. Settings that the demo depends on
    are fixed.
    """
    fixed = {
        "schema_registry_url": "", "clock": "wall", "stages": ",".join(StageName), "http_port": base.http_port,
        "partitions": PARTITIONS, "log_level": "info", "commit_interval_ms": 150,
    }  # fmt: skip
    wanted = fixed | chosen
    return base.model_copy(update=wanted), {f"STITCHLINE_{name.upper()}": str(value) for name, value in wanted.items()}


def wait_for_workers(settings: Settings, workers: int, check: Callable[[], None]) -> None:
    """Returns once the group is stable with ``workers`` members. Calls ``check`` while waiting.

    Raises:
        WorkersError: the group did not get there within ``READY_SECONDS``.
    """
    client = admin(settings.kafka())
    if not holds_within(READY_SECONDS, lambda: _members(client, settings.application_id) == workers, check):
        message = f"the workers were not ready within {READY_SECONDS:.0f} s"
        raise WorkersError(message)


def _members(client: KafkaAdmin, group: str) -> int:
    """Returns the number of members of a stable group; 0 while the group is not stable or no broker answers."""
    try:
        requested = client.describe_consumer_groups([group], request_timeout=REQUEST_SECONDS)
        description = requested[group].result(REQUEST_SECONDS)
    except KafkaException as error:
        code = error.args[0].code()
        if code == KafkaError.GROUP_ID_NOT_FOUND or code in NO_BROKER_CODES or is_passing(error):
            return 0
        raise
    return len(description.members) if description.state == ConsumerGroupState.STABLE else 0
