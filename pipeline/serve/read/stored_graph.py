"""The identity graph of a tenant, read from the database one identifier at a time."""

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from sqlalchemy import Connection, func, select

from pipeline.event.identifier import Identifier
from pipeline.query.identity import StoredIdentity
from pipeline.serve.model.tables import identifiers, nodes, rejections

_NAMES: Final = (nodes.c.own_id, nodes.c.apart_id)


class NodeRows(Mapping[Identifier, bytes]):
    """STITCH's rows of one tenant by identifier. Each is read once."""

    def __init__(self, connection: Connection, tenant: str) -> None:
        self._connection, self._tenant = connection, tenant
        self._read: dict[Identifier, bytes | None] = {}

    def __getitem__(self, ident: Identifier) -> bytes:
        if ident not in self._read:
            query = select(nodes.c.node).where(nodes.c.tenant == self._tenant, nodes.c.identifier == ident)
            self._read[ident] = self._connection.execute(query).scalar()
        row = self._read[ident]
        if row is None:
            raise KeyError(ident)
        return row

    def __iter__(self) -> Iterator[Identifier]:
        query = select(nodes.c.identifier).where(nodes.c.tenant == self._tenant)
        yield from self._connection.execute(query).scalars()

    def __len__(self) -> int:
        query = select(func.count()).select_from(nodes).where(nodes.c.tenant == self._tenant)
        return int(self._connection.execute(query).scalar_one())


class IndexedIdentity(StoredIdentity):
    """A :class:`StoredIdentity` that finds names and rejected links by the database's indexes."""

    def __init__(self, connection: Connection, tenant: str) -> None:
        super().__init__(tenant, NodeRows(connection, tenant))
        self._connection = connection

    def named_after(self, profile: str) -> Identifier | None:
        """Returns an identifier whose customer is the current profile of an id; None if it was never linked."""
        # The identifier that gave the name may have moved on, so those that the profile owns now go first.
        owned = select(identifiers.c.identifier).where(
            identifiers.c.profile_id == profile, identifiers.c.tenant == self.tenant
        )
        named = [
            select(nodes.c.identifier).where(column == profile, nodes.c.tenant == self.tenant) for column in _NAMES
        ]
        for query in (owned.limit(1), *named):
            ident: Identifier | None = self._connection.execute(query).scalar()
            if ident is not None:
                return ident
        return None

    def rejected_with(self, ident: Identifier) -> Collection[Identifier]:
        """Returns the weaker ends of an identifier's rejected links."""
        query = select(rejections.c.weak).where(rejections.c.tenant == self.tenant, rejections.c.strong == ident)
        return list(self._connection.execute(query).scalars())
