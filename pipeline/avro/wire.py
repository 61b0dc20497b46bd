"""Avro in the Confluent wire format: a zero byte, the writer schema's id as 4 bytes big-endian, the record.

    encode = Encoder("crm-action", ids.id_of(topic, "crm-action"))
    decode = Decoder("crm-action", ids.writer)
    decode(encode(action)) == action

Both hold one parsed schema and no lock: one per topic and thread. The costs behind the choices made here are in
``deploy/adr/0002-event-schema.md``.
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
"""The text of the writer's schema by id; None where it is certain that there is no such id. It may block."""


class Undecodable(ValueError):  # noqa: N818  the reason's own word
    """The bytes are not a record of the topic's schema, and will not become one by trying again.

    ``str(error)`` says what is wrong with them and holds none of their content. Operator action: none, the record is
    quarantined; where a producer sends many, tell its owner.
    """


class Encoder(Generic[Record]):
    """Records of one schema to bytes: structs of one type, or dicts."""

    def __init__(self, name: str, schema_id: int, struct: type[Record] | None = None) -> None:
        """``struct``: as :func:`~pipeline.avro.writer.write_for`, which also says what it raises."""
        self._write = write_for(schemas.load(name), struct)
        self._head = head(schema_id)

    def __call__(self, record: Record) -> bytes:
        """Header and record. Fields missing in a dict take their defaults, others than the schema's are left out.

        Raises:
            ValueError: the record does not fit the schema; the message names the field.
        """
        return self._head + self._write(record)


class Decoder:
    """Bytes of one topic to records of the schema this version knows, whatever version they were written with."""

    def __init__(self, name: str, writer: Writer = schemas.text_of_own_id) -> None:
        self._name = name
        self._reader = schemas.load(name)
        self._shape = to_parsing_canonical_form(self._reader)
        self._writer = writer
        self._plans: dict[bytes, tuple[schemas.Schema, schemas.Schema | None]] = {}
        """Header to writer's schema and, where records need resolving, the reader's."""
        self._unknown: set[bytes] = set()
        """Headers that belong to no schema, so that a flood of them does not become a flood of questions."""

    def __call__(self, data: bytes | None) -> dict[str, Any]:
        """The record, with every field of the current schema.

        Raises:
            Undecodable: the bytes are at fault. Nothing else is ever raised because of them.
            pipeline.avro.registry.RegistryError: the writer's schema could not be asked for; the bytes may be good.
        """
        if data is None:
            message = "no value"
            raise Undecodable(message)
        plan = self._plans.get(data[:HEAD_BYTES]) or self._plan(data)
        stream = BytesIO(data)
        stream.seek(HEAD_BYTES)
        try:
            record = schemaless_reader(stream, *plan)
        except Exception as error:  # fastavro has no closed set of errors, and none may stop a partition
            raise Undecodable(_fault(error)) from error
        if left := len(data) - stream.tell():
            message = f"{left} bytes are left over after the record"
            raise Undecodable(message)
        return cast("dict[str, Any]", record)

    def _plan(self, data: bytes) -> tuple[schemas.Schema, schemas.Schema | None]:
        """Find the writer's schema and decide, once per id, whether its records need resolving."""
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
            message = f"schema id {number} is not that of an Avro record"
            raise Undecodable(message) from error
        if writer["name"] != self._reader["name"]:
            message = f"schema id {number} is that of {writer['name']}, not of {self._reader['name']}"
            raise Undecodable(message)
        same = to_parsing_canonical_form(writer) == self._shape
        plan = self._plans[start] = (writer, None if same else self._reader)
        return plan


def head(number: int) -> bytes:
    """The five bytes before a record. OverflowError if the id does not fit."""
    return MAGIC + number.to_bytes(4, "big")


def schema_id(data: bytes) -> int:
    """The writer schema's id.

    Raises:
        Undecodable: the five bytes are not there or do not begin with the magic byte.
    """
    if len(data) < HEAD_BYTES:
        message = f"{len(data)} bytes are too short for the wire format"
        raise Undecodable(message)
    if not data.startswith(MAGIC):
        message = f"begins with byte {data[0]}, not with the magic byte 0"
        raise Undecodable(message)
    return int.from_bytes(data[1:HEAD_BYTES], "big")


def _fault(error: Exception) -> str:
    """What a fastavro error says about the bytes, without quoting them."""
    if isinstance(error, UnicodeDecodeError):
        return "a string is not UTF-8"
    if isinstance(error, EOFError | IndexError):
        return "ends in the middle of a field"
    return f"does not fit its schema ({type(error).__name__})"
