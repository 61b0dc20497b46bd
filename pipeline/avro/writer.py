"""Avro records to bytes by code that is made once from the schema: a third of the time fastavro takes on outputs.

fastavro looks at the schema again for every value it writes, and functions composed from the schema still cost a call
for every field. So the schema is turned into the expression an engineer would write by hand, one join over the bytes
of all fields, and compiled. The source for a record of a name and two visits reads::

    def write(record):
        return join((
            longs[len(text := record['name'].encode())], text,
            visits(record['visits']),
        ))

Of a struct the fields are read as attributes, ``record.name``; nothing is converted on the way. The bytes of numbers
are remembered, and so are the keys of maps, which are names from the rules files.
"""

import contextlib
from collections.abc import Callable
from struct import Struct
from struct import error as StructError  # noqa: N812  struct spells it small
from typing import Any, Final, TypeAlias, get_args

import msgspec

Write: TypeAlias = Callable[[Any], bytes]
"""A value's encoding. A record raises ValueError with the field that does not fit."""

_END = b"\x00"
_PAIR = (1 << 14) - 1
_FOLLOWED, _ALONE = ([bytes((bits | flag,)) for bits in range(1 << 7)] for flag in (0x80, 0))
"""Seven bits as a byte that others follow, and as the last."""
_MORE = [low + high for high in _FOLLOWED for low in _FOLLOWED]
"""Fourteen bits as two bytes that others follow."""
_LAST = _ALONE + [low + high for high in _ALONE[1:] for low in _FOLLOWED]
"""Up to fourteen bits as the last one or two bytes."""
_MAX_KEYS = 4096
_MAX_LONGS = 65_536
_FAULTS: Final = (AttributeError, KeyError, TypeError, ValueError, OverflowError, StructError)
"""What the compiled expression raises where a value does not fit."""


def write_for(schema: Any, struct: type[Any] | None = None) -> Write:
    """The function that writes records of a parsed schema of records, arrays, maps, strings, longs and doubles.

    Records are instances of ``struct``, with structs for the records in them; without ``struct`` they are dicts, whose
    missing fields take their defaults.

    Raises:
        ValueError: another type, a record within itself, or a struct whose fields are not those of its schema.
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
        except _FAULTS:  # a field is left out, as whoever knows nothing of it does
            with contextlib.suppress(*_FAULTS):
                return whole({**defaults, **record})
            # wrong, or left out deeper, which is rare: field by field, to take its default or name it
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
    """A long: zigzag, seven bits a byte, low bits first. ValueError beyond 64 bits."""
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
    """The bytes of longs, remembered: small counts at once, and sums and times because they come again.

    A sum is often the same in several windows of a profile, and a time in every record of a batch.
    """

    def __missing__(self, number: int) -> bytes:
        result = long_bytes(number)
        if len(self) >= _MAX_LONGS:
            self.clear()
        self[number] = result
        return result


class _Keys(dict[str, bytes]):
    """The bytes of a map's key, remembered: keys are names from the rules files."""

    def __missing__(self, key: str) -> bytes:
        encoded = key.encode()
        result = _LONGS[len(encoded)] + encoded
        if len(self) < _MAX_KEYS:
            self[key] = result
        return result


_LONGS = _Longs()


class _Source:
    """The source of one record's writer, and what it refers to."""

    def __init__(self, named: dict[str, Any], field: str = "{}[{!r}]") -> None:
        """``named`` collects the records seen so far, by name; ``field`` formats a record and a name as an expression.

        The default reads an item of a dict.
        """
        self._named, self._field = named, field
        self._known: dict[str, Any] = {
            "longs": _LONGS, "double": Struct("<d").pack, "join": b"".join, "end": _END,
        }  # fmt: skip
        self._functions: list[str] = []

    def compiled(self, schema: Any) -> Write:
        """The function that writes a value of the schema. ValueError as :func:`write_for`."""
        chunks = ", ".join(self._chunks(schema, "record"))
        source = "\n".join([*self._functions, f"def write(record):\n    return join(({chunks},))"])
        exec(source, self._known)  # noqa: S102  of field names that Avro holds to letters, digits and underscores
        write: Write = self._known["write"]
        return write

    def _chunks(self, schema: Any, value: str) -> list[str]:
        """Expressions that give the bytes of a value, one after the other; ``value`` is evaluated once, first."""
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
        """The name of a function that writes an array's items or a map's entries, as one block."""
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
        """A new name of the source, and what it stands for there."""
        name = f"name{len(self._known)}"
        self._known[name] = thing
        return name


def _check_fields(schema: Any, kind: Any, named: dict[str, Any]) -> None:
    """ValueError if a struct, or one within it, has other fields than its schema, or the same in another order."""
    schema = named.get(schema, schema) if isinstance(schema, str) else schema
    within = schema["type"] if isinstance(schema, dict) else schema
    if within in {"array", "map"}:
        _check_fields(schema["items" if within == "array" else "values"], get_args(kind)[-1], named)
    elif within == "record":
        names = tuple(field["name"] for field in schema["fields"])
        if getattr(kind, "__struct_fields__", None) != names:
            message = f"{kind} does not have the fields of {schema['name']} in their order: {', '.join(names)}"
            raise ValueError(message)
        for field, info in zip(schema["fields"], msgspec.structs.fields(kind), strict=True):
            _check_fields(field["type"], info.type, named)


def _misfit(schema: Any, record: Any, named: dict[str, Any]) -> str:
    """The first field of a struct that cannot be written."""
    for field in schema["fields"]:
        write = _Source(named, "{}.{}").compiled({"type": "record", "name": "", "fields": [field]})
        try:
            write(record)
        except _FAULTS:
            return str(field["name"])
    return str(schema["name"])


def _field_alone(field: dict[str, Any], record: dict[str, Any], write: Write, named: dict[str, Any]) -> bytes:
    """One field's bytes, or a ValueError that names it."""
    name = field["name"]
    try:
        return write({name: _completed(field["type"], record.get(name, field.get("default")), named)})
    except _FAULTS as error:
        message = f"{name} is missing or does not fit: {error}"
        raise ValueError(message) from error


def _completed(schema: Any, value: Any, named: dict[str, Any]) -> Any:
    """The value with the defaults of all records in it filled in."""
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
