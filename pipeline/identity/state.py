"""The rows STITCH keeps. A component is a tree of parents plus a circle of members, so a union writes two rows.

A component is what open links connect. While it breaks no limit it is one customer, and only its root knows who; once
it may break one it is *marked for resolution*, and each member's identifier state says whose it is.
"""

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.event.ports import Table

FOREVER = (1 << 63) - 1
"""Later than any time: when an unlinked pair may link again, and the since_ms of a component without links."""
NEVER = -1
"""Earlier than any time."""
UNRESOLVED = "?"
"""The ``held`` of an edge that resolution has not seen yet."""


class Edge(msgspec.Struct, array_like=True, gc=False):
    """A link, kept in the row of its weaker end. Only extremes decide, so duplicates change nothing."""

    peer: Identifier
    """The stronger end."""
    first_seen_ms: int
    last_seen_ms: int
    count: int
    """Events that showed it, as far as told. 0: never seen, the edge only keeps a decision."""
    source: str
    event_id: str
    """Of the latest sighting that named an event."""
    asserted: bool = False
    ended_ms: int = NEVER
    """The pair does not link unless seen after this."""
    rejection: str = ""
    """Why resolution holds it, as last told; empty if accepted."""
    peer_ms: int = FOREVER
    """When the stronger end was first seen, alone or with others, as far as known."""
    apart: bool = False
    """The ends are of different customers, as the anchor's ledger was last told."""

    @property
    def alive(self) -> bool:
        """Seen since it was last ended."""
        return self.last_seen_ms > self.ended_ms


class Head(msgspec.Struct, array_like=True, gc=False):
    """What a component's root knows of all its members."""

    size: int
    since_ms: int
    """When the founder was first seen."""
    founder: Identifier
    """Empty if the component holds several customers."""
    counts_by_type: dict[str, int]
    """Identifiers by type."""
    needs_resolution: bool = False
    """A limit may be broken: every further link is resolved again with all the others."""


class IdentifierState(msgspec.Struct, array_like=True, gc=False):
    """What only few identifiers need to remember."""

    founder: Identifier = ""
    """Whose it is, in a component that holds several customers."""
    contested: list[Identifier] = []
    """As last told in an assignment."""
    suppressed: bool = False
    trusted: bool = False
    """Released by hand from the firebreak."""
    isolated: str = ""
    """Why it links to nothing; it is then a component of its own."""
    weaker: list[Identifier] = []
    """While closed: whose rows keep links with it, to be looked at when it opens."""
    forgetful: bool = False
    """Links in its row were forgotten, and with them what was told of them."""
    logged_out_ms: int = NEVER
    """When somebody last logged out there: persons who were seen no later no longer own it."""
    first_logout_ms: int = FOREVER
    """When somebody first logged out there."""


class Node(msgspec.Struct, array_like=True, gc=False):
    """One linked identifier. Identifiers that were never linked have no row."""

    parent: Identifier
    """The next node on the way to the root; empty at the root."""
    next: Identifier
    """The next member of the component's circle; itself when alone. Two circles join by swapping two of these."""
    edges: tuple[Edge, ...]
    """A tuple, since the garbage collector follows every list of a million cached rows."""
    head: Head | None
    """At the root only."""
    state: IdentifierState | None = None


class Counter(msgspec.Struct, array_like=True, gc=False):
    """The tenant's last sequence number."""

    seq: int


class StitchTables(msgspec.Struct, frozen=True):
    """One tenant's state. Keys are identifiers, and the empty string; the shell prefixes the tenant.

    Nothing is kept for a profile that was merged away: its id is the hash of an identifier, which has a row.
    """

    nodes: Table[Node]
    counters: Table[Counter]


def fresh(ident: Identifier) -> Node:
    """The row of an identifier without links: a component and a customer of its own."""
    return Node("", ident, (), Head(1, FOREVER, ident, {ident.partition(":")[0]: 1}))
