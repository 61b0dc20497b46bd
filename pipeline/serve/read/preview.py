"""Counts the customers for which a condition holds within a time limit: exactly if time allows, else an estimate."""

import time
from typing import Final

import msgspec
from sqlalchemy import func, select

from pipeline.query.ad_hoc import AD_HOC, segments_with
from pipeline.query.profiles import decode_row
from pipeline.serve.model.tables import profile_states
from pipeline.serve.read.context import ReadContext

BUDGET_SECONDS: Final = 1.0
BATCH: Final = 500


class Preview(msgspec.Struct, frozen=True):
    """The count of one condition as of now."""

    members: int
    """Customers for which the condition holds; an estimate unless ``exact``."""
    profiles: int
    """All customers of the tenant."""
    examined: int
    """Customers that were evaluated. Profile ids are hashes, so the first ones are a random sample."""
    exact: bool
    sample: list[str]
    """Ids of some members."""


class PreviewReads:
    """Evaluates conditions on the stored profiles."""

    def __init__(self, context: ReadContext) -> None:
        self._context = context

    def count(self, tenant: str, when: str, *, budget_seconds: float = BUDGET_SECONDS, sample: int = 10) -> Preview:
        """Counts the customers for which a condition holds, for at most about ``budget_seconds``.

        Raises:
            ConditionError: the condition cannot be used; it has the position and what to write instead.
        """
        segments = segments_with(self._context.rules, when)
        now_ms, deadline = self._context.clock(), time.monotonic() + budget_seconds
        examined, found, members, last = 0, 0, list[str](), ""
        current = (profile_states.c.tenant == tenant, profile_states.c.is_current)
        with self._context.store.reading() as connection:
            query = select(func.count()).select_from(profile_states).where(*current)
            profiles = int(connection.execute(query).scalar_one())
            rows = select(profile_states.c.profile_id, profile_states.c.state).where(*current)
            rows = rows.order_by(profile_states.c.profile_id).limit(BATCH)
            while time.monotonic() < deadline:
                batch = connection.execute(rows.where(profile_states.c.profile_id > last)).all()
                for profile_id, state in batch:
                    row = decode_row(state)
                    if segments.holds(AD_HOC, row.ledgers(), max(now_ms, row.latest_ms())):
                        found += 1
                        members += [profile_id] if len(members) < sample else []
                examined += len(batch)
                if len(batch) < BATCH:
                    break
                last = batch[-1].profile_id
        exact = examined >= profiles
        estimate = found if exact else round(found * profiles / max(1, examined))
        return Preview(estimate, profiles, examined, exact, members)
