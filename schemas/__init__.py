"""The Avro schemas of every public topic, their released versions, and their ids for use without a registry.

``schemas/<name>.avsc`` is the schema that this version writes and reads. ``schemas/released/<name>/<n>.avsc`` are all
versions ever written to a topic: they never change, and ``python -m schemas.check`` compares the current file with all
of them. ``schemas/ids.json`` holds the id of each released version, which the wire format carries without a registry::

    >>> names()[0], own_id("event-web")
    ('event-web', 1400000101)

The ids start at 1,400,000,001, far above the ids that a registry assigns from 1 upwards. So records written before a
registry was configured stay readable afterwards.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, TypeAlias

import fastavro

Schema: TypeAlias = dict[str, Any]
"""A record schema as parsed by fastavro. Must not be modified."""

_HERE = files(__name__)


@cache
def _ids() -> Mapping[str, Mapping[int, int]]:
    """Returns schema name to version to id, versions rising."""
    table = json.loads((_HERE / "ids.json").read_text(encoding="utf-8"))
    return MappingProxyType(
        {name: {int(version): number for version, number in ids.items()} for name, ids in table.items()}
    )


@cache
def _by_id() -> Mapping[int, tuple[str, int]]:
    return {number: (name, version) for name, ids in _ids().items() for version, number in ids.items()}


def names() -> tuple[str, ...]:
    """Returns the names of all schemas, events first."""
    return tuple(_ids())


def text(name: str) -> str:
    """Returns the text of a schema's current file. Raises KeyError if there is no such schema."""
    _known(name)
    return (_HERE / f"{name}.avsc").read_text(encoding="utf-8")


@cache
def load(name: str) -> Schema:
    """Returns the current schema, parsed once and shared. Raises KeyError if there is no such schema."""
    return parsed(text(name))


def parsed(schema_text: str) -> Schema:
    """Parses the JSON text of a record schema. Raises ValueError if it is not one."""
    try:
        schema = fastavro.parse_schema(json.loads(schema_text))
    except (fastavro.schema.SchemaParseException, fastavro.schema.UnknownType, KeyError, TypeError) as error:
        message = f"not an Avro schema: {error}"
        raise ValueError(message) from error
    if not isinstance(schema, dict) or schema.get("type") != "record":
        message = "not the schema of a record"
        raise ValueError(message)
    return schema


def versions(name: str) -> tuple[int, ...]:
    """Returns the released versions, rising. Raises KeyError if there is no such schema."""
    return tuple(_known(name))


def released(name: str, version: int) -> str:
    """Returns the text of one released version."""
    return (_HERE / "released" / name / f"{version}.avsc").read_text(encoding="utf-8")


def own_id(name: str) -> int:
    """Returns the id of the newest released version, which encoders write if no registry is configured."""
    return max(_known(name).items())[1]


def text_of_own_id(number: int) -> str | None:
    """Returns the text of the released version with an id of ``ids.json``; None for any other id."""
    entry = _by_id().get(number)
    return released(*entry) if entry else None


def _known(name: str) -> Mapping[int, int]:
    if name not in _ids():
        message = f"there is no schema {name!r}; there are {', '.join(_ids())}"
        raise KeyError(message)
    return _ids()[name]
