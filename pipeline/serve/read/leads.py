"""Leads: CRM actions with routing reasons, revisions and deliveries."""

from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select, tuple_

from pipeline.serve.model.tables import actions, deliveries, leads
from pipeline.serve.read.context import ReadContext
from pipeline.serve.read.pages import Page, cursor_of, time_and_id

LEAD: Final = "lead"


class LeadFilter(msgspec.Struct, frozen=True):
    """Which leads to list; an empty value selects all."""

    profile_id: str = ""
    owner: str = ""
    trigger: str = ""
    open_only: bool = False
    """Leaves out leads that were closed as duplicates."""


ALL: Final = LeadFilter()


class LeadReads:
    """Reads leads."""

    def __init__(self, context: ReadContext) -> None:
        self._context = context

    def page(self, tenant: str, chosen: LeadFilter = ALL, *, limit: int = 50, cursor: str = "") -> Page:
        """Returns leads, newest decision first: the highest revision of each action, and its deliveries.

        Raises:
            CursorError: ``cursor`` is not one of this list.
        """
        statement = select(leads.c.body, leads.c.timestamp_ms, leads.c.action_id).where(leads.c.tenant == tenant)
        for name in ("profile_id", "owner", "trigger"):
            if getattr(chosen, name):
                statement = statement.where(leads.c[name] == getattr(chosen, name))
        if chosen.open_only:
            statement = statement.where(leads.c.kind == LEAD)
        if cursor:
            statement = statement.where(tuple_(leads.c.timestamp_ms, leads.c.action_id) < time_and_id(cursor))
        statement = statement.order_by(leads.c.timestamp_ms.desc(), leads.c.action_id.desc()).limit(limit + 1)
        with self._context.store.reading() as connection:
            rows = connection.execute(statement).all()
            shown = rows[:limit]
            held = _deliveries(connection, tenant, [row.action_id for row in shown])
        items = [msgspec.json.decode(row.body) | {"deliveries": held.get(row.action_id, [])} for row in shown]
        return Page(items, cursor_of(shown[-1].timestamp_ms, shown[-1].action_id) if len(rows) > limit else "")

    def one(self, tenant: str, action_id: str) -> dict[str, Any] | None:
        """Returns a lead with all its revisions, oldest first, and its deliveries; None for an unknown action."""
        statement = select(actions.c.body).where(actions.c.tenant == tenant, actions.c.action_id == action_id)
        with self._context.store.reading() as connection:
            bodies = connection.execute(statement.order_by(actions.c.revision)).scalars().all()
            held = _deliveries(connection, tenant, [action_id])
        if not bodies:
            return None
        revisions: list[dict[str, Any]] = [msgspec.json.decode(body) for body in bodies]
        return revisions[-1] | {"revisions": revisions, "deliveries": held.get(action_id, [])}


def _deliveries(connection: Connection, tenant: str, action_ids: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Returns what the CRMs hold of actions, by action id."""
    held: dict[str, list[dict[str, Any]]] = {}
    statement = select(deliveries.c.action_id, deliveries.c.body).where(
        deliveries.c.tenant == tenant, deliveries.c.action_id.in_(action_ids)
    )
    for action_id, body in connection.execute(statement.order_by(deliveries.c.sink)):
        held.setdefault(action_id, []).append(msgspec.json.decode(body))
    return held
