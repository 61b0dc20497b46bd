"""What a CRM sink is: something that takes actions, durably and without effect the second time."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from pipeline.errors import OperatorError


class Action(msgspec.Struct, frozen=True, gc=False):
    """One record of the actions topic and where it stood there."""

    partition: int
    offset: int
    body: dict[str, Any]
    """The fields of the ``crm-action`` schema. ``action_id`` is the idempotency key."""


class SinkError(OperatorError):
    """The sink cannot take actions. Operator action: what the message says; nothing was lost, start it again after."""


class CrmSink(Protocol):
    """The port that every sink implements. The tests of ``SinkContract`` hold each sink to what is promised here."""

    def positions(self) -> Mapping[int, int] | None:
        """Partition → the next offset to deliver, where the sink itself keeps that; None: the consumer group knows.

        A partition that is absent from the mapping starts at its beginning.
        """
        ...

    def deliver(self, actions: Sequence[Action]) -> None:
        """Take the actions in order; on return they are durable. What was taken before has no effect again.

        Raises:
            SinkError: some may have been taken; delivering all of them again is safe.
        """
        ...

    def close(self) -> None:
        """Release what the sink holds; another one may then continue."""
        ...
