"""Common mistakes in conditions, each with a message and the advice what to write instead.

Each function returns the mistake for the case that its docstring describes.
"""

from typing import Final, NamedTuple

from pipeline.condition.advice import did_you_mean
from pipeline.condition.lexer import Token
from pipeline.condition.syntax import Name, Value
from pipeline.condition.text import format_name, format_value
from pipeline.event.duration import unit_of


class Mistake(NamedTuple):
    """What is wrong with a token, and what to write instead."""

    message: str
    instead: str


_EXAMPLE: Final = 'write one, as in traits.plan = "gold"'
_JOIN: Final = "write and or or between conditions"

EMPTY: Final = Mistake("the condition is empty", _EXAMPLE)
NO_WINDOW: Final = Mistake("a duration is missing after over", "write one, as in over 30 d")
NO_LIST: Final = Mistake("a list is missing after in", 'write one, as in in ["DE", "AT"]')
ROUND_LIST: Final = Mistake("a list is written in square brackets", 'write [ and ], as in in ["DE", "AT"]')
EMPTY_LIST: Final = Mistake("an empty list holds nothing", "write the values there are to choose from")
IS_NOT: Final = Mistake("is not is no operator", "write is unknown, or != for what differs")
TOO_DEEP: Final = Mistake("parentheses and nots too deep within each other", "make segments of the parts and name them")
_COMMA: Final = Mistake(
    "a comma is allowed in lists only", "write numbers without separators; join conditions with and"
)

_LIKENED: Final = {
    "equals": "write =", "eq": "write =", "like": "write contains", "has": "write contains",
    "matches": "write contains", "includes": "write contains", "within": "write over", "exists": "write is known",
    "between": "write >= and <=, in two conditions joined by and",
}  # fmt: skip
"""Operators of other languages, and what to write here."""
_NOTHING: Final = frozenset({"null", "none", "nil", "empty", "undefined", "missing"})
"""Words of other languages for an unknown value."""


def is_literal(token: Token) -> bool:
    """Whether the token is a value."""
    return token.kind in {"number", "text", "duration"} or (
        token.kind == "keyword" and token.value in {"true", "false"}
    )


def no_name(token: Token) -> Mistake:
    """Another token where a name is required."""
    if is_literal(token):
        return Mistake(f"{token.written} is a value, not a name", "write the name first, as in orders >= 3")
    return Mistake("a name is missing" + ("" if token.kind == "end" else f" before {token.written}"), _EXAMPLE)


def no_operator(token: Token) -> Mistake:
    """A value directly after a name."""
    return Mistake(f"an operator is missing before {token.written}", "write = for equality")


def only_not(name: Name) -> Mistake:
    """``not`` after a name without ``in``."""
    return Mistake(
        "not after a name is the beginning of not in", f"write not {format_name(name)}, or not in and a list"
    )


def no_unit(number: Token) -> Mistake:
    """A number without a unit where a duration is required."""
    return Mistake(f"a unit of time is missing after {number.written}", f"write {number.written} d, for example")


def not_known(name: Name, token: Token) -> Mistake:
    """A token other than ``known`` or ``unknown`` after ``is``."""
    written = format_name(name)
    instead = f"write {written} = {token.written} for equality" if is_literal(token) else f"write {written} is known"
    return Mistake("is goes with known and unknown only", instead)


def no_value(token: Token, after: Token, name: Name | None) -> Mistake:
    """Another token where a value is required. ``name`` is the left side of the comparison; None inside a list."""
    written = token.written
    if token.kind == "name" and name is not None and written.lower() in _NOTHING:
        what = "is unknown" if after.value == "=" else "is known"
        return Mistake(f"{written} is no value", f"write {format_name(name)} {what}")
    if token.kind == "name":
        quoted = format_value(Value("text", written))
        return Mistake(f"{written} is a name, where a value is needed", f"write {quoted} in quotes if it is a text")
    if token.value == "[" and token.kind == "sign":
        return Mistake(f"{after.written} goes with one value", "write in for a list of values")
    instead = 'write a number, a text in quotes, true, false or a duration, as in 500, "gold" or 7 d'
    return Mistake(f"a value is missing after {after.written}", instead)


def after_number(number: Token, token: Token) -> Mistake | None:
    """Returns the mistake if ``token`` was meant as a part of the number before it, as in ``1 000``; else None."""
    if token.kind == "name":
        try:
            unit_of(token.written)
        except ValueError as error:
            message, _, instead = str(error).partition("; ")
            return Mistake(message, instead)
        return Mistake("a duration is made of whole numbers above zero", "write 1 h 30 min for 1.5 h")
    if token.kind in {"number", "duration"}:
        return Mistake(f"{token.written} follows {number.written}", "write numbers without blanks")
    return None


def not_closed(opened: str, closing: str) -> Mistake:
    """The text ends inside a parenthesis or a bracket."""
    return Mistake(f"{opened} is not closed", f"write {closing} where it ends")


def not_listed(token: Token) -> Mistake:
    """A list item is followed by neither a comma nor a bracket."""
    return Mistake(f"{token.written} does not belong in a list", "write , between values and ] at the end")


def stray(token: Token) -> Mistake:
    """A token after the end of a complete condition."""
    written = token.written
    message = f"{written} cannot stand here"
    if token.kind == "name":
        if written.lower() in _LIKENED:
            return Mistake(f"{written} is no operator", _LIKENED[written.lower()])
        near = did_you_mean(written, ("and", "or", "in", "contains", "over", "is known", "is unknown"))
        return Mistake(message, near if near.startswith("did") else f"{_JOIN}, = between a name and a value")
    if token.kind == "sign" and token.value == ",":
        return _COMMA
    if token.kind == "sign" and token.value in {")", "]"}:
        return Mistake(f"{written} closes nothing", "leave it out")
    return Mistake(message, _JOIN)
