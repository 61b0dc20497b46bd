"""The record of who read personal data on which page."""

from sqlalchemy import Engine, insert, select

from pipeline.clock import Clock
from pipeline.serve.console.views import PersonalRead
from pipeline.serve.signin.tables import READS


class AuditData:
    """Writes and lists reads of personal data. A page is sent only after its read is recorded."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock

    def record(self, tenant: str, reader: str, what: str, profile_id: str = "") -> None:
        """Adds a read."""
        row = {"tenant": tenant, "reader": reader, "what": what, "profile_id": profile_id, "at_ms": self._clock()}
        with self._engine.begin() as connection:
            connection.execute(insert(READS).values(row))

    def newest(self, tenant: str, limit: int) -> list[PersonalRead]:
        """Returns the newest reads."""
        columns = (READS.c.at_ms, READS.c.reader, READS.c.what, READS.c.profile_id)
        statement = select(*columns).where(READS.c.tenant == tenant).order_by(READS.c.number.desc()).limit(limit)
        with self._engine.connect() as connection:
            return [PersonalRead(*row) for row in connection.execute(statement)]
