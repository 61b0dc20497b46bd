"""STITCH's input and output records. Internal topics carry msgpack arrays; ``identity.changes`` carries Avro."""

from typing import Literal, TypeAlias

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.event.link import Link

__all__ = ["Assignment", "ChangeKind", "Command", "IdentityChange", "Link", "Move"]

ChangeKind: TypeAlias = Literal[
    "merged", "split", "refused", "evicted", "quarantined", "released", "linked", "unlinked", "joined", "left",
    "erased", "opted_out", "opted_in"
]  # fmt: skip


class Assignment(msgspec.Struct, array_like=True, gc=False):
    """An identifier belongs to a profile; keyed by ``tenant/identifier``, compacted, the highest ``seq`` wins."""

    profile_id: str
    seq: int
    contested: list[Identifier] = []
    """Identifiers whose links with this anchor INTAKE must always pass on: each event can change their owner."""


class Move(msgspec.Struct, array_like=True, gc=False, tag="move", tag_field="record"):
    """The ledgers of ``anchors`` now belong to ``target``. The highest ``seq`` of an anchor wins.

    One message contains all anchors that move between two profiles in one decision; for a merged profile these are all
    its anchors. It is sent to ``source``, whose pointers then lead to ``target``. It is also sent to ``target`` if that
    profile is named after one of the anchors.
    """

    tenant: str
    anchors: list[Identifier]
    source: str
    """Id of the profile that owned the anchors."""
    target: str
    """Id of the profile that owns them from ``seq`` on."""
    seq: int
    awaited: bool = False
    """Whether ``target`` waits for the answer of ``source``, a carry even if it has no ledger to hand over. The move
    is then sent to both. So messages to ``target`` are processed in the order of event time."""


class IdentifierOwnership(msgspec.Struct, array_like=True, gc=False, tag="ownership", tag_field="record"):
    """Which identifiers of an anchor's events belong to its customer. Identifiers without an entry do.

    It is sent to the profile that owns the anchor. The anchor's ledger stores it and takes it along when it moves.
    """

    tenant: str
    anchor: Identifier
    """The anchor of the ledger."""
    seq: int
    """The seq from which on the receiving profile owns the anchor."""
    owned: dict[Identifier, bool]
    decided: int
    """STITCH's number of the decision. The higher of two about one identifier wins."""


class Command(msgspec.Struct, array_like=True, gc=False, tag="command", tag_field="record"):
    """A person's decision about identifiers, on the same topic as the links, with actor and reason.

    * ``link a b`` asserts a link. Limits of a type do not reject it.
    * ``unlink a b`` deletes the link until ``link a b``, whatever later events show.
    * ``logout a b`` deletes the link until the pair is seen after ``timestamp_ms``. It also deletes every other
      person's link with the weaker of the two.
    * ``logout a`` deletes every person's link with ``a`` until the pair is seen after ``timestamp_ms``.
    * ``suppress a`` isolates ``a``: it links to nothing.
    * ``release a`` lifts a suppression, else the firebreak of ``a``.
    * ``erase a`` deletes everything about the customer that owns ``a`` (:mod:`pipeline.event.erasure`).
    * ``opt_out a`` refuses later events of the customer that owns ``a``; ``opt_in a`` accepts them again.
    """

    tenant: str
    kind: Literal["link", "unlink", "logout", "suppress", "release", "erase", "opt_out", "opt_in"]
    a: Identifier
    b: Identifier
    """Empty for commands about one identifier, and a log-out without a person's identifier."""
    actor: str
    why: str
    timestamp_ms: int
    event_id: str = ""


class IdentityChange(msgspec.Struct, frozen=True, gc=False):
    """One record of the public topic ``identity.changes``, with the fields of ``schemas/identity-change.avsc``."""

    tenant: str
    seq: int
    """Increases with every decision of the tenant; records of one decision share it."""
    change: ChangeKind
    profile_id: str
    """The profile that remains after the change: the survivor, the one that identifiers left, or the member's."""
    other_profile_id: str
    """The other profile: merged (now an alias), split off, refused, or the household's. Empty if there is none."""
    founder: Identifier
    """The founding identifier of ``profile_id``."""
    identifiers: list[Identifier]
    """The identifiers whose profile changed, the ends of a refused link, or the member and the shared identifier."""
    rule: str
    """The deciding rule as text; empty if plain evidence decided."""
    reason: str
    trigger_event_id: str
    source: str
    actor: str
    """The person behind a command; else empty."""
    why: str
    timestamp_ms: int
    """Event time of the trigger; for a command, the time of the request. Milliseconds since 1970."""
