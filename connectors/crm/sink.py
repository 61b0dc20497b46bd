"""The port of a CRM sink: it takes actions and returns one outcome for each."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, TypeAlias

import msgspec

from connectors.crm.ledger_row import LedgerRow
from pipeline.errors import OperatorError

ERASE: Final = "erase"
"""The kind of an action that erases a lead. It names only the action id."""


class Action(msgspec.Struct, frozen=True, gc=False):
    """One record of the actions topic, with its partition and offset."""

    partition: int
    offset: int
    body: dict[str, Any]
    """The fields of the ``crm-action`` schema. ``action_id`` is the idempotency key."""

    @property
    def action_id(self) -> str:
        """The idempotency key."""
        return str(self.body.get("action_id", ""))

    @property
    def tenant(self) -> str:
        """The customer's tenant."""
        return str(self.body.get("tenant", ""))

    @property
    def profile_id(self) -> str:
        """The customer's profile id."""
        return str(self.body.get("profile_id", ""))

    @property
    def revision(self) -> int:
        """Of all records of one action id, the highest revision is valid."""
        return int(self.body.get("revision", 1))


class Delivered(msgspec.Struct, frozen=True):
    """The CRM holds the action durably, now or from an earlier delivery."""

    object: str = ""
    """The CRM's type of the object, such as ``contact``; empty for a sink without objects."""
    id: str = ""
    """The CRM's id of the object."""
    row: LedgerRow | None = None
    """What the CRM now holds; the runner commits it with the offset. None for a sink without a ledger."""
    remark: str = ""
    """What the operator should know, such as an owner that the CRM did not keep."""


class RetryLater(msgspec.Struct, frozen=True):
    """A fault of this action alone prevented delivery: a locked record, a lost race. Counts as a try.

    The runner retries after its own back-off, and not before ``after_ms``.
    """

    after_ms: int
    reason: str


class Pause(msgspec.Struct, frozen=True):
    """The whole sink has to wait: a rate limit, an outage, a lost answer. Never counts as a try of an action."""

    after_ms: int
    """Milliseconds until the CRM takes requests again; 0 if it states no time, so that the runner backs off."""
    reason: str


class Refused(msgspec.Struct, frozen=True):
    """The CRM permanently rejects the action; ``reason`` is the CRM's message."""

    reason: str


class NeedsReview(msgspec.Struct, frozen=True):
    """A person has to decide, for example because several CRM records match."""

    reason: str


Outcome: TypeAlias = Delivered | RetryLater | Pause | Refused | NeedsReview


class Finding(msgspec.Struct, frozen=True):
    """One line of :meth:`CrmSink.check` or :meth:`CrmSink.setup`."""

    ok: bool
    """False if an operator has to act before the sink can deliver."""
    text: str


class SinkError(OperatorError):
    """The sink cannot deliver any action: a right is missing, credentials are refused, another process took over.

    Operator action: follow the message and start the sink again; no action is lost.
    """


class CrmSink(Protocol):
    """The port that every sink implements; ``SinkContract`` in the tests checks each sink."""

    def positions(self) -> Mapping[int, int] | None:
        """Returns partition → next offset if the sink stores positions, or None if the consumer group does.

        A partition that is absent from the mapping starts at its beginning. A sink that stores positions gets the
        actions of a partition strictly in order; all others get them in order per lead.
        """
        ...

    def check(self) -> Sequence[Finding]:
        """Returns what keeps the sink from delivering, and what it relies on. Changes nothing."""
        ...

    def setup(self, *, dry_run: bool) -> Sequence[Finding]:
        """Creates what the sink needs in the CRM and is missing. May be repeated. ``dry_run`` changes nothing."""
        ...

    def deliver(self, actions: Sequence[Action]) -> Sequence[Outcome]:
        """Delivers the actions. Returns one outcome for each, in the same order.

        ``Delivered`` means durable. Delivering an action twice has no second effect. After ``RetryLater`` and ``Pause``
        the runner passes that action again.

        Raises:
            SinkError: Some actions may have been delivered; delivering all of them again is safe.
        """
        ...

    def close(self) -> None:
        """Releases files and connections, so that another sink may continue."""
        ...
