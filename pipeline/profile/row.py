"""A profile's row: its ledgers, and around them ownership, segments, schedule, and what was published last.

Each part is changed in one place: ``ownership`` and ``published`` by :mod:`pipeline.profile.logic`, ``segments`` and
``watch_bits`` by :mod:`pipeline.trigger.membership`, ``schedule`` by :mod:`pipeline.trigger.decide`; any other module
calls a method that says what happened.
"""

from collections.abc import Iterable
from typing import Final, TypeAlias

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.identity.profile_id import profile_id as id_of
from pipeline.profile.ledger import Ledger, Owned

ROW_FORMAT: Final = 2

FOREVER: Final = 1 << 60
"""Later than any moment, in milliseconds; also more than any points: what is due then is not due."""

ACTIVE: Final = "active"
MERGED: Final = "merged"

Pointer: TypeAlias = tuple[int, str]
"""(seq, profile id): the anchor's owner from that seq on. A higher seq always wins."""


class Membership(msgspec.Struct, array_like=True, gc=False):
    """The state of a profile in one segment. Kept only to detect changes: the ledgers and the moment decide."""

    inside: bool = False
    due_ms: int = FOREVER
    """Before this moment it cannot change unless a touch or a ledger comes."""
    changes: int = 0
    """How often it was entered and left: what the id of a change is made of."""


class Ownership(msgspec.Struct, array_like=True, gc=False):
    """Which profile owns each anchor that this profile has heard of."""

    pointers: dict[Identifier, Pointer] = {}
    handed_to: str = ""
    """The profile that the last ledger to leave this one, or to pass through, was sent to."""
    awaited: dict[Identifier, dict[Identifier, Owned]] = {}
    """By anchor, what STITCH decided about identifiers of a ledger that is still on its way here."""

    def owner_of(self, profile_id: str, anchor: Identifier, seq: int) -> str:
        """The owner of an anchor, where the sender knew this profile as its owner at ``seq`` (0: at no known seq).

        A seq above the pointer's makes this profile the owner.
        """
        known = self.pointers.get(anchor)
        if known is None or seq > known[0]:
            if seq:
                self.pointers[anchor] = (seq, profile_id)
            return profile_id
        return known[1]

    def move(self, anchors: Iterable[Identifier], seq: int, target: str) -> list[Identifier]:
        """Point anchors to their owner from ``seq`` on. Returns the anchors whose pointer changed."""
        pointers = self.pointers
        moved = [anchor for anchor in anchors if anchor not in pointers or seq > pointers[anchor][0]]
        pointers.update(dict.fromkeys(moved, (seq, target)))
        return moved


class Schedule(msgspec.Struct, array_like=True, gc=False):
    """When a profile must be looked at again, by time or by points."""

    rules_fingerprint: int = 0
    """Fingerprint of the rules that the due times and the headroom were computed by."""
    triggers_due_ms: int = 0
    """No trigger can fire or re-arm before this moment, unless points, traits or a ledger come or go."""
    headroom: int = 0
    """No score can reach a threshold that matters before this many points more are given; at or below 0: look."""
    due_ms: int = 0
    """Before this moment time alone decides nothing here: the least of all dues. 0: look at everything."""
    decided_ms: int = 0
    """The latest moment that anything was decided for. Decisions never go back behind it."""
    timer_ms: int = 0
    """Due time of the profile's entry among the timers; 0: it has none."""

    def reset(self) -> None:
        """Forget due times and headroom, because rules changed, or a ledger came or went."""
        self.triggers_due_ms = self.headroom = self.due_ms = 0

    def set_triggers(self, due_ms: int, headroom: int) -> None:
        """Note when, and after how many points, to look at the triggers again."""
        self.triggers_due_ms, self.headroom = due_ms, headroom

    def mark_decided(self, as_of_ms: int) -> None:
        """Note that everything due up to a moment was decided."""
        self.decided_ms = as_of_ms

    def take_timer(self, due_ms: int) -> bool:
        """Clear the timer if it is the one due at ``due_ms``. False: that entry was superseded."""
        if self.timer_ms != due_ms:
            return False
        self.timer_ms = 0
        return True

    def set_timer(self, due_ms: int) -> bool:
        """Note an earlier timer. False: none is needed, or the one there is comes early enough."""
        if due_ms >= FOREVER or 0 < self.timer_ms <= due_ms:
            return False
        self.timer_ms = due_ms
        return True


class Published(msgspec.Struct, array_like=True, gc=False):
    """What was published last."""

    status: str = ""
    """``active`` or ``merged``; "" before the first, or where the profile is to be published as merged again."""
    version: int = 0
    """Publications so far."""

    def advance(self, status: str) -> None:
        """Count a publication."""
        self.status, self.version = status, self.version + 1


class ProfileRow(msgspec.Struct, array_like=True, gc=False):
    """State of one profile id, kept for ever: a profile that was merged away still forwards what is sent to it."""

    tenant: str
    format: int = ROW_FORMAT
    anchors: dict[Identifier, Ledger] = {}
    segments: dict[str, Membership] = {}
    watch_bits: bytes = b""
    """Bits that can change a segment, little-endian: a touch without any of them changes none."""
    ownership: Ownership = msgspec.field(default_factory=Ownership)
    schedule: Schedule = msgspec.field(default_factory=Schedule)
    published: Published = msgspec.field(default_factory=Published)

    def moment(self, now_ms: int) -> int:
        """The moment to decide for: now, but neither before the newest touch nor before what was decided already."""
        return max(now_ms, self.schedule.decided_ms, self.latest_ms())

    def ledgers(self) -> list[Ledger]:
        """The ledgers in the order of their anchors, so that what is computed from them has one order."""
        anchors = self.anchors
        return list(anchors.values()) if len(anchors) == 1 else [anchors[anchor] for anchor in sorted(anchors)]

    def latest_ms(self) -> int:
        """Event time of the newest touch; 0 without one."""
        latest = 0
        for ledger in self.anchors.values():
            last = ledger.last
            if last is not None and last[0] > latest:
                latest = last[0]
        return latest

    def keep(self, anchor: Identifier, owned: dict[Identifier, Owned]) -> bool:
        """Note which identifiers of an anchor's events are its customer's, in the ledger once that is here.

        Returns whether the ledger's own identifiers changed.
        """
        ledger = self.anchors.get(anchor)
        kept = self.ownership.awaited.setdefault(anchor, {}) if ledger is None else ledger.owned
        before = None if ledger is None else ledger.own_identifiers().keys()
        for ident, item in owned.items():
            kept[ident] = max(kept.get(ident, item), item)
        return ledger is not None and ledger.own_identifiers().keys() != before

    def arrived(self, anchor: Identifier) -> None:
        """Give a ledger that has come what was decided about its identifiers before."""
        awaited = self.ownership.awaited.pop(anchor, None)
        if awaited:
            self.keep(anchor, awaited)

    def hand_over(self, target: str) -> None:
        """Note that a ledger was sent to another profile. If that is a new one, the merge must be published again."""
        if self.ownership.handed_to != target:
            self.ownership.handed_to = target
            if self.published.status == MERGED:
                self.published.status = ""

    def current_id(self, profile_id: str) -> str:
        """The profile that a profile without ledgers stands for now.

        If it never held a ledger: the current owner of its founding identifier, or "" if that is this profile. The
        profiles that ledgers were handed to never form a circle: each holds the ledger, or has sent it on since.
        """
        if self.ownership.handed_to:
            return self.ownership.handed_to
        pointers = self.ownership.pointers.items()
        owners = (owner for anchor, (_, owner) in pointers if id_of(self.tenant, anchor) == profile_id)
        owner = next(owners, profile_id)
        return "" if owner == profile_id else owner
