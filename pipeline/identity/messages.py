"""What travels into and out of STITCH. Internal topics carry these as msgpack arrays; changes go out as Avro."""

from typing import Literal, TypeAlias

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.event.link import Link

__all__ = ["Assignment", "ChangeKind", "Command", "IdentityChange", "Link", "Move"]

ChangeKind: TypeAlias = Literal[
    "merged", "split", "refused", "evicted", "quarantined", "released", "linked", "unlinked", "joined", "left"
]


class Assignment(msgspec.Struct, array_like=True, gc=False):
    """An identifier belongs to a profile; keyed by ``tenant/identifier``, compacted, the highest ``seq`` wins."""

    profile_id: str
    seq: int
    contested: list[Identifier] = []
    """Identifiers whose links with this anchor INTAKE must always pass on: their owner can change with each event."""


class Move(msgspec.Struct, array_like=True, gc=False, tag="move", tag_field="record"):
    """The ledgers of ``anchors`` now belong to ``target``. The highest ``seq`` of an anchor wins.

    What leaves one profile for another at once is one message: of a profile that merged, everything. It is sent to the
    profile that is left, whose pointers then lead to the other; and to the other, if that is named after one of them.
    """

    tenant: str
    anchors: list[Identifier]
    source: str
    """Profile id that held the anchors."""
    target: str
    """Profile id that owns them from ``seq`` on."""
    seq: int


class IdentifierOwnership(msgspec.Struct, array_like=True, gc=False, tag="ownership", tag_field="record"):
    """Which identifiers of an anchor's events are its customer's. What was never said of is the customer's.

    It goes to the profile that owns the anchor, whose ledger keeps it: where the ledger goes, it goes.
    """

    tenant: str
    anchor: Identifier
    """The anchor."""
    seq: int
    """The profile that this is sent to owns the anchor from then on."""
    owned: dict[Identifier, bool]
    decided: int
    """STITCH's number of the decision; of two about one identifier the higher holds."""


class Command(msgspec.Struct, array_like=True, gc=False, tag="command", tag_field="record"):
    """A person's decision about identifiers, on the same log as the links, with who and why.

    ``link a b`` asserts a link that no type limit can hold; ``unlink a b`` deletes the pair's link for good, whatever
    events still say, until ``link a b``; ``logout a b`` deletes it until the pair is next seen after ``timestamp_ms``,
    and so every other person's link with the weaker of the two, ``logout a`` every person's link with ``a``;
    ``suppress a`` lets ``a`` link to nothing; ``release a`` lifts that, or the firebreak of an identifier that is known
    to be sound.
    """

    tenant: str
    kind: Literal["link", "unlink", "logout", "suppress", "release"]
    a: Identifier
    b: Identifier
    """Empty for suppress, release, and a log-out that names no person."""
    actor: str
    why: str
    timestamp_ms: int
    event_id: str = ""


class IdentityChange(msgspec.Struct, frozen=True, gc=False):
    """One line of the public log ``identity.changes``; the fields of ``schemas/identity-change.avsc``, in its order."""

    tenant: str
    seq: int
    """Rises with every decision of the tenant; lines of one decision share it."""
    change: ChangeKind
    profile_id: str
    """The profile that stands after the change: the survivor, the one that identifiers left, the household's member."""
    other_profile_id: str
    """The other party: merged away (an alias from now on), split off, refused, the household. Empty: there is none."""
    founder: Identifier
    """The founding identifier of ``profile_id``."""
    identifiers: list[Identifier]
    """Those whose profile changed, the two ends of the link that was refused, or the member and what it shares."""
    rule: str
    """The rule that decided, as text; empty where plain evidence did."""
    reason: str
    trigger_event_id: str
    source: str
    actor: str
    """Who, for a command; else empty."""
    why: str
    timestamp_ms: int
    """Event time of the trigger; for a command, the time of the request. Milliseconds since 1970."""
