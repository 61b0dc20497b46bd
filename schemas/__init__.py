"""The Avro schemas of every public topic, their ids where no registry is configured, and their released versions.

``schemas/<name>.avsc`` is what this version writes and reads. ``schemas/released/<name>/<n>.avsc`` is every version
that has ever been on a topic: it never changes, and ``python -m schemas.check`` holds the current file against all of
them. ``schemas/ids.json`` gives each released version the id that stands in the wire format without a registry::

    >>> names()[0], own_id("event-web")
    ('event-web', 1400000101)

The ids start at 1,400,000,001, far above what a registry hands out from 1 upwards, so records written before a
registry was configured stay readable after it.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, TypeAlias

import fastavro

Schema: TypeAlias = dict[str, Any]
"""A record schema as fastavro parsed it; never changed after that."""

_HERE = files(__name__)


@cache
def _ids() -> Mapping[str, Mapping[int, int]]:
    """Version to id, by schema name, versions rising."""
    table = json.loads((_HERE / "ids.json").read_text(encoding="utf-8"))
    return MappingProxyType(
        {name: {int(version): number for version, number in ids.items()} for name, ids in table.items()}
    )


@cache
def _by_id() -> Mapping[int, tuple[str, int]]:
    return {number: (name, version) for name, ids in _ids().items() for version, number in ids.items()}


def names() -> tuple[str, ...]:
    """Every schema, events first."""
    return tuple(_ids())


def text(name: str) -> str:
    """The current file of a schema, as written, to register or to publish. KeyError if there is no such schema."""
    _known(name)
    return (_HERE / f"{name}.avsc").read_text(encoding="utf-8")


@cache
def load(name: str) -> Schema:
    """The current schema, parsed once. Do not change it. KeyError if there is no such schema."""
    return parsed(text(name))


def parsed(schema_text: str) -> Schema:
    """A record schema from its JSON text. ValueError if it is not one."""
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
    """The released versions, rising."""
    return tuple(_known(name))


def released(name: str, version: int) -> str:
    """The text of one released version."""
    return (_HERE / "released" / name / f"{version}.avsc").read_text(encoding="utf-8")


def own_id(name: str) -> int:
    """The id of the newest released version: what stands in the wire format where no registry is configured."""
    return max(_known(name).items())[1]


def text_of_own_id(number: int) -> str | None:
    """The writer's schema behind one of our own ids; None if it is not one of them."""
    entry = _by_id().get(number)
    return released(*entry) if entry else None


def _known(name: str) -> Mapping[int, int]:
    if name not in _ids():
        message = f"there is no schema {name!r}; there are {', '.join(_ids())}"
        raise KeyError(message)
    return _ids()[name]
