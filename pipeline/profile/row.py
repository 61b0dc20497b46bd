"""A profile's row: its ledgers, and for every leaf it ever heard of, who owns it now."""

from typing import Final, TypeAlias

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.profile.ledger import Ledger

ROW_FORMAT: Final = 1

Pointer: TypeAlias = tuple[int, str]
"""(seq, profile id): the leaf's owner from that seq on. A higher seq always wins."""


class ProfileRow(msgspec.Struct, array_like=True, gc=False):
    """State of one profile id, kept for ever: a profile that was merged away still forwards what is sent to it."""

    tenant: str
    format: int = ROW_FORMAT
    leaves: dict[Identifier, Ledger] = {}
    pointers: dict[Identifier, Pointer] = {}
    status: str = ""
    """"" before the first publication, then ``active`` or ``merged``."""
    version: int = 0
    """Publications so far."""
    watched_by: int = 0
    """Fingerprint of the rules that ``rearm_due_ms`` and ``headroom`` were computed by."""
    rearm_due_ms: int = 0
    """No open episode can close before this moment, unless points are taken."""
    headroom: int = 0
    """No trigger can fire before this many points more are given; at or below 0: look."""

    def unwatch(self) -> None:
        """What was said of triggers holds no more: a ledger came or went."""
        self.rearm_due_ms = self.headroom = 0

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

    def successor(self, profile_id: str) -> str:
        """Who took over from a profile without ledgers: its newest pointer's owner; "" if that is itself."""
        owner = max(self.pointers.values(), default=(0, profile_id))[1]
        return "" if owner == profile_id else owner
