"""A profile's row: its ledgers, ownership, segments, schedule, and the state of its last publication.

Each part has one writer: :mod:`pipeline.profile.logic` writes ``ownership`` and ``published``,
:mod:`pipeline.trigger.membership` writes ``segments`` and ``watch_bits``, and :mod:`pipeline.trigger.decide` writes
``schedule``. All other modules call methods of the row.
"""

from collections.abc import Iterable
from typing import Final, TypeAlias

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.identity.profile_id import profile_id as id_of
from pipeline.profile.ledger import Ledger, Owned
from pipeline.profile.repeated_orders import without_repeated_orders

ROW_FORMAT: Final = 2

FOREVER: Final = 1 << 60
"""Later than any time in milliseconds, and more than any number of points: never due."""

ACTIVE: Final = "active"
MERGED: Final = "merged"

Pointer: TypeAlias = tuple[int, str]
"""(seq, profile id): the anchor's owner from ``seq`` on. A higher seq always wins."""


class Membership(msgspec.Struct, array_like=True, gc=False):
    """The state of a profile in one segment. Only for detecting changes: ledgers and time determine membership."""

    inside: bool = False
    due_ms: int = FOREVER
    """The time before which only a touch or a ledger can change it, in ms since 1970."""
    changes: int = 0
    """Number of entries and exits so far, which is part of the id of a change."""


class Ownership(msgspec.Struct, array_like=True, gc=False):
    """The owner of each anchor in this profile's messages so far."""

    pointers: dict[Identifier, Pointer] = {}
    handed_to: str = ""
    """The profile to which the last ledger was handed over or forwarded."""
    awaited: dict[Identifier, dict[Identifier, Owned]] = {}
    """By anchor, STITCH's decisions about identifiers of a ledger that has not arrived yet."""

    def owner_of(self, profile_id: str, anchor: Identifier, seq: int) -> str:
        """Returns the owner of an anchor for a message sent to this profile as owner at ``seq`` (0: no known seq).

        A seq above the pointer's makes this profile the owner.
        """
        known = self.pointers.get(anchor)
        if known is None or seq > known[0]:
            if seq:
                self.pointers[anchor] = (seq, profile_id)
            return profile_id
        return known[1]

    def move(self, anchors: Iterable[Identifier], seq: int, target: str) -> list[Identifier]:
        """Sets the pointers of anchors to their owner from ``seq`` on. Returns the anchors whose pointer changed."""
        pointers = self.pointers
        moved = [anchor for anchor in anchors if anchor not in pointers or seq > pointers[anchor][0]]
        pointers.update(dict.fromkeys(moved, (seq, target)))
        return moved


class Schedule(msgspec.Struct, array_like=True, gc=False):
    """The times and points at which a profile must be evaluated again. Times are in ms since 1970."""

    rules_fingerprint: int = 0
    """Fingerprint of the rules under which due times and headroom were computed."""
    triggers_due_ms: int = 0
    """The time before which no trigger can fire or re-arm without a change of points, traits or ledgers."""
    headroom: int = 0
    """Points that may be added before a score can reach a relevant threshold. At or below 0: evaluate the triggers."""
    due_ms: int = 0
    """The least of all due times, before which time alone changes nothing. 0: evaluate everything."""
    decided_ms: int = 0
    """The time of the last decision. No later decision is made for an earlier time."""
    timer_ms: int = 0
    """Due time of the profile's timer; 0 if it has none."""

    def reset(self) -> None:
        """Clears due times and headroom, after the rules changed or a ledger arrived or left."""
        self.triggers_due_ms = self.headroom = self.due_ms = 0

    def set_triggers(self, due_ms: int, headroom: int) -> None:
        """Sets the time and the points at which triggers must be evaluated again."""
        self.triggers_due_ms, self.headroom = due_ms, headroom

    def mark_decided(self, as_of_ms: int) -> None:
        """Marks everything due up to ``as_of_ms`` as decided."""
        self.decided_ms = as_of_ms

    def take_timer(self, due_ms: int) -> bool:
        """Clears the timer if it is due at ``due_ms``. Returns False if that entry was superseded."""
        if self.timer_ms != due_ms:
            return False
        self.timer_ms = 0
        return True

    def set_timer(self, due_ms: int) -> bool:
        """Sets an earlier timer. Returns False if none is needed or the current one is early enough."""
        if due_ms >= FOREVER or 0 < self.timer_ms <= due_ms:
            return False
        self.timer_ms = due_ms
        return True


class Published(msgspec.Struct, array_like=True, gc=False):
    """The state of the last publication."""

    status: str = ""
    """``active`` or ``merged``; "" before the first publication, or if a merge must be published again."""
    version: int = 0
    """Number of publications so far."""

    def advance(self, status: str) -> None:
        """Counts a publication."""
        self.status, self.version = status, self.version + 1


class ProfileRow(msgspec.Struct, array_like=True, gc=False):
    """The state of one profile id. Only an erasure deletes it, because a merged profile still forwards its messages."""

    tenant: str
    format: int = ROW_FORMAT
    anchors: dict[Identifier, Ledger] = {}
    segments: dict[str, Membership] = {}
    watch_bits: bytes = b""
    """Bits that can change a segment, little-endian. A touch without any of them changes no segment."""
    ownership: Ownership = msgspec.field(default_factory=Ownership)
    schedule: Schedule = msgspec.field(default_factory=Schedule)
    published: Published = msgspec.field(default_factory=Published)

    @property
    def is_empty(self) -> bool:
        """Whether the row neither holds nor forwards anything."""
        return not (self.anchors or self.ownership.pointers or self.ownership.awaited)

    def moment(self, now_ms: int) -> int:
        """Returns the time to decide for: the latest of ``now_ms``, the newest touch and the last decision."""
        # A decision is never for a time before the newest touch, so only a row without decisions needs a look at it.
        return max(now_ms, self.schedule.decided_ms or self.latest_ms())

    def ledgers(self) -> list[Ledger]:
        """Returns the ledgers to read, sorted by anchor, so that results do not depend on their order of arrival.

        An order that several ledgers contain is in one of them only. Callers must not change the ledgers.
        """
        anchors = self.anchors
        if len(anchors) == 1:
            return list(anchors.values())
        return without_repeated_orders([anchors[anchor] for anchor in sorted(anchors)])

    def latest_ms(self) -> int:
        """Returns the event time of the newest touch in ms; 0 without one."""
        latest = 0
        for ledger in self.anchors.values():
            last = ledger.last
            if last is not None and last[0] > latest:
                latest = last[0]
        return latest

    def keep(self, anchor: Identifier, owned: dict[Identifier, Owned]) -> bool:
        """Stores which identifiers of an anchor's events belong to its customer, in the ledger or until it arrives.

        Returns whether the ledger's own identifiers changed.
        """
        ledger = self.anchors.get(anchor)
        kept = self.ownership.awaited.setdefault(anchor, {}) if ledger is None else ledger.owned
        before = None if ledger is None else ledger.own_identifiers().keys()
        for ident, item in owned.items():
            kept[ident] = max(kept.get(ident, item), item)
        return ledger is not None and ledger.own_identifiers().keys() != before

    def arrived(self, anchor: Identifier) -> None:
        """Applies the awaited decisions about identifiers to a ledger that has arrived."""
        awaited = self.ownership.awaited.pop(anchor, None)
        if awaited:
            self.keep(anchor, awaited)

    def hand_over(self, target: str) -> None:
        """Records that a ledger was sent to another profile. A new target requires publishing the merge again."""
        if self.ownership.handed_to != target:
            self.ownership.handed_to = target
            if self.published.status == MERGED:
                self.published.status = ""

    def current_id(self, profile_id: str) -> str:
        """Returns the next profile on the way to the one that replaces this profile without ledgers.

        If it never held a ledger: the current owner of its founding identifier, or "" if that is this profile.
        Following the targets never loops: each target holds the ledger, or has sent it on later.
        """
        if self.ownership.handed_to:
            return self.ownership.handed_to
        pointers = self.ownership.pointers.items()
        owners = (owner for anchor, (_, owner) in pointers if id_of(self.tenant, anchor) == profile_id)
        owner = next(owners, profile_id)
        return "" if owner == profile_id else owner
