"""The tenant that a record states, so that a receipt leaves out what certainly is another tenant's."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from pipeline.avro.registry import SchemaIds
from pipeline.avro.wire import Decoder, Undecodable
from pipeline.event.model import Event
from pipeline.state import layout
from pipeline.topics import (
    ACTIONS,
    ASSIGNMENTS,
    CHANGELOGS,
    CHANGES,
    LEADS,
    LEDGER,
    LINKS,
    MARKS,
    READERS,
    RECEIPTS,
    SEGMENTS,
    TOUCHES,
    UPDATES,
    Topic,
)

TENANT_FIRST: Final = frozenset({ASSIGNMENTS, LINKS, LEADS, MARKS, RECEIPTS})
"""Topics whose keys are ``tenant`` or ``tenant/…``."""
TENANT_SECOND: Final = frozenset({LEDGER, *CHANGELOGS.values()})
"""Topics whose keys have one part before the tenant: ``sink/tenant/…`` and ``table/tenant/…``."""
TENANT_TABLES: Final = frozenset({
    layout.ANCHORS, layout.NODES, layout.COUNTERS, layout.OWNERS, layout.LEAD_OWNERS, layout.TEAMS, layout.LOADS,
})  # fmt: skip
"""Tables whose keys begin with the tenant."""
TENANT_IN_VALUE: Final = frozenset({CHANGES, UPDATES, SEGMENTS, ACTIONS})
"""Avro topics whose records state the tenant."""
Unpack: TypeAlias = Callable[[bytes], Any]
_unpack: Final[Unpack] = msgspec.msgpack.Decoder().decode


class Tenants:
    """Reads the tenant that a record states."""

    def __init__(self, ids: SchemaIds, readers: Mapping[str, str] | None = None) -> None:
        """``readers``: CRM connection → tenant of its reader, as ``crm.yaml`` declares it."""
        self._readers = readers or {}
        self._decoders = {topic: Decoder(topic.value, ids.writer) for topic in TENANT_IN_VALUE}

    def stated(self, topic: Topic, key: bytes, value: bytes, event: Event | None) -> str | None:
        """Returns the tenant, or None if the record does not state it for certain.

        None are rows of timers, of a replay that wait behind watermarks, of CRM readers whose connection is not
        declared, what cannot be decoded, and quarantined records, whose key is their sender's.
        """
        if event is not None:
            return event.tenant
        table, _, rest = key.partition(b"/")
        if topic in TENANT_FIRST:
            return _text(table)
        if topic is READERS:
            return self._readers.get(table.decode(errors="replace"))
        if topic is LEDGER or (topic in TENANT_SECOND and table.decode(errors="replace") in TENANT_TABLES):
            return _text(rest.partition(b"/")[0])
        if topic in self._decoders:
            return self._decoded(topic, value)
        if topic is TOUCHES:
            return _element(value, 1)  # after the tag of the message
        return _element(value, 0) if topic in TENANT_SECOND and table == layout.PROFILES.encode() else None

    def _decoded(self, topic: Topic, value: bytes) -> str | None:
        try:
            return str(self._decoders[topic](value)["tenant"])
        except Undecodable:
            return None


def _text(part: bytes) -> str | None:
    try:
        return part.decode() or None
    except UnicodeDecodeError:
        return None


def _element(value: bytes, place: int) -> str | None:
    """Returns the text at a place of a row that is an array."""
    try:
        row = _unpack(value)
    except msgspec.DecodeError:
        return None
    found = row[place] if isinstance(row, list) and len(row) > place else None
    return found if isinstance(found, str) else None
