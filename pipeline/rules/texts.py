"""Texts with a form of their own: limits, windows, patterns, conditions, names out of a set."""

import re
from collections.abc import Callable
from typing import Final

from msgspec import inspect

from pipeline.condition.errors import ConditionError
from pipeline.condition.grammar import parse
from pipeline.event.duration import compact_duration
from pipeline.identity.limits import format_limit, parse_limit
from pipeline.rules.known import CHOICES, CONDITIONS, LIFETIME, PATTERNS, SPANS
from pipeline.rules.problem import did_you_mean
from pipeline.rules.words import CAPACITY_FIELD, LIMITS_FIELD


class WrongTextError(ValueError):
    """What is wrong, and what to write instead."""

    def __init__(self, message: str, instead: str = "", position: int | None = None) -> None:
        super().__init__(message)
        self.message, self.instead = message, instead
        self.position = position
        """The character of the text that is meant, from 0; None: the whole text."""


def read_text(text: str, expected: inspect.StrType, struct: str, field: str) -> str:
    """The text as the struct's field wants it: durations without blanks, limits in one spelling.

    Raises :class:`WrongTextError`.
    """
    choices = CHOICES.get((struct, field))
    if choices is not None and text not in choices:
        msg = f"unknown {field} {text!r}"
        raise WrongTextError(msg, did_you_mean(text, choices))
    form = _FORMS.get(field)
    if form is not None:
        try:
            text = form(text)
        except ConditionError as error:
            raise WrongTextError(error.message, error.instead, error.position) from error
        except ValueError as error:
            message, _, instead = str(error).partition("; ")
            raise WrongTextError(message, instead) from error
    _check_meta(text, expected)
    return text


def _check_meta(text: str, expected: inspect.StrType) -> None:
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


def _capacity(text: str) -> str:
    return _limit(text) if text else text


def _span(text: str) -> str:
    return text if text in {"", LIFETIME} else compact_duration(text)


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        message = f"{text!r} is not a regular expression: {error.msg}; put a \\ before signs that are meant as such"
        raise ValueError(message) from error
    return text


def _condition(text: str) -> str:
    parse(text)
    return text


_FORMS: Final[dict[str, Callable[[str], str]]] = {
    LIMITS_FIELD: _limit,
    CAPACITY_FIELD: _capacity,
    **dict.fromkeys(SPANS, _span),
    **dict.fromkeys(PATTERNS, _pattern),
    **dict.fromkeys(CONDITIONS, _condition),
}
