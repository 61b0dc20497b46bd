"""Names of types and values in messages to authors of rules."""

import re
from typing import Any, Final

from msgspec import inspect

from pipeline.event.duration import DURATION_EXAMPLES
from pipeline.identity.limits import LIMIT_EXAMPLES
from pipeline.rules.document import Node
from pipeline.rules.forms import form_of, plain

DURATION_SUFFIX: Final = "_ms"
"""Ending of the names of duration fields. Files omit it: ``half_life: 7 d``."""
LIMITS: Final = frozenset({"limit", "optional limit"})
"""Forms of texts such as ``5 per 7 d``."""
LISTS: Final = (inspect.ListType, inspect.VarTupleType, inspect.SetType, inspect.FrozenSetType)

_KIND_WORDS: Final = {
    "text": "a text", "whole": "a whole number", "number": "a number", "switch": "true or false", "nothing": "nothing",
    "list": "a list", "names": "names with values",
}  # fmt: skip


def written_name(field: inspect.Field) -> str:
    """Returns the key of a struct's field in a file."""
    return field.encode_name.removesuffix(DURATION_SUFFIX) if is_duration(field.type) else field.encode_name


def kind(value: Any) -> str:
    """Returns the kind of a document's value: text, whole, number, switch, nothing, list or names."""
    if isinstance(value, bool):
        return "switch"
    return {str: "text", int: "whole", float: "number", list: "list", dict: "names"}.get(type(value), "nothing")


def found(node: Node) -> str:
    """Returns the description of a node in an error."""
    words = _KIND_WORDS[kind(node.value)]
    if kind(node.value) == "text":
        return f"{words}, {node.raw!r}"
    return f"{words}, {node.raw}" if node.raw else words


def choices(expected: inspect.LiteralType | inspect.EnumType) -> tuple[Any, ...]:
    """Returns the values of a literal or enum type."""
    if isinstance(expected, inspect.LiteralType):
        return tuple(expected.values)
    return tuple(member.value for member in expected.cls)


def wanted(expected: inspect.Type) -> frozenset[str]:
    """Returns the kinds of values that a type accepts."""
    if is_duration(expected):
        return frozenset({"text"})
    expected = plain(expected)
    if isinstance(expected, inspect.UnionType):
        return frozenset().union(*(wanted(option) for option in expected.types))
    if isinstance(expected, (*LISTS, inspect.TupleType)):
        return frozenset({"list"})
    if isinstance(expected, inspect.StructType | inspect.DictType):
        return frozenset({"names"})
    if isinstance(expected, inspect.LiteralType | inspect.EnumType):
        return frozenset(kind(option) for option in choices(expected))
    if isinstance(expected, inspect.FloatType):
        return frozenset({"whole", "number"})
    simple = {inspect.StrType: "text", inspect.IntType: "whole", inspect.BoolType: "switch"}
    return frozenset({simple.get(type(expected), "nothing")})


def is_duration(expected: inspect.Type) -> bool:
    """Whether a field of this type is written as a duration."""
    return form_of(expected) == "duration"


def describe(expected: inspect.Type) -> str:
    """Returns the description of a type in an error."""
    form, expected = form_of(expected), plain(expected)
    if form == "duration":
        return f"a duration ({', '.join(DURATION_EXAMPLES)})"
    if isinstance(expected, inspect.LiteralType | inspect.EnumType):
        return "one of " + ", ".join(map(str, choices(expected)))
    if isinstance(expected, (*LISTS, inspect.TupleType)):
        return "a list"
    if form in LIMITS:
        return f"a limit ({', '.join(LIMIT_EXAMPLES)})"
    kinds = wanted(expected)
    return " or ".join(
        words for name, words in _KIND_WORDS.items() if name in kinds and not (name == "whole" and "number" in kinds)
    )


def quoting(node: Node, expected: inspect.Type) -> str:
    """Returns advice on missing or superfluous quotes, which distinguish texts from other values in YAML; else ""."""
    kinds = wanted(expected)
    if form_of(expected) in LIMITS and kind(node.value) == "whole":
        return f"write {node.raw} ever or {node.raw} per 7 d"
    if node.raw and "text" in kinds and kind(node.value) not in {"list", "names"}:
        return f'write "{node.raw}" in quotes'
    if kinds & {"whole", "number"} and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", node.raw):
        return f"write {node.raw} without quotes" if "number" in kinds or node.raw.isdigit() else "round it"
    return "write true or false" if kinds == {"switch"} else ""
