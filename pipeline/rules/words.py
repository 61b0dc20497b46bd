"""Types and values in the words of somebody who writes rules, not code."""

import re
from typing import Any, Final

from msgspec import inspect

from pipeline.event.duration import DURATION_EXAMPLES
from pipeline.identity.limits import LIMIT_EXAMPLES
from pipeline.rules.document import Node

DURATION_SUFFIX: Final = "_ms"
"""Fields that end so are written without it, as durations: ``half_life: 7 d``."""
LIMITS_FIELD: Final = "limits"
CAPACITY_FIELD: Final = "capacity"
"""May also be empty, which means none."""
LIMIT_FIELDS: Final = frozenset({LIMITS_FIELD, CAPACITY_FIELD})
"""Fields of texts such as ``5 per 7 d``."""
LISTS: Final = (inspect.ListType, inspect.VarTupleType, inspect.SetType, inspect.FrozenSetType)

_KIND_WORDS: Final = {
    "text": "a text", "whole": "a whole number", "number": "a number", "switch": "true or false", "nothing": "nothing",
    "list": "a list", "names": "names with values",
}  # fmt: skip


def written_name(field: str) -> str:
    """The key under which a struct's field stands in a file."""
    return field.removesuffix(DURATION_SUFFIX)


def kind(value: Any) -> str:
    """What a document's value is: text, whole, number, switch, nothing, list or names."""
    if isinstance(value, bool):
        return "switch"
    return {str: "text", int: "whole", float: "number", list: "list", dict: "names"}.get(type(value), "nothing")


def found(node: Node) -> str:
    """A node as an error names it."""
    words = _KIND_WORDS[kind(node.value)]
    if kind(node.value) == "text":
        return f"{words}, {node.raw!r}"
    return f"{words}, {node.raw}" if node.raw else words


def choices(expected: inspect.LiteralType | inspect.EnumType) -> tuple[Any, ...]:
    """The values of a closed set."""
    if isinstance(expected, inspect.LiteralType):
        return tuple(expected.values)
    return tuple(member.value for member in expected.cls)


def wanted(expected: inspect.Type, field: str = "") -> frozenset[str]:
    """The kinds of values that a type takes."""
    if isinstance(expected, inspect.Metadata):
        return wanted(expected.type, field)
    if isinstance(expected, inspect.UnionType):
        return frozenset().union(*(wanted(each, field) for each in expected.types))
    if isinstance(expected, (*LISTS, inspect.TupleType)):
        return frozenset({"list"})
    if isinstance(expected, inspect.StructType | inspect.DictType):
        return frozenset({"names"})
    if isinstance(expected, inspect.LiteralType | inspect.EnumType):
        return frozenset(kind(each) for each in choices(expected))
    if is_duration(expected, field):
        return frozenset({"text"})
    if isinstance(expected, inspect.FloatType):
        return frozenset({"whole", "number"})
    simple = {inspect.StrType: "text", inspect.IntType: "whole", inspect.BoolType: "switch"}
    return frozenset({simple.get(type(expected), "nothing")})


def is_duration(expected: inspect.Type, field: str) -> bool:
    """Whether the field of that name and type is written as a duration."""
    if isinstance(expected, inspect.Metadata):
        return is_duration(expected.type, field)
    return field.endswith(DURATION_SUFFIX) and isinstance(expected, inspect.IntType)


def describe(expected: inspect.Type, field: str = "") -> str:
    """A type as an error asks for it."""
    if isinstance(expected, inspect.Metadata):
        return describe(expected.type, field)
    if is_duration(expected, field):
        return f"a duration ({', '.join(DURATION_EXAMPLES)})"
    if isinstance(expected, inspect.LiteralType | inspect.EnumType):
        return "one of " + ", ".join(map(str, choices(expected)))
    if isinstance(expected, (*LISTS, inspect.TupleType)):
        return "a list"
    if field in LIMIT_FIELDS:
        return f"a limit ({', '.join(LIMIT_EXAMPLES)})"
    kinds = wanted(expected, field)
    return " or ".join(
        words for name, words in _KIND_WORDS.items() if name in kinds and not (name == "whole" and "number" in kinds)
    )


def quoting(node: Node, expected: inspect.Type, field: str) -> str:
    """Advice where quotes are missing or too many: YAML tells texts and other values apart by them alone."""
    kinds = wanted(expected, field)
    if field in LIMIT_FIELDS and kind(node.value) == "whole":
        return f"write {node.raw} ever or {node.raw} per 7 d"
    if node.raw and "text" in kinds and kind(node.value) not in {"list", "names"}:
        return f'write "{node.raw}" in quotes'
    if kinds & {"whole", "number"} and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", node.raw):
        return f"write {node.raw} without quotes" if "number" in kinds or node.raw.isdigit() else "round it"
    return "write true or false" if kinds == {"switch"} else ""
