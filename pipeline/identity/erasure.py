"""Erasing a customer from STITCH's rows, and what older links may still hold about one.

The customer is the group of identifiers that share a profile when the command is read. Their rows are deleted. The rest
of the component loses its links with them and is resolved again.
"""

from collections.abc import Iterable

import msgspec

from pipeline.event.erasure import NO_DECISION, Mark, Marks
from pipeline.event.identifier import Identifier, type_of
from pipeline.event.link import NEVER as NO_TIME
from pipeline.event.ports import Table
from pipeline.identity.messages import Link
from pipeline.identity.state import FOREVER, Edge, Head, IdentifierState, Node
from pipeline.identity.union_find import UnionFind


class Customer(msgspec.Struct):
    """An identifier's customer within its component."""

    founder: Identifier
    identifiers: list[Identifier]
    """Sorted; the identifier itself if it was never linked."""
    others: list[Identifier]
    """The other members of the component, sorted."""


def customer_of(ident: Identifier, union_find: UnionFind, nodes: Table[Node]) -> Customer:
    """Returns the customer that owns an identifier."""
    node = nodes.get(ident)
    if node is None:
        return Customer(ident, [ident], [])
    founder = union_find.founder(ident)
    root, row, head = union_find.root(ident, node)
    own: list[Identifier] = []
    others: list[Identifier] = []
    for member, member_row in union_find.members(root, row):
        state = member_row.state
        (own if ((state and state.founder) or head.founder) == founder else others).append(member)
    return Customer(founder, sorted(own), sorted(others))


def erase_rows(customer: Customer, union_find: UnionFind, nodes: Table[Node]) -> dict[Identifier, list[Identifier]]:
    """Deletes a customer's rows. Makes every other member of the component one of its own that must be resolved.

    Returns the contested ends that remain, of members that contested an erased identifier.
    """
    erased = set(customer.identifiers)
    founders = {ident: union_find.founder(ident) for ident in customer.others}
    contests: dict[Identifier, list[Identifier]] = {}
    for ident in customer.others:
        node = union_find.row(ident)
        state = msgspec.structs.replace(node.state or IdentifierState(), founder=founders[ident])
        remaining = [end for end in state.contested if end not in erased]
        if remaining != state.contested:
            contests[ident] = remaining
        state.contested, state.weaker = remaining, [weak for weak in state.weaker if weak not in erased]
        head = Head(1, FOREVER, "", {type_of(ident): 1}, needs_resolution=True)
        edges = tuple(edge for edge in node.edges if edge.peer not in erased)
        nodes.put(ident, Node("", ident, edges, head, state))
    for ident in customer.identifiers:
        nodes.delete(ident)
    return contests


def newer_part(link: Link, marks: Marks) -> Link | None:
    """Returns a link without sightings from before its ends were erased; None if none is left."""
    ends = (marks.of(link.tenant, link.anchor), marks.of(link.tenant, link.other))
    erased_ms = max((mark.erased_ms for mark in ends if mark is not None), default=NO_TIME)
    if erased_ms == NO_TIME:
        return link
    if link.last_seen_ms <= erased_ms:
        return None
    if link.first_seen_ms > erased_ms and link.anchor_first_ms > erased_ms:
        return link
    anchor = ends[0]
    anchor_first_ms = link.anchor_first_ms
    if anchor is not None and anchor_first_ms <= anchor.erased_ms:
        anchor_first_ms = NO_TIME
    first_ms = max(link.first_seen_ms, erased_ms + 1)
    return msgspec.structs.replace(link, first_seen_ms=first_ms, anchor_first_ms=anchor_first_ms)


def cleaned_node(tenant: str, node: Node, marks: Marks) -> Node:
    """Returns a row without links with erased identifiers: the row itself if it has none.

    Contested ends stay, because their removal must be published (:func:`remaining_contests`).
    """
    edges = tuple(edge for edge in node.edges if not _is_erased(edge, marks.of(tenant, edge.peer)))
    state = node.state
    weaker = [] if state is None else _not_erased(tenant, state.weaker, marks)
    if len(edges) == len(node.edges) and (state is None or len(weaker) == len(state.weaker)):
        return node
    if state is not None:
        state = msgspec.structs.replace(state, weaker=weaker)
        state = None if state == IdentifierState() else state
    return Node(node.parent, node.next, edges, node.head, state)


def remaining_contests(tenant: str, node: Node, marks: Marks) -> list[Identifier] | None:
    """Returns the contested ends of a row that were not erased; None if all remain."""
    contested = [] if node.state is None else node.state.contested
    remaining = _not_erased(tenant, contested, marks)
    return None if len(remaining) == len(contested) else remaining


def _is_erased(edge: Edge, mark: Mark | None) -> bool:
    if mark is None or mark.erased_seq == NO_DECISION:
        return False
    return not edge.count or edge.first_seen_ms <= mark.erased_ms


def _not_erased(tenant: str, idents: Iterable[Identifier], marks: Marks) -> list[Identifier]:
    marked = ((ident, marks.of(tenant, ident)) for ident in idents)
    return [ident for ident, mark in marked if mark is None or mark.erased_seq == NO_DECISION]
