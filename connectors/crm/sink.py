"""The port of a CRM sink: it takes actions and returns one outcome for each."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import msgspec

from pipeline.errors import OperatorError


class Action(msgspec.Struct, frozen=True, gc=False):
    """One record of the actions topic and its place there."""

    partition: int
    offset: int
    body: dict[str, Any]
    """The fields of the ``crm-action`` schema. ``action_id`` is the idempotency key."""


class Delivered(msgspec.Struct, frozen=True):
    """The CRM holds the action durably, now or from an earlier delivery."""

    object: str = ""
    """The CRM's word for what was written, such as ``Lead``; empty for a sink without objects."""
    id: str = ""
    """The CRM's id of it."""


class RetryLater(msgspec.Struct, frozen=True):
    """The CRM did not take the action for a reason that passes: a rate limit, an outage, a lost answer."""

    after_ms: int
    reason: str


class Refused(msgspec.Struct, frozen=True):
    """The CRM will never take the action as it is; ``reason`` is in the CRM's words."""

    reason: str


class NeedsReview(msgspec.Struct, frozen=True):
    """A person has to decide, for example because several CRM records match."""

    reason: str


Outcome: TypeAlias = Delivered | RetryLater | Refused | NeedsReview


class SinkError(OperatorError):
    """The sink cannot take actions at all.

    Operator action: do what the message says and start the sink again; no action is lost.
    """


class CrmSink(Protocol):
    """The port that every sink implements; ``SinkContract`` in the tests holds each sink to it."""

    def positions(self) -> Mapping[int, int] | None:
        """Returns partition → next offset where the sink itself keeps positions; None: the consumer group keeps them.

        A partition that is absent from the mapping starts at its beginning.
        """
        ...

    def deliver(self, actions: Sequence[Action]) -> Sequence[Outcome]:
        """Delivers the actions in order. Returns one outcome for each, in the same order.

        ``Delivered`` means durable. An action that was delivered before has no effect again. After ``RetryLater`` the
        runner delivers the action and those behind it again.

        Raises:
            SinkError: Some actions may have been delivered; delivering all of them again is safe.
        """
        ...

    def close(self) -> None:
        """Releases what the sink holds; another one may then continue."""
        ...
