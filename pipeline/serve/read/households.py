"""Households: the identifiers that separate customers share, with those customers."""

from typing import Final

from sqlalchemy import and_, false, or_, select

from pipeline.identity.policy import IdentityPolicy
from pipeline.query.households import household_facts
from pipeline.serve.model.tables import nodes
from pipeline.serve.read.context import ReadContext
from pipeline.serve.read.pages import Page, cursor_behind, text_in
from pipeline.serve.read.stored_graph import IndexedIdentity

BEHIND_COLON: Final = ";"
"""The character after the colon: identifiers of a type are those from ``type:`` up to ``type;``."""


class HouseholdReads:
    """Reads households."""

    def __init__(self, context: ReadContext) -> None:
        self._context = context
        policy = IdentityPolicy(context.rules.identity)
        names = (kind.name for kind in context.rules.identifiers)
        self._types = [name for name in names if policy.kind(f"{name}:").household]

    def page(self, tenant: str, *, limit: int = 50, cursor: str = "") -> Page:
        """Returns the households of a tenant by shared identifier, as ``households`` of a profile describes one.

        One that every customer has left is in it, without members, as long as STITCH knows its identifier.

        Raises:
            CursorError: ``cursor`` is not one of this list.
        """
        name = nodes.c.identifier
        of_types = or_(false(), *(and_(name >= f"{kind}:", name < kind + BEHIND_COLON) for kind in self._types))
        statement = select(name).where(nodes.c.tenant == tenant, of_types)
        if cursor:
            statement = statement.where(name > text_in(cursor))
        with self._context.store.reading() as connection:
            found = connection.execute(statement.order_by(name).limit(limit + 1)).scalars().all()
            stored = IndexedIdentity(connection, tenant)
            items = [household_facts(stored, shared) for shared in found[:limit]]
        return Page(items, cursor_behind(found[limit - 1]) if len(found) > limit else "")
