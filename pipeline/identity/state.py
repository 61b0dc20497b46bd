"""The rows STITCH keeps. A component is a tree of parents plus a circle of members, so a union writes two rows."""

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.event.ports import Table

ALONE = (1 << 63) - 1
"""The since_ms of a component without links: younger than anything."""


class Edge(msgspec.Struct, array_like=True, gc=False):
    """A link, kept in the row of its weaker end. Only extremes are kept, so that duplicates change nothing."""

    peer: Identifier
    """The stronger end."""
    first_seen_ms: int
    last_seen_ms: int
    count: int
    source: str
    event_id: str
    """The oldest sighting's."""


class Head(msgspec.Struct, array_like=True, gc=False):
    """What a component's root knows of all its members."""

    size: int
    since_ms: int
    """The oldest first_seen of any link: when the founder was first seen."""
    founder: Identifier


class Node(msgspec.Struct, array_like=True, gc=False):
    """One linked identifier. Identifiers that were never linked have no row."""

    parent: Identifier
    """The next node on the way to the root; empty at the root."""
    next: Identifier
    """The next member of the component's circle; itself when alone. Two circles join by swapping two of these."""
    edges: list[Edge]
    head: Head | None
    """At the root only."""


class Counter(msgspec.Struct, array_like=True, gc=False):
    """The tenant's last sequence number."""

    seq: int


class StitchTables(msgspec.Struct, frozen=True):
    """One tenant's state. Keys are identifiers, profile ids, and the empty string; the shell prefixes the tenant."""

    nodes: Table[Node]
    aliases: Table[Identifier]
    """Every profile id that was ever merged away: its founding identifier, whose profile today is the answer."""
    counters: Table[Counter]
