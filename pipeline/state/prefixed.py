"""One tenant's part of a table."""

from typing import Generic, TypeVar

from pipeline.event.identifier import ANCHOR_SEPARATOR
from pipeline.event.ports import Table

Row = TypeVar("Row")


class PrefixedTable(Generic[Row]):
    """A :class:`~pipeline.event.ports.Table` whose keys are those of another, behind ``tenant/``."""

    def __init__(self, table: Table[Row], tenant: str) -> None:
        self._table, self._prefix = table, tenant + ANCHOR_SEPARATOR

    def get(self, key: str) -> Row | None:
        """The row as last put, or None."""
        return self._table.get(self._prefix + key)

    def put(self, key: str, row: Row) -> None:
        """Keep the row; it is durable once the unit of work commits."""
        self._table.put(self._prefix + key, row)

    def delete(self, key: str) -> None:
        """Forget the row; no error where there is none."""
        self._table.delete(self._prefix + key)
