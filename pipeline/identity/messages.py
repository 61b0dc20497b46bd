"""What travels into and out of STITCH. Internal topics carry these as msgpack arrays; changes go out as Avro."""

import msgspec

from pipeline.event.identifier import Identifier


class Link(msgspec.Struct, array_like=True, gc=False, tag="link"):
    """Two identifiers were seen on one event. ``anchor`` is the stronger end, under which the event is booked."""

    tenant: str
    anchor: Identifier
    other: Identifier
    first_seen_ms: int
    last_seen_ms: int
    count: int
    source: str
    event_id: str


class Assignment(msgspec.Struct, array_like=True, gc=False):
    """An identifier belongs to a profile; keyed by ``tenant/identifier``, compacted, the highest ``seq`` wins."""

    profile_id: str
    seq: int
    contested: list[Identifier] = []
    """Identifiers whose links with this anchor INTAKE must always pass on: their owner can change with each event."""


class Move(msgspec.Struct, array_like=True, gc=False, tag="move"):
    """The ledger of ``leaf`` now belongs to ``target``. Sent to both profiles; the highest ``seq`` of a leaf wins."""

    tenant: str
    leaf: Identifier
    source: str
    """Profile id that held the leaf."""
    target: str
    """Profile id that owns it from ``seq`` on."""
    seq: int
