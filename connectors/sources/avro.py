"""Avro containers. Without a mapping, fields have the names of the event schema or of the Segment spec."""

import struct
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import msgspec

from connectors.sources.lines import FileSource
from connectors.sources.mapping import Mapping
from connectors.sources.record import Payload, Position, Record
from pipeline.event.event_time import write_time
from pipeline.event.reason import Reason
from pipeline.event.result import Rejected

AVRO_MAGIC = b"Obj\x01"

_DAMAGE = (EOFError, ValueError, IndexError, KeyError, TypeError, OverflowError, OSError, struct.error)
"""Errors that fastavro raises on truncated or overwritten bytes; it has no error type for damage."""

_JSON_FIELDS = ("properties", "context", "traits")


class AvroSource(FileSource):
    """Reads the records of one container.

    Damage inside a block loses the rest of the block. Damage between blocks loses the rest of the file.
    """

    def __init__(self, path: Path, mapping: Mapping | None = None) -> None:
        super().__init__(path)
        self._mapping = mapping

    def records(self, start: Position) -> Iterator[Record]:
        """Yields every record after ``start``. Earlier blocks are skipped without decoding."""
        before = end = 0
        try:
            for block in fastavro.block_reader(self._opened.stream):
                end = block.offset + block.size
                if before + block.num_records > start.number:
                    yield from self._block(block, before, start.number)
                before += block.num_records
        except _DAMAGE as error:
            detail = f"the container is damaged after byte {end}: {error}"
            yield Record(before + 1, b"", Rejected(Reason.UNDECODABLE, detail), Position(before + 1, end))
        finally:
            self._opened.close()

    def _block(self, block: Any, before: int, done: int) -> Iterator[Record]:
        """Yields the records after number ``done``, each with its own slice of the block's bytes."""
        body: BytesIO = block.bytes_
        data, last = body.getvalue(), before + block.num_records
        number, at = before, 0
        try:
            for datum in block:
                number, begin, at = number + 1, at, body.tell()
                if number > done:
                    yield Record(number, data[begin:at], self._payload(datum), Position(number, block.offset))
        except _DAMAGE as error:
            detail = f"record {number + 1} cannot be decoded ({error}); with it {last - number - 1} after it"
            reject = Rejected(Reason.UNDECODABLE, detail)
            yield Record(number + 1, data[at:], reject, Position(last, block.offset))

    def _payload(self, datum: Any) -> Payload | Rejected:
        """Returns the payload with JSON types only: dates become ISO 8601 text, decimals text, bytes base64."""
        plain = msgspec.to_builtins(datum, str_keys=True)
        if not isinstance(plain, dict):
            return Rejected(Reason.INVALID_FIELD, "an event is an Avro record, this container holds another type")
        if self._mapping is not None:
            return self._mapping.payload(plain)
        return as_segment(plain)


def as_segment(datum: dict[str, Any]) -> Payload | Rejected:
    """Returns a decoded record with the names of the Segment spec. Decodes JSON texts and omits null fields."""
    fields = {name: value for name, value in datum.items() if value is not None}
    for name in _JSON_FIELDS:
        if isinstance(fields.get(name), str):
            try:
                fields[name] = msgspec.json.decode(fields[name] or "{}")
            except msgspec.DecodeError as error:
                return Rejected(Reason.INVALID_FIELD, f"{name} is not JSON: {error}")
    if "message_id" in fields:
        fields["messageId"] = fields.pop("message_id")
    if "timestamp_ms" in fields:
        stated = fields.pop("timestamp_ms")
        fields["timestamp"] = write_time(stated) if type(stated) is int else stated
    if isinstance(fields.get("identifiers"), list):
        fields["identifiers"] = _by_type(fields["identifiers"])
    return fields


def _by_type(identifiers: list[Any]) -> dict[str, list[str]]:
    """Returns ``type:value`` texts as type → values, the JSON form of identifiers."""
    by_type: dict[str, list[str]] = {}
    for text in identifiers:
        kind, _, value = str(text).partition(":")
        by_type.setdefault(kind, []).append(value)
    return by_type
