"""The decoder of events, the hottest one: it reads the ten columns by hand if they have the usual form.

fastavro reads every byte of a length through a Python call; reading the columns directly from the bytes takes about
half its time. All other records go to fastavro: a string of 64 bytes or more, a JSON object of 8 KiB or more, a time
before 1970-07 or after 2039, the columns of another version, damaged bytes. A property test compares the two decoders
on valid and on damaged bytes.
"""

from typing import Any, TypeAlias, TypeGuard

from msgspec import MsgspecError
from msgspec.json import Decoder as JsonDecoder

from pipeline.avro.wire import HEAD_BYTES, Decoder, Writer
from pipeline.event.avro import from_avro
from pipeline.event.identifier import Identifier
from pipeline.event.model import Event
from schemas import text_of_own_id

COLUMNS = (
    "tenant", "source", "message_id", "type", "event", "timestamp_ms", "identifiers", "properties", "context", "traits",
)  # fmt: skip

Columns: TypeAlias = tuple[str, str, str, str, str, int, list[Identifier], bytes, bytes, bytes]
"""The ten columns; the last three are JSON objects, still encoded."""

_EMPTY = b"{}"
_bag = JsonDecoder(dict[str, Any]).decode

_BEYOND = 1 << 48
"""Longer than any record. An unsupported length becomes this one, reads past the end and so falls back to fastavro."""
_SHORT = [_BEYOND if byte & 0x81 else byte >> 1 for byte in range(256)]
"""One byte to the length below 64 that it encodes. Zigzag doubles a length, so an odd byte is a negative number."""
_LOW = [(byte & 0x7E) >> 1 if byte & 0x81 == 0x80 else _BEYOND for byte in range(256)]
_HIGH = [_BEYOND if byte & 0x80 else byte << 6 for byte in range(256)]
"""The two bytes of a length below 8,192: the low byte (``_LOW``) and the high byte (``_HIGH``) add up to the length."""
_FLAGS = sum(0x80 << 7 * place for place in range(5))
"""The continuation bits of the first five of a timestamp's six bytes, as :func:`_columns` sums them up."""


class EventDecoder(Decoder):
    """A :class:`~pipeline.avro.wire.Decoder` of events, with the same results and the same errors."""

    def __init__(self, name: str, writer: Writer = text_of_own_id) -> None:
        """Raises ValueError if the schema does not have the ten columns read here: this file must follow the schema."""
        super().__init__(name, writer)
        types = {"timestamp_ms": "long", "identifiers": {"type": "array", "items": "string"}}
        fields = [(field["name"], field["type"]) for field in self._reader["fields"]]
        if fields != [(column, types.get(column, "string")) for column in COLUMNS]:
            message = f"{name} does not have the columns {', '.join(COLUMNS)}"
            raise ValueError(message)

    def __call__(self, data: bytes | None) -> dict[str, Any]:
        """Returns the record, as :class:`~pipeline.avro.wire.Decoder` does."""
        try:
            if self._reads_by_hand(data):
                record: dict[str, Any] = dict(zip(COLUMNS, _columns(data), strict=True))
                for bag in COLUMNS[-3:]:
                    record[bag] = record[bag].decode()
                return record
        except (IndexError, ValueError):
            pass
        return super().__call__(data)

    def event(self, channel: str, data: bytes | None) -> Event:
        """Returns the event without building a record first. JSON objects are parsed from the record's bytes.

        Raises:
            Undecodable: as :class:`Decoder`.
            pipeline.event.errors.InvalidEventError: as :func:`~pipeline.event.avro.from_avro`.
            pipeline.avro.registry.RegistryError: as :class:`Decoder`.
        """
        try:
            if self._reads_by_hand(data):
                (
                    tenant, source, message_id, kind, name, timestamp_ms, identifiers, properties, context, traits,
                ) = _columns(data)  # fmt: skip
                return Event(
                    tenant,
                    source,
                    message_id,
                    channel,
                    kind,
                    name,
                    timestamp_ms,
                    identifiers,
                    {} if properties == _EMPTY else _bag(properties),
                    {} if context == _EMPTY else _bag(context),
                    {} if traits == _EMPTY else _bag(traits),
                )
        except (IndexError, ValueError, MsgspecError, RecursionError):
            pass  # decoded again below, by functions that name the fault
        return from_avro(channel, super().__call__(data))

    def _reads_by_hand(self, data: bytes | None) -> TypeGuard[bytes]:
        """Returns whether the record's header names a schema with this version's columns."""
        plan = self._plans.get(data[:HEAD_BYTES]) if data is not None else None
        return plan is not None and plan[1] is None


def _columns(data: bytes) -> Columns:  # noqa: PLR0915  unrolled on purpose
    """Returns the columns of a record. Never returns wrong values.

    Raises:
        IndexError, ValueError: the record does not have the usual form.
    """
    # Each column begins at p and ends before q, where the next length begins. Unrolled: a loop takes a fifth longer.
    q = 6 + _SHORT[data[5]]
    tenant = data[6:q].decode()
    p = q + 1
    q = p + _SHORT[data[q]]
    source = data[p:q].decode()
    p = q + 1
    q = p + _SHORT[data[q]]
    message_id = data[p:q].decode()
    p = q + 1
    q = p + _SHORT[data[q]]
    kind = data[p:q].decode()
    p = q + 1
    q = p + _SHORT[data[q]]
    event = data[p:q].decode()
    # The timestamp: a zigzag long of six bytes, seven bits a byte, which covers 1970-07 to 2039.
    a, b, c, d, e, f = data[q : q + 6]
    if a & b & c & d & e < 0x80 or f > 0x7F:
        raise ValueError
    time = a + (b << 7) + (c << 14) + (d << 21) + (e << 28) + (f << 35) - _FLAGS
    q += 6
    identifiers = []
    if count := data[q]:
        q += 1
        for _ in range(_SHORT[count]):
            p = q + 1
            q = p + _SHORT[data[q]]
            identifiers.append(data[p:q].decode())
        if data[q]:  # Avro allows several blocks per array; fastavro reads them
            raise ValueError
    q += 1
    length = data[q]
    p = q + 1 if length < 0x80 else q + 2
    q = p + (_SHORT[length] if length < 0x80 else _LOW[length] + _HIGH[data[q + 1]])
    properties = data[p:q]
    length = data[q]
    p = q + 1 if length < 0x80 else q + 2
    q = p + (_SHORT[length] if length < 0x80 else _LOW[length] + _HIGH[data[q + 1]])
    context = data[p:q]
    length = data[q]
    p = q + 1 if length < 0x80 else q + 2
    q = p + (_SHORT[length] if length < 0x80 else _LOW[length] + _HIGH[data[q + 1]])
    traits = data[p:q]
    if q != len(data):
        raise ValueError
    time = time >> 1 ^ -(time & 1)
    return tenant, source, message_id, kind, event, time, identifiers, properties, context, traits
