"""Writes loaded rules back as YAML in the form of rules files, with every default spelled out."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec
import yaml
from msgspec import inspect

from pipeline.event.duration import format_duration
from pipeline.rules.files import RulesFile
from pipeline.rules.model import Rules
from pipeline.rules.words import is_duration, written_name


def file_data(rules: Rules, spec: RulesFile) -> dict[str, Any]:
    """Returns the content of one rules file. Loading it gives the same rules."""
    if spec.topic == "identifiers":
        types = zip(rules.identifiers, rules.identity.types, strict=True)
        declared = [_written(read) | _written(stitched) for read, stitched in types]
        return {**_written(rules.identity), "types": declared}
    return _written(getattr(rules, spec.topic))


def yaml_text(data: dict[str, Any]) -> str:
    """Returns the data as YAML, in the order of the struct's fields."""
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110)


def _written(struct: msgspec.Struct) -> dict[str, Any]:
    """Returns a struct as a mapping. Omits empty lists and mappings, which are the default."""
    document = {}
    for field in _fields(type(struct)):
        value = getattr(struct, field.name)
        if value is msgspec.UNSET:
            continue
        written = _value(value, field.type)
        if written not in ([], {}):
            document[written_name(field)] = written
    return document


@cache
def _fields(struct: type[msgspec.Struct]) -> tuple[inspect.Field, ...]:
    struct_type = inspect.type_info(struct)
    return struct_type.fields if isinstance(struct_type, inspect.StructType) else ()


def _value(value: Any, expected: inspect.Type) -> Any:
    if isinstance(value, msgspec.Struct):
        return _written(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_value(item, inspect.AnyType()) for item in value]
    if is_duration(expected) and value:
        return format_duration(value)
    return value
