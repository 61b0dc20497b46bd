"""A profile's row: its ledgers, and for every leaf it ever heard of, who owns it now."""

from typing import Final, TypeAlias

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.identity.profile_id import profile_id as id_of
from pipeline.profile.ledger import Ledger, Owned

ROW_FORMAT: Final = 1

FOREVER: Final = 1 << 60
"""Later than any moment, in milliseconds; also more than any points: what is due then is not due."""

ACTIVE: Final = "active"
MERGED: Final = "merged"

Pointer: TypeAlias = tuple[int, str]
"""(seq, profile id): the leaf's owner from that seq on. A higher seq always wins."""


class Membership(msgspec.Struct, array_like=True, gc=False):
    """How a profile stands towards one segment. Kept only to tell changes: the ledgers and the moment decide."""

    inside: bool = False
    due_ms: int = FOREVER
    """Before this moment it cannot change unless a touch or a ledger comes."""
    changes: int = 0
    """How often it was entered and left: what the id of a change is made of."""


class ProfileRow(msgspec.Struct, array_like=True, gc=False):
    """State of one profile id, kept for ever: a profile that was merged away still forwards what is sent to it."""

    tenant: str
    format: int = ROW_FORMAT
    leaves: dict[Identifier, Ledger] = {}
    pointers: dict[Identifier, Pointer] = {}
    status: str = ""
    """As published last, ``active`` or ``merged``; "" before the first, or where another heir is to be named."""
    version: int = 0
    """Publications so far."""
    watched_by: int = 0
    """Fingerprint of the rules by which it was last decided what is due when."""
    triggers_due_ms: int = 0
    """No trigger can fire or re-arm before this moment, unless points, traits or a ledger come or go."""
    headroom: int = 0
    """No score can reach a mark that matters before this many points more are given; at or below 0: look."""
    segments: dict[str, Membership] = {}
    waits: bytes = b""
    """Bits of what the standings in segments wait for, little-endian: a touch without any of them changes none."""
    due_ms: int = 0
    """Before this moment time alone decides nothing here: the least of all dues. 0: look at everything."""
    decided_ms: int = 0
    """The latest moment that anything was decided for. Decisions never go back behind it."""
    timer_ms: int = 0
    """Due time of the profile's entry among the timers; 0: it has none."""
    heir: str = ""
    """The profile that the last ledger to leave this one, or to pass through, was sent to."""

    awaited: dict[Identifier, dict[Identifier, Owned]] = {}
    """What STITCH decided for ledgers that are still on their way here."""

    def unwatch(self) -> None:
        """What was said of times and headroom holds no more: rules changed, or a ledger came or went."""
        self.triggers_due_ms = self.headroom = self.due_ms = 0

    def moment(self, now_ms: int) -> int:
        """The moment to decide for: now, but neither before the newest touch nor before what was decided already."""
        return max(now_ms, self.decided_ms, self.latest_ms())

    def ledgers(self) -> list[Ledger]:
        """The ledgers in the order of their leaves, so that what is computed from them has one order."""
        leaves = self.leaves
        return list(leaves.values()) if len(leaves) == 1 else [leaves[leaf] for leaf in sorted(leaves)]

    def latest_ms(self) -> int:
        """Event time of the newest touch; 0 without one."""
        latest = 0
        for ledger in self.leaves.values():
            last = ledger.last
            if last is not None and last[0] > latest:
                latest = last[0]
        return latest

    def keep(self, leaf: Identifier, owned: dict[Identifier, Owned]) -> bool:
        """Note whose identifiers are, in the leaf's ledger once that is here. Whether it says something else now."""
        ledger = self.leaves.get(leaf)
        kept = self.awaited.setdefault(leaf, {}) if ledger is None else ledger.owned
        before = None if ledger is None else ledger.own_identifiers().keys()
        for ident, each in owned.items():
            kept[ident] = max(kept.get(ident, each), each)
        return ledger is not None and ledger.own_identifiers().keys() != before

    def arrived(self, leaf: Identifier) -> None:
        """A ledger is here: it takes what was awaited for it."""
        awaited = self.awaited.pop(leaf, None)
        if awaited:
            self.keep(leaf, awaited)

    def bequeath(self, heir: str) -> None:
        """A ledger was sent on."""
        if self.heir != heir:
            self.heir = heir
            if self.status == MERGED:
                self.status = ""

    def successor(self, profile_id: str) -> str:
        """Who took over from a profile without ledgers: its heir.

        Of one that never had any, the owner of the leaf it is named after; "" if that is itself. Heirs never form a
        circle: who was sent a ledger has it, or has sent it on since.
        """
        if self.heir:
            return self.heir
        owners = (owner for leaf, (_, owner) in self.pointers.items() if id_of(self.tenant, leaf) == profile_id)
        owner = next(owners, profile_id)
        return "" if owner == profile_id else owner
