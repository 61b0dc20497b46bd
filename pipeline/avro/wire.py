"""Avro in the Confluent wire format: a zero byte, the writer schema's id (4 bytes, big-endian), the record.

    encode = Encoder("crm-action", ids.id_of(topic, "crm-action"))
    decode = Decoder("crm-action", ids.writer)
    decode(encode(action)) == action

Encoders and decoders are not thread-safe: create one per topic and thread. ``deploy/adr/0002-event-schema.md`` holds
the measurements behind the choices made here.
"""

from collections.abc import Callable
from io import BytesIO
from typing import Any, Generic, TypeAlias, TypeVar, cast

from fastavro import schemaless_reader
from fastavro.schema import to_parsing_canonical_form

import schemas
from pipeline.avro.writer import write_for

Record = TypeVar("Record")

MAGIC = b"\x00"
HEAD_BYTES = 5
MAX_UNKNOWN = 10_000

Writer: TypeAlias = Callable[[int], str | None]
"""Returns the text of the schema with an id, or None if it is certain that no schema has this id. May block."""


class Undecodable(ValueError):  # noqa: N818  the reason's own word
    """The bytes are not a record of the topic's schema. Repeating the call cannot help.

    ``str(error)`` names the fault and contains none of the record's content. Operator action: none, the record is
    quarantined. If one producer sends many, notify its owner.
    """


class Encoder(Generic[Record]):
    """Encodes records of one schema: structs of one type, or dicts."""

    def __init__(self, name: str, schema_id: int, struct: type[Record] | None = None) -> None:
        """``struct`` is the type of the records, None for dicts. Raises as :func:`~pipeline.avro.writer.write_for`."""
        self._write = write_for(schemas.load(name), struct)
        self._head = head(schema_id)

    def __call__(self, record: Record) -> bytes:
        """Returns the header followed by the record.

        A dict's missing fields take their defaults; fields that the schema does not have are omitted.

        Raises:
            ValueError: the record does not fit the schema; the message names the field.
        """
        return self._head + self._write(record)


class Decoder:
    """Decodes the values of one topic into records of the current schema, whatever version they were written with."""

    def __init__(self, name: str, writer: Writer = schemas.text_of_own_id) -> None:
        self._name = name
        self._reader = schemas.load(name)
        self._shape = to_parsing_canonical_form(self._reader)
        self._writer = writer
        self._plans: dict[bytes, tuple[schemas.Schema, schemas.Schema | None]] = {}
        """Header to the writer's schema and the reader's; the latter is None if no schema resolution is needed."""
        self._unknown: set[bytes] = set()
        """Headers without a schema. Prevents a flood of such records from flooding the registry with requests."""

    def __call__(self, data: bytes | None) -> dict[str, Any]:
        """Returns the record with every field of the current schema.

        Raises:
            Undecodable: the bytes are at fault. Faulty bytes raise no other exception.
            pipeline.avro.registry.RegistryError: the writer's schema could not be fetched; the bytes may be valid.
        """
        if data is None:
            message = "no value"
            raise Undecodable(message)
        plan = self._plans.get(data[:HEAD_BYTES]) or self._plan(data)
        stream = BytesIO(data)
        stream.seek(HEAD_BYTES)
        try:
            record = schemaless_reader(stream, *plan)
        except Exception as error:  # fastavro's set of errors is open, and no record may stop a partition
            raise Undecodable(_fault(error)) from error
        if left := len(data) - stream.tell():
            message = f"{left} bytes follow the record"
            raise Undecodable(message)
        return cast("dict[str, Any]", record)

    def _plan(self, data: bytes) -> tuple[schemas.Schema, schemas.Schema | None]:
        """Finds the writer's schema and decides, once per id, whether its records need schema resolution."""
        number, start = schema_id(data), data[:HEAD_BYTES]
        text = None if start in self._unknown else self._writer(number)
        if text is None:
            if len(self._unknown) < MAX_UNKNOWN:
                self._unknown.add(start)
            message = f"no schema has id {number}"
            raise Undecodable(message)
        try:
            writer = schemas.parsed(text)
        except ValueError as error:
            message = f"schema id {number} is not the id of an Avro record"
            raise Undecodable(message) from error
        if writer["name"] != self._reader["name"]:
            message = f"schema id {number} belongs to {writer['name']}, not to {self._reader['name']}"
            raise Undecodable(message)
        same = to_parsing_canonical_form(writer) == self._shape
        plan = self._plans[start] = (writer, None if same else self._reader)
        return plan


def head(number: int) -> bytes:
    """Returns the five bytes before a record. Raises OverflowError if the id does not fit into 4 bytes."""
    return MAGIC + number.to_bytes(4, "big")


def schema_id(data: bytes) -> int:
    """Returns the writer schema's id.

    Raises:
        Undecodable: there are fewer than five bytes, or the first is not the magic byte.
    """
    if len(data) < HEAD_BYTES:
        message = f"{len(data)} bytes are too short for the wire format"
        raise Undecodable(message)
    if not data.startswith(MAGIC):
        message = f"begins with byte {data[0]}, not with the magic byte 0"
        raise Undecodable(message)
    return int.from_bytes(data[1:HEAD_BYTES], "big")


def _fault(error: Exception) -> str:
    """Returns the fault that a fastavro error reports, without the record's content."""
    if isinstance(error, UnicodeDecodeError):
        return "a string is not UTF-8"
    if isinstance(error, EOFError | IndexError):
        return "ends in the middle of a field"
    return f"does not fit its schema ({type(error).__name__})"
