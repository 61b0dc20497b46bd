"""STITCH's changelog: the identity graph, from which links and their reasons are read."""

from typing import Any, Final

from sqlalchemy import Connection

from pipeline.event.identifier import split_key
from pipeline.identity.claims import APART
from pipeline.identity.profile_id import profile_id
from pipeline.identity.state import Node
from pipeline.serve.model import tables
from pipeline.serve.model.kinds.kind import FeedEntry, Records
from pipeline.serve.model.rows import delete_where, upsert
from pipeline.state import layout
from pipeline.state.partition import change_of, changelog_key
from pipeline.state.store import Change
from pipeline.state.view import row_decoder
from pipeline.topics import CHANGELOGS, StageName

_PREFIX: Final = changelog_key(Change(layout.NODES, b"", None))
_NODE: Final = row_decoder(layout.NODES, Node)


class Nodes:
    """Folds the changelog of STITCH. Ignores its counters."""

    topic = CHANGELOGS[StageName.STITCH]

    def apply(self, connection: Connection, records: Records) -> list[FeedEntry]:
        """Keeps the newest row of each identifier.

        Raises:
            RowFormatError: a row is of another version.
        """
        newest: dict[tuple[str, str], bytes | None] = {}
        for record in records:
            key = record.key()
            if isinstance(key, bytes) and key.startswith(_PREFIX):
                change = change_of(key, record.value())
                newest[split_key(change.key.decode())] = change.value
        keys = [{"tenant": tenant, "weak": ident} for tenant, ident in newest]
        rows = [_row_of(tenant, ident, node) for (tenant, ident), node in newest.items() if node is not None]
        gone = [{"tenant": tenant, "identifier": ident} for (tenant, ident), node in newest.items() if node is None]
        delete_where(connection, tables.nodes, gone)
        upsert(connection, tables.nodes, rows)
        delete_where(connection, tables.rejections, keys)
        upsert(connection, tables.rejections, [rejected for row in rows for rejected in _rejections_of(row)])
        return []


def _row_of(tenant: str, ident: str, node: bytes) -> dict[str, Any]:
    own_id, apart_id = profile_id(tenant, ident), profile_id(tenant, APART + ident)
    return {"tenant": tenant, "identifier": ident, "own_id": own_id, "apart_id": apart_id, "node": node}


def _rejections_of(row: dict[str, Any]) -> list[dict[str, Any]]:
    edges = _NODE(row["node"]).edges
    strong_ends = {edge.peer for edge in edges if edge.rejection}
    return [{"tenant": row["tenant"], "strong": strong, "weak": row["identifier"]} for strong in sorted(strong_ends)]
