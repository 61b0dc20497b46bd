"""What every query needs: the database, the rules, the clock."""

from typing import Any

from sqlalchemy import Connection, select

from pipeline.clock import Clock
from pipeline.profile.row import ProfileRow
from pipeline.query.naming import Naming
from pipeline.query.profiles import decode_row
from pipeline.rules.compiled import compiled
from pipeline.rules.model import Rules
from pipeline.serve.model.store import Store
from pipeline.serve.model.tables import profile_states


class ReadContext:
    """The database and the rules of one deployment. The rules must be those of the workers."""

    def __init__(self, store: Store, rules: Rules, clock: Clock) -> None:
        self.store, self.rules, self.clock = store, rules, clock
        self.compiled = compiled(rules)
        self.naming = Naming(rules)

    def state(self, connection: Connection, tenant: str, profile_id: str) -> ProfileRow | None:
        """Returns the ledgers of a profile, or None."""
        data: Any = connection.execute(
            select(profile_states.c.state).where(
                profile_states.c.profile_id == profile_id, profile_states.c.tenant == tenant
            )
        ).scalar()
        return None if data is None else decode_row(data)

    def as_of_ms(self, row: ProfileRow) -> int:
        """Returns the moment at which a profile is read: now, or its newest event if that is later."""
        return max(self.clock(), row.latest_ms())
