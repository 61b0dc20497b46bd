"""Writes Avro records by code that is generated once per schema. It takes a third of fastavro's time on the outputs.

fastavro inspects the schema again for every value it writes, and functions composed from the schema still cost a call
per field. So this module generates and compiles the expression an engineer would write by hand: one join over the bytes
of all fields. The source for a record with a name and an array of visits is::

    def write(record):
        return join((
            longs[len(text := record['name'].encode())], text,
            visits(record['visits']),
        ))

A struct's fields are read as attributes (``record.name``), without conversion to a dict. The bytes of longs and of map
keys, which are names from the rules files, are cached.
"""

import contextlib
from collections.abc import Callable
from struct import Struct
from struct import error as StructError  # noqa: N812  struct spells it small
from typing import Any, Final, TypeAlias, get_args

import msgspec

Write: TypeAlias = Callable[[Any], bytes]
"""Returns a value's bytes. Raises ValueError, naming the field, if a record does not fit its schema."""

_END = b"\x00"
_PAIR = (1 << 14) - 1
_FOLLOWED, _ALONE = ([bytes((bits | flag,)) for bits in range(1 << 7)] for flag in (0x80, 0))
"""Seven bits to their byte: followed by more bytes, and as the last byte."""
_MORE = [low + high for high in _FOLLOWED for low in _FOLLOWED]
"""Fourteen bits to their two bytes, followed by more bytes."""
_LAST = _ALONE + [low + high for high in _ALONE[1:] for low in _FOLLOWED]
"""Up to fourteen bits to the last one or two bytes."""
_MAX_KEYS = 4096
_MAX_LONGS = 65_536
_FAULTS: Final = (AttributeError, KeyError, TypeError, ValueError, OverflowError, StructError)
"""The exceptions that compiled code raises for a value that does not fit."""


def write_for(schema: Any, struct: type[Any] | None = None) -> Write:
    """Returns the function that writes records of a parsed schema.

    The schema consists of records, arrays, maps, strings, longs and doubles. Records are instances of ``struct``, and
    nested records are structs as well. Without ``struct`` they are dicts, whose missing fields take their defaults.

    Raises:
        ValueError: the schema holds another type or a recursive record, or ``struct`` does not have its fields.
    """
    return _write_dicts(schema) if struct is None else _write_structs(schema, struct)


def _write_dicts(schema: Any) -> Write:
    named: dict[str, Any] = {}
    whole = _Source(named).compiled(schema)
    parts: dict[str, Write] = {}
    defaults = {field["name"]: field["default"] for field in schema["fields"] if "default" in field}

    def write(record: dict[str, Any]) -> bytes:
        try:
            return whole(record)
        except _FAULTS:
            # 1. A field is missing: a caller written for an older schema does not set it. Take its default.
            with contextlib.suppress(*_FAULTS):
                return whole({**defaults, **record})
            # 2. Rare: a value does not fit, or a nested record lacks a field. Write field by field, to fill in the
            #    nested defaults or to name the field at fault.
            if not parts:
                for field in schema["fields"]:
                    parts[field["name"]] = _Source(named).compiled({"type": "record", "name": "", "fields": [field]})
            return b"".join([_field_alone(field, record, parts[field["name"]], named) for field in schema["fields"]])

    return write


def _write_structs(schema: Any, struct: type[Any]) -> Write:
    named: dict[str, Any] = {}
    whole = _Source(named, "{}.{}").compiled(schema)
    _check_fields(schema, struct, named)

    def write(record: Any) -> bytes:
        try:
            return whole(record)
        except _FAULTS as error:
            message = f"{_misfit(schema, record, named)} does not fit: {error}"
            raise ValueError(message) from error

    return write


def long_bytes(number: int) -> bytes:
    """Returns a long as zigzag varint: seven bits a byte, low bits first. Raises ValueError beyond 64 bits."""
    rest = number << 1 ^ number >> 63
    if not 0 <= rest < 1 << 64:
        message = "an integer does not fit a long"
        raise ValueError(message)
    result = b""
    while rest > _PAIR:
        result += _MORE[rest & _PAIR]
        rest >>= 14
    return result + _LAST[rest]


class _Longs(dict[int, bytes]):
    """A cache of the bytes of longs.

    Numbers recur: small counts everywhere, a sum in several windows of a profile, a time in every record of a batch.
    """

    def __missing__(self, number: int) -> bytes:
        result = long_bytes(number)
        if len(self) >= _MAX_LONGS:
            self.clear()
        self[number] = result
        return result


class _Keys(dict[str, bytes]):
    """A cache of the bytes of map keys, which are names from the rules files."""

    def __missing__(self, key: str) -> bytes:
        encoded = key.encode()
        result = _LONGS[len(encoded)] + encoded
        if len(self) < _MAX_KEYS:
            self[key] = result
        return result


_LONGS = _Longs()


class _Source:
    """Generates the source of one record's writer, with the objects that the source refers to."""

    def __init__(self, named: dict[str, Any], field: str = "{}[{!r}]") -> None:
        """``named`` collects the schemas of named records. ``field`` formats the expression that reads a field.

        The placeholders of ``field`` are the record and the field's name; the default reads an item of a dict.
        """
        self._named, self._field = named, field
        self._known: dict[str, Any] = {
            "longs": _LONGS, "double": Struct("<d").pack, "join": b"".join, "end": _END,
        }  # fmt: skip
        self._functions: list[str] = []

    def compiled(self, schema: Any) -> Write:
        """Returns the function that writes a value of the schema. Raises ValueError as :func:`write_for`."""
        chunks = ", ".join(self._chunks(schema, "record"))
        source = "\n".join([*self._functions, f"def write(record):\n    return join(({chunks},))"])
        exec(source, self._known)  # noqa: S102  safe: Avro names consist of letters, digits and underscores
        write: Write = self._known["write"]
        return write

    def _chunks(self, schema: Any, value: str) -> list[str]:
        """Returns expressions for the parts of a value's bytes, in order. ``value`` is evaluated once, in the first."""
        kind = schema["type"] if isinstance(schema, dict) else schema
        if kind == "string":
            return [f"longs[len(text := {value}.encode())]", "text"]
        if kind == "long":
            return [f"longs[{value}]"]
        if kind == "double":
            return [f"double({value})"]
        if kind == "array":
            return [f"{self._block(schema['items'], 'item in value')}({value})"]
        if kind == "map":
            key = f"{self._refer(_Keys())}[key]"
            return [f"{self._block(schema['values'], 'key, item in value.items()', key)}({value})"]
        if kind == "record":
            result = self._record(schema["fields"], value)
            self._named[schema["name"]] = schema
            return result
        if not isinstance(kind, str) or kind not in self._named:
            message = f"there is no writer for the Avro type {kind!r} here"
            raise ValueError(message)
        return self._record(self._named[kind]["fields"], value)

    def _record(self, fields: list[dict[str, Any]], value: str) -> list[str]:
        local = self._refer(None)
        chunks: list[str] = []
        for at, field in enumerate(fields):
            record = f"({local} := {value})" if at == 0 else local
            chunks += self._chunks(field["type"], self._field.format(record, field["name"]))
        return chunks

    def _block(self, schema: Any, item: str, *first: str) -> str:
        """Generates a function that writes an array's items or a map's entries as one block. Returns its name."""
        chunks = ", ".join([*first, *self._chunks(schema, "item")])
        name = self._refer(None)
        self._functions.append(
            f"def {name}(value):\n"
            f"    if not value:\n        return end\n"
            f"    chunks = [longs[len(value)]]\n"
            f"    for {item}:\n        chunks += ({chunks},)\n"
            f"    chunks.append(end)\n    return join(chunks)"
        )
        return name

    def _refer(self, thing: object) -> str:
        """Returns a new name that stands for ``thing`` in the source."""
        name = f"name{len(self._known)}"
        self._known[name] = thing
        return name


def _check_fields(schema: Any, kind: Any, named: dict[str, Any]) -> None:
    """Raises ValueError if a struct or a nested struct does not have the fields of its schema in their order."""
    schema = named.get(schema, schema) if isinstance(schema, str) else schema
    avro_type = schema["type"] if isinstance(schema, dict) else schema
    if avro_type in {"array", "map"}:
        _check_fields(schema["items" if avro_type == "array" else "values"], get_args(kind)[-1], named)
    elif avro_type == "record":
        names = tuple(field["name"] for field in schema["fields"])
        if getattr(kind, "__struct_fields__", None) != names:
            message = f"{kind} does not have the fields of {schema['name']} in their order: {', '.join(names)}"
            raise ValueError(message)
        for field, info in zip(schema["fields"], msgspec.structs.fields(kind), strict=True):
            _check_fields(field["type"], info.type, named)


def _misfit(schema: Any, record: Any, named: dict[str, Any]) -> str:
    """Returns the name of the first field of a struct that cannot be written."""
    for field in schema["fields"]:
        write = _Source(named, "{}.{}").compiled({"type": "record", "name": "", "fields": [field]})
        try:
            write(record)
        except _FAULTS:
            return str(field["name"])
    return str(schema["name"])


def _field_alone(field: dict[str, Any], record: dict[str, Any], write: Write, named: dict[str, Any]) -> bytes:
    """Returns one field's bytes. Raises ValueError with the field's name if the value does not fit."""
    name = field["name"]
    try:
        return write({name: _completed(field["type"], record.get(name, field.get("default")), named)})
    except _FAULTS as error:
        message = f"{name} is missing or does not fit: {error}"
        raise ValueError(message) from error


def _completed(schema: Any, value: Any, named: dict[str, Any]) -> Any:
    """Returns the value with the missing fields of all records in it set to their defaults."""
    schema = named.get(schema, schema) if isinstance(schema, str) else schema
    kind = schema["type"] if isinstance(schema, dict) else schema
    if kind == "record":
        return {
            field["name"]: _completed(field["type"], value.get(field["name"], field.get("default")), named)
            for field in schema["fields"]
        }
    if kind == "array" and value:
        return [_completed(schema["items"], item, named) for item in value]
    if kind == "map" and value:
        return {key: _completed(schema["values"], item, named) for key, item in value.items()}
    return value
