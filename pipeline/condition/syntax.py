"""The syntax tree of a condition. Equality ignores ``at``, the position of a name or value in the text.

The nodes are dataclasses, because a msgspec struct cannot exclude a field from its equality.
"""

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

LiteralKind: TypeAlias = Literal["number", "text", "truth", "duration"]
Operator: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">=", "contains"]

SIGNS: Final = ("=", "!=", "<", "<=", ">", ">=")
KEYWORDS: Final = frozenset({"and", "or", "not", "in", "contains", "is", "known", "unknown", "over", "true", "false"})
"""Reserved words, case-insensitive. They are not names by themselves, but may be parts of a longer name."""


@dataclass(frozen=True, slots=True)
class Name:
    """A name: a path, and optionally a window of time."""

    path: tuple[str, ...]
    window_ms: int = 0
    """Length of the window in ms; 0 if none is written."""
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Value:
    """A literal. The value of a duration is in milliseconds; a number without a fraction is an int."""

    kind: LiteralKind
    value: int | float | str | bool
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Truth:
    """A name without an operator: it must be true."""

    name: Name


@dataclass(frozen=True, slots=True)
class Compare:
    """A name compared with a value."""

    name: Name
    operator: Operator
    value: Value


@dataclass(frozen=True, slots=True)
class Among:
    """``in``: the name has one of the values. With ``negated``, ``not in``: it has none of them."""

    name: Name
    values: tuple[Value, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """``is known``, or with ``negated`` ``is unknown``."""

    name: Name
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Not:
    """Negation."""

    part: "Expression"


@dataclass(frozen=True, slots=True)
class And:
    """Conjunction of two or more parts."""

    parts: "tuple[Expression, ...]"


@dataclass(frozen=True, slots=True)
class Or:
    """Disjunction of two or more parts."""

    parts: "tuple[Expression, ...]"


Expression: TypeAlias = Truth | Compare | Among | Known | Not | And | Or
