"""A producer that is fenced while it takes the changelog: the refusal is counted, and the process ends."""

from types import SimpleNamespace
from typing import Any

import confluent_kafka
import pytest

from pipeline.state.store import Change
from pipeline.stream.unit_of_work import UnitOfWork

FATAL = confluent_kafka.KafkaError(confluent_kafka.KafkaError._FENCED, "fenced", fatal=True)


class FencedProducer:
    """Refuses every record, as a producer does after a fatal error."""

    def __init__(self, _config: dict[str, Any]) -> None:
        pass

    def begin_transaction(self) -> None:
        pass

    def produce(self, *_: Any, **__: Any) -> None:
        raise confluent_kafka.KafkaException(FATAL)


def test_a_fatal_error_in_the_changelog_is_counted():
    refused: list[str] = []
    unit = UnitOfWork({}, "worker", "cdp", refused=refused.append, producer=FencedProducer)  # type: ignore[arg-type]
    state = SimpleNamespace(changes=lambda: [Change("profiles", b"p", b"row")])
    task: Any = SimpleNamespace(stage="profile", partition=0, state=state, before_commit=lambda: None)
    unit.consumed("cdp.profile.touches.v1", 0, 1, 1)
    with pytest.raises(confluent_kafka.KafkaException):
        unit.commit([task], lambda: None)
    assert refused == ["fatal"]
