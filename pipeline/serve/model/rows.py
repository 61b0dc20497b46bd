"""Writes rows by the thousand, the same way on SQLite and PostgreSQL."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Table, bindparam, delete
from sqlalchemy.dialects import postgresql, sqlite

Item = TypeVar("Item")
MAX_VALUES: Final = 500
"""Values in one statement. SQLite allows 32,766 in all."""
_INSERT: Final[Mapping[str, Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def upsert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], newest_by: str = "") -> None:
    """Inserts rows, or replaces those with the same primary key.

    ``newest_by`` names a column: a row replaces another one only if its value there is at least as high.
    """
    if not rows:
        return
    insert = _INSERT[connection.dialect.name](table)
    keys = [column.name for column in table.primary_key]
    changed = {column.name: insert.excluded[column.name] for column in table.columns if column.name not in keys}
    if not changed:
        connection.execute(insert.on_conflict_do_nothing(), rows)
        return
    where = insert.excluded[newest_by] >= table.c[newest_by] if newest_by else None
    connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=changed, where=where), rows)


def delete_where(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Deletes the rows whose columns have the values of one of ``rows``. All of them name the same columns."""
    if not rows:
        return
    # A bound parameter may not have the name of a column.
    conditions = [table.c[name] == bindparam(f"value_{name}") for name in rows[0]]
    statement = delete(table).where(*conditions)
    connection.execute(statement, [{f"value_{name}": value for name, value in row.items()} for row in rows])


def in_parts(values: Iterable[Item]) -> Iterator[list[Item]]:
    """Yields the values in lists of at most ``MAX_VALUES``."""
    everything = list(values)
    for start in range(0, len(everything), MAX_VALUES):
        yield everything[start : start + MAX_VALUES]
