"""A condition as a tree. Trees are equal if they say the same; where it stood in the text (``at``) is no part of that.

Dataclasses rather than msgspec structs, for a struct cannot leave a field out of its equality.
"""

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

LiteralKind: TypeAlias = Literal["number", "text", "truth", "duration"]
Operator: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">=", "contains"]

SIGNS: Final = ("=", "!=", "<", "<=", ">", ">=")
KEYWORDS: Final = frozenset({"and", "or", "not", "in", "contains", "is", "known", "unknown", "over", "true", "false"})
"""Words that are no names, in any case; a part of a longer name may be one of them."""


@dataclass(frozen=True, slots=True)
class Name:
    """What is asked about: a path, perhaps over a window of time."""

    path: tuple[str, ...]
    window_ms: int = 0
    """0: no window was written."""
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Value:
    """A literal. A duration's value is in milliseconds; a number without a fraction is an int."""

    kind: LiteralKind
    value: int | float | str | bool
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Truth:
    """A name that stands alone: it is true."""

    name: Name


@dataclass(frozen=True, slots=True)
class Compare:
    """A name compared with a value."""

    name: Name
    operator: Operator
    value: Value


@dataclass(frozen=True, slots=True)
class Among:
    """A name that is one of the values, or with ``negated`` none of them."""

    name: Name
    values: tuple[Value, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """Whether anything is known under the name; with ``negated``, that nothing is."""

    name: Name
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    part: "Expression"


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more."""

    parts: "tuple[Expression, ...]"


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of two or more."""

    parts: "tuple[Expression, ...]"


Expression: TypeAlias = Truth | Compare | Among | Known | Not | And | Or
