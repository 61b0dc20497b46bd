"""Identity: the links of a customer, why two identifiers are one customer, the graph, and what changed."""

from typing import TYPE_CHECKING, Any, Final

import msgspec
from sqlalchemy import or_, select, tuple_

from pipeline.event.identifier import Identifier
from pipeline.identity.explain import around
from pipeline.identity.filter_links import RejectedLink
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.profile_id import profile_id
from pipeline.query.households import household_facts
from pipeline.query.links import link_facts, why_facts
from pipeline.query.naming import is_profile_id
from pipeline.serve.model.tables import identity_changes
from pipeline.serve.read.context import ReadContext
from pipeline.serve.read.pages import Page, cursor_of, numbers_in
from pipeline.serve.read.stored_graph import IndexedIdentity

if TYPE_CHECKING:
    from pipeline.query.graph import Graph

NEAREST: Final = 2_000
"""Identifiers that one query follows."""


class IdentityReads:
    """Reads the identity graph and its changes."""

    def __init__(self, context: ReadContext) -> None:
        self._context = context
        self._policy = IdentityPolicy(context.rules.identity)

    def links(self, tenant: str, text: str) -> dict[str, Any] | None:
        """Returns a customer's identifiers, accepted links, and rejected links with their reasons.

        Returns None if nothing was ever linked to the identifier or id.

        Raises:
            NotAnIdentifierError: the text is neither an identifier nor a profile id.
        """
        with self._context.store.reading() as connection:
            stored = IndexedIdentity(connection, tenant)
            ident = self._linked(stored, text)
            if ident is None:
                return None
            area = stored.around([ident], self._policy, NEAREST)
        members, accepted, rejected = around(ident, area.resolution)
        founder = area.resolution.founder_of.get(ident, ident)
        return {
            "profile_id": profile_id(tenant, founder),
            "founder": founder,
            "identifiers": members,
            "links": [_link(item.strong, item.weak, link_facts(item, None)) for item in accepted],
            "rejected": [_rejected(item) for item in rejected],
            "complete": area.whole,
        }

    def why(self, tenant: str, a: str, b: str) -> dict[str, Any]:
        """Returns why two identifiers are one customer or not: the path between them and the obstacles on it.

        Raises:
            NotAnIdentifierError: a text is not an identifier.
        """
        ends = (
            self._context.naming.identifier(a, or_blocked=True),
            self._context.naming.identifier(b, or_blocked=True),
        )
        with self._context.store.reading() as connection:
            answer, area = IndexedIdentity(connection, tenant).why(*ends, self._policy, NEAREST)
        return why_facts(tenant, ends, answer, area.resolution) | {"complete": area.whole}

    def graph(self, tenant: str, text: str) -> "Graph | None":
        """Returns the graph of a customer, for :meth:`drawn` or for JSON; None if nothing was ever linked to it.

        Raises:
            NotAnIdentifierError: the text is neither an identifier nor a profile id.
        """
        from pipeline.query.graph import customer_graph  # noqa: PLC0415  only graphs wait for networkx

        with self._context.store.reading() as connection:
            stored = IndexedIdentity(connection, tenant)
            ident = self._linked(stored, text)
            if ident is None:
                return None
            return customer_graph(tenant, ident, stored.around([ident], self._policy, NEAREST).resolution)

    def drawn(self, graph: "Graph") -> str:
        """Returns a graph as SVG text."""
        from pipeline.export.drawing import draw  # noqa: PLC0415

        return draw(graph, self._policy)

    def households(self, tenant: str, text: str) -> list[dict[str, Any]] | None:
        """Returns the households of an identifier or profile, with their members; None if it was never linked.

        Raises:
            NotAnIdentifierError: the text is neither an identifier nor a profile id.
        """
        with self._context.store.reading() as connection:
            stored = IndexedIdentity(connection, tenant)
            ident = self._linked(stored, text)
            if ident is None:
                return None
            return [household_facts(stored, shared) for shared in stored.households.shared_by(ident)]

    def changes(self, tenant: str, *, profile_id: str = "", limit: int = 50, cursor: str = "") -> Page:
        """Returns identity changes, newest first; those of one profile, on either side, if an id is given.

        Raises:
            CursorError: ``cursor`` is not one of this list.
        """
        table = identity_changes.c
        order = (table.seq, table.partition, table.offset)
        statement = select(table.body, *order).where(table.tenant == tenant)
        if profile_id:
            statement = statement.where(or_(table.profile_id == profile_id, table.other_profile_id == profile_id))
        if cursor:
            statement = statement.where(tuple_(*order) < tuple(numbers_in(cursor, 3)))
        statement = statement.order_by(*(column.desc() for column in order)).limit(limit + 1)
        with self._context.store.reading() as connection:
            rows = connection.execute(statement).all()
        shown = rows[:limit]
        items = [msgspec.json.decode(row.body) for row in shown]
        return Page(items, cursor_of(*shown[-1][1:]) if len(rows) > limit else "")

    def _linked(self, stored: IndexedIdentity, text: str) -> Identifier | None:
        by_id = is_profile_id(text.lower())
        ident = stored.named_after(text.lower()) if by_id else self._context.naming.identifier(text, or_blocked=True)
        return ident if ident is not None and stored.knows(ident) else None


def _link(strong: Identifier, weak: Identifier, known: dict[str, Any]) -> dict[str, Any]:
    return {"strong": strong, "weak": weak, **known}


def _rejected(item: RejectedLink) -> dict[str, Any]:
    return _link(item.merged_link.strong, item.merged_link.weak, link_facts(item.merged_link, item))
