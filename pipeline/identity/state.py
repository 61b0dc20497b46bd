"""STITCH's rows. A component is a tree of parents and a circle of members, so that a union writes two rows.

A component is the set of identifiers that open links connect. While it breaks no limit it is one customer, and its root
alone stores the founder. Once it may break a limit it is *marked for resolution*, and each member's state stores the
founder.
"""

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.event.ports import Table

FOREVER = (1 << 63) - 1
"""Later than any time: ``ended_ms`` of an unlinked pair, and ``since_ms`` of a component without links."""
NEVER = -1
"""Earlier than any time."""
UNRESOLVED = "?"
"""The ``rejection`` of an edge that was never resolved."""


class Edge(msgspec.Struct, array_like=True, gc=False):
    """A link, stored in the row of its weaker end. Only extremes are stored, so that duplicates change nothing."""

    peer: Identifier
    """The stronger end."""
    first_seen_ms: int
    last_seen_ms: int
    count: int
    """Events with the link, as last reported by INTAKE. 0: never seen, the edge only stores a decision."""
    source: str
    event_id: str
    """Event id of the latest sighting with an event."""
    asserted: bool = False
    ended_ms: int = NEVER
    """The pair links only if it was seen after this time, in ms since 1970."""
    rejection: str = ""
    """The last published reason for rejection; empty if accepted."""
    peer_ms: int = FOREVER
    """When the stronger end was first seen, as far as known, in ms since 1970."""
    apart: bool = False
    """Whether the ends belong to different customers, as last sent to the anchor's ledger."""

    @property
    def alive(self) -> bool:
        """Whether it was seen after it was last ended."""
        return self.last_seen_ms > self.ended_ms


class Head(msgspec.Struct, array_like=True, gc=False):
    """The summary of a component, stored at its root."""

    size: int
    since_ms: int
    """When the founder was first seen, in ms since 1970."""
    founder: Identifier
    """Empty if the component consists of several customers."""
    counts_by_type: dict[str, int]
    """Number of identifiers by type."""
    needs_resolution: bool = False
    """Whether a limit may be broken. Every further link then resolves the whole component again."""
    facts: dict[str, Identifier] = {}
    """The fact of each type (:mod:`~pipeline.identity.veto`). A component with two of one type needs resolution."""


class IdentifierState(msgspec.Struct, array_like=True, gc=False):
    """State that few identifiers need."""

    founder: Identifier = ""
    """The founder of its customer, in a component of several customers."""
    contested: list[Identifier] = []
    """The contested ends of the last assignment."""
    suppressed: bool = False
    trusted: bool = False
    """Whether a person released it from its firebreak."""
    isolated: str = ""
    """The reason if it is isolated; it is then a component of its own. Empty if not."""
    weaker: list[Identifier] = []
    """While isolated: the identifiers whose rows contain links with it. They are loaded when the isolation ends."""
    forgetful: bool = False
    """Whether links of its row were forgotten, and with them their last published state."""
    logged_out_ms: int = NEVER
    """Time of the last log-out from it. People not seen with it since then no longer own it."""
    first_logout_ms: int = FOREVER
    """Time of the first log-out from it."""


class Node(msgspec.Struct, array_like=True, gc=False):
    """The row of a linked identifier. Identifiers that were never linked have no row."""

    parent: Identifier
    """The parent in the tree; empty at the root."""
    next: Identifier
    """The next member of the circle; itself when alone. Swapping two of these joins two circles."""
    edges: tuple[Edge, ...]
    """The links of which this is the weaker end. A tuple, because lists in a million cached rows slow the garbage
    collector."""
    head: Head | None
    """Set at the root only."""
    state: IdentifierState | None = None


class Counter(msgspec.Struct, array_like=True, gc=False):
    """The tenant's last sequence number."""

    seq: int


class StitchTables(msgspec.Struct, frozen=True):
    """One tenant's state. Keys are identifiers, and the empty string for the counter; the shell prefixes the tenant.

    A merged profile needs no row: its id is the hash of an identifier, and that identifier has a row.
    """

    nodes: Table[Node]
    counters: Table[Counter]


def fresh(ident: Identifier) -> Node:
    """Returns the row of an identifier without links: a component and a customer of its own."""
    return Node("", ident, (), Head(1, FOREVER, ident, {ident.partition(":")[0]: 1}))
