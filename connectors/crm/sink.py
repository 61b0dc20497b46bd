"""The port of a CRM sink: it takes actions and returns one outcome for each."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import msgspec

from pipeline.errors import OperatorError


class Action(msgspec.Struct, frozen=True, gc=False):
    """One record of the actions topic, with its partition and offset."""

    partition: int
    offset: int
    body: dict[str, Any]
    """The fields of the ``crm-action`` schema. ``action_id`` is the idempotency key."""


class Delivered(msgspec.Struct, frozen=True):
    """The CRM holds the action durably, now or from an earlier delivery."""

    object: str = ""
    """The CRM's type of the object, such as ``Lead``; empty for a sink without objects."""
    id: str = ""
    """The CRM's id of the object."""


class RetryLater(msgspec.Struct, frozen=True):
    """A temporary fault prevented delivery: a rate limit, an outage, a lost answer. Retry after ``after_ms``."""

    after_ms: int
    reason: str


class Refused(msgspec.Struct, frozen=True):
    """The CRM permanently rejects the action; ``reason`` is the CRM's message."""

    reason: str


class NeedsReview(msgspec.Struct, frozen=True):
    """A person has to decide, for example because several CRM records match."""

    reason: str


Outcome: TypeAlias = Delivered | RetryLater | Refused | NeedsReview


class SinkError(OperatorError):
    """The sink cannot deliver any action.

    Operator action: follow the message and start the sink again; no action is lost.
    """


class CrmSink(Protocol):
    """The port that every sink implements; ``SinkContract`` in the tests checks each sink."""

    def positions(self) -> Mapping[int, int] | None:
        """Returns partition → next offset if the sink stores positions, or None if the consumer group does.

        A partition that is absent from the mapping starts at its beginning.
        """
        ...

    def deliver(self, actions: Sequence[Action]) -> Sequence[Outcome]:
        """Delivers the actions in order. Returns one outcome for each, in the same order.

        ``Delivered`` means durable. Delivering an action twice has no second effect. After ``RetryLater`` the runner
        passes that action and all later ones again.

        Raises:
            SinkError: Some actions may have been delivered; delivering all of them again is safe.
        """
        ...

    def close(self) -> None:
        """Releases files and connections, so that another sink may continue."""
        ...
