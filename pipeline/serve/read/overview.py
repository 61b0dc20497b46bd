"""The state of a deployment: totals, quarantined records, and how far the read model is behind the topics."""

import msgspec
from sqlalchemy import func, select, tuple_

from pipeline.profile.row import ACTIVE
from pipeline.serve.model import facts
from pipeline.serve.model.tables import identity_changes, leads, profiles, quarantine
from pipeline.serve.read.context import ReadContext
from pipeline.serve.read.leads import LEAD
from pipeline.serve.read.pages import Page, cursor_of, numbers_in, time_and_id


class Totals(msgspec.Struct, frozen=True):
    """Totals of one tenant; ``quarantined`` is that of the deployment."""

    customers: int
    merges: int
    leads: int
    """Open leads."""
    duplicates: int
    quarantined: int


class OverviewReads:
    """Reads totals and the state of the read model."""

    def __init__(self, context: ReadContext) -> None:
        self._context = context

    def totals(self, tenant: str) -> Totals:
        """Returns the totals of a tenant."""
        counting = select(func.count())
        active = counting.select_from(profiles).where(profiles.c.tenant == tenant, profiles.c.status == ACTIVE)
        merged = counting.select_from(identity_changes).where(
            identity_changes.c.tenant == tenant, identity_changes.c.change == "merged"
        )
        of_leads = counting.select_from(leads).where(leads.c.tenant == tenant)
        with self._context.store.reading() as connection:
            return Totals(
                customers=connection.execute(active).scalar_one(),
                merges=connection.execute(merged).scalar_one(),
                leads=connection.execute(of_leads.where(leads.c.kind == LEAD)).scalar_one(),
                duplicates=connection.execute(of_leads.where(leads.c.kind != LEAD)).scalar_one(),
                quarantined=connection.execute(counting.select_from(quarantine)).scalar_one(),
            )

    def progress(self) -> facts.Progress:
        """Returns how far the writer is."""
        with self._context.store.reading() as connection:
            return facts.progress(connection)

    def quarantined(self, *, reason: str = "", limit: int = 50, cursor: str = "") -> Page:
        """Returns quarantined records, newest first, with the topic they are on.

        Raises:
            CursorError: ``cursor`` is not one of this list.
        """
        table = quarantine.c
        order = (table.quarantined_ms, table.topic, table.partition, table.offset)
        statement = select(table.body, *order)
        if reason:
            statement = statement.where(table.reason == reason)
        if cursor:
            statement = statement.where(tuple_(*order) < _place(cursor))
        statement = statement.order_by(*(column.desc() for column in order)).limit(limit + 1)
        with self._context.store.reading() as connection:
            rows = connection.execute(statement).all()
        shown = rows[:limit]
        items = [msgspec.json.decode(row.body) | {"dlq": row.topic} for row in shown]
        return Page(items, cursor_of(*shown[-1][1:]) if len(rows) > limit else "")


def _place(cursor: str) -> tuple[int, str, int, int]:
    quarantined_ms, rest = time_and_id(cursor)
    topic, _, place = rest.partition("~")
    partition, offset = numbers_in(place, 2)
    return quarantined_ms, topic, partition, offset
