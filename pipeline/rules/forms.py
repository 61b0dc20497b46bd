"""Forms of fields: the form of a type, how a text of that form is read, and its JSON Schema."""

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from msgspec import inspect

from pipeline.condition.errors import ConditionError
from pipeline.condition.grammar import parse
from pipeline.condition.lexer import NEXT_PART
from pipeline.event.duration import DURATION_EXAMPLES, compact_duration
from pipeline.event.form import CHOICES, FORM, Form
from pipeline.identity.limits import LIMIT_EXAMPLES, format_limit, parse_limit
from pipeline.profile.windows import LIFETIME
from pipeline.rules.patterns import check_pattern
from pipeline.rules.problem import did_you_mean

_UNITS: Final = r"(ms|s|secs?|seconds?|m|min|minutes?|h|hrs?|hours?|d|days?|w|weeks?)"
DURATION_PATTERN: Final = rf"^\s*\d+\s*{_UNITS}(\s*\d+\s*{_UNITS})*\s*$"
"""A hint for editors. :func:`~pipeline.event.duration.parse_duration` decides what is valid."""
LIMIT_PATTERN: Final = rf"^\s*[1-9]\d*\s+(ever|per\s+\d+\s*{_UNITS}(\s*\d+\s*{_UNITS})*)\s*$"
CONDITION_EXAMPLES: Final = (
    "spent.EUR over 30 d >= 500 and orders over 90 d >= 3",
    'traits.plan = "gold" and (score.engagement >= 50 or not segment.dormant)',
    'traits.country in ["DE", "AT"] and traits.phone is known',
    'cart.status = "abandoned" and cart.amount.EUR >= 100',
)
ROUTE_EXAMPLES: Final = (
    'traits.country in ["DE", "AT"] and score >= 80',
    'channel = "ads" and campaign = "autumn" and contact.phone is known',
    'segment.big_spenders and grade contains "A"',
)
"""Examples over a lead, for the conditions of routes."""


def form_of(field_type: inspect.Type) -> Form:
    """Returns the form of a field's type; "" if it has none."""
    form: Form = _extra(field_type).get(FORM, "")
    return form


def choices_of(field_type: inspect.Type) -> tuple[str, ...]:
    """Returns the names that a field of the form ``choice`` accepts; empty for other forms."""
    names: tuple[str, ...] = _extra(field_type).get(CHOICES, ())
    return names


def plain(field_type: inspect.Type) -> inspect.Type:
    """Returns the type without its form."""
    return field_type.type if isinstance(field_type, inspect.Metadata) else field_type


def _extra(field_type: inspect.Type) -> dict[str, Any]:
    return (field_type.extra or {}) if isinstance(field_type, inspect.Metadata) else {}


class WrongTextError(ValueError):
    """A text that does not have its form; with the advice what to write instead."""

    def __init__(self, message: str, instead: str = "", position: int | None = None) -> None:
        super().__init__(message)
        self.message, self.instead = message, instead
        self.position = position
        """Index of the faulty character, from 0; None for the whole text."""


class TextForm(NamedTuple):
    """A form of texts."""

    read: Callable[[str], str]
    """Returns the text as the struct stores it. Raises ValueError, or ConditionError with a position."""
    schema: dict[str, Any]
    """The JSON Schema of such texts, without ``type``."""


def read_text(text: str, expected: inspect.Type, field: str) -> str:
    """Returns the text in the canonical spelling of its form, such as a window without spaces.

    ``field`` is for messages.

    Raises:
        WrongTextError: the text does not have its form.
    """
    choices = choices_of(expected)
    if choices and text not in choices:
        msg = f"unknown {field} {text!r}"
        raise WrongTextError(msg, did_you_mean(text, choices))
    form = FORMS.get(form_of(expected))
    if form is not None:
        try:
            text = form.read(text)
        except ConditionError as error:
            raise WrongTextError(error.message, error.instead, error.position) from error
        except ValueError as error:
            message, _, instead = str(error).partition("; ")
            raise WrongTextError(message, instead) from error
    _check_meta(text, plain(expected))
    return text


def text_schema(expected: inspect.Type) -> dict[str, Any]:
    """Returns the JSON Schema of a text, without ``type``."""
    if choices := choices_of(expected):
        return {"enum": list(choices)}
    form, kind = FORMS.get(form_of(expected)), plain(expected)
    if form is not None:
        return form.schema
    if not isinstance(kind, inspect.StrType):
        return {}
    limits = {"pattern": kind.pattern, "minLength": kind.min_length, "maxLength": kind.max_length}
    return {key: limit for key, limit in limits.items() if limit is not None}


def _check_meta(text: str, expected: inspect.Type) -> None:
    if not isinstance(expected, inspect.StrType):
        return
    if expected.pattern is not None and not re.search(expected.pattern, text):
        msg = f"{text!r} has the wrong form"
        raise WrongTextError(msg, f"it must match {expected.pattern}")
    if expected.max_length is not None and len(text) > expected.max_length:
        msg = f"{text!r} is longer than {expected.max_length} characters"
        raise WrongTextError(msg, "shorten it")
    if expected.min_length is not None and len(text) < expected.min_length:
        msg = f"{text!r} is shorter than {expected.min_length} characters"
        raise WrongTextError(msg, "write it out")


def _limit(text: str) -> str:
    return format_limit(parse_limit(text))


def _optional_limit(text: str) -> str:
    return _limit(text) if text else text


def _window(text: str) -> str:
    return text if text in {"", LIFETIME} else compact_duration(text)


def _pattern(text: str) -> str:
    check_pattern(text)
    return text


def _name(text: str) -> str:
    if re.fullmatch(NEXT_PART, text) is None:
        written = re.sub(r"[^\w/-]+", "_", text).strip("_-/") or "a_name"
        message = f"{text!r} is no name that a condition can call; write {written}: letters, digits, _, - and /"
        raise ValueError(message)
    return text


def _condition(text: str) -> str:
    parse(text)
    return text


_CONDITION: Final = {"minLength": 1}
FORMS: Final[dict[Form, TextForm]] = {
    "limit": TextForm(_limit, {"pattern": LIMIT_PATTERN, "examples": list(LIMIT_EXAMPLES)}),
    "optional limit": TextForm(_optional_limit, {"pattern": "^$|" + LIMIT_PATTERN, "examples": list(LIMIT_EXAMPLES)}),
    "window": TextForm(
        _window, {"pattern": f"^({LIFETIME})?$|{DURATION_PATTERN}", "examples": list(DURATION_EXAMPLES)}
    ),
    "pattern": TextForm(_pattern, {"format": "regex"}),
    "name": TextForm(_name, {"pattern": rf"^{NEXT_PART}$"}),
    "condition": TextForm(_condition, {**_CONDITION, "examples": list(CONDITION_EXAMPLES)}),
    "route condition": TextForm(_condition, {**_CONDITION, "examples": list(ROUTE_EXAMPLES)}),
}
