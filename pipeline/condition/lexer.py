"""Splits the text of a condition into tokens with positions. Raises ConditionError with advice for anything else."""

import re
from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from pipeline.condition.errors import ConditionError
from pipeline.condition.syntax import KEYWORDS
from pipeline.event.duration import UNITS_MS, unit_of

MAX_CHARACTERS: Final = 10_000
"""Far longer than a condition written by hand; bounds the time that a wrong or generated text can take."""
_MAX_DIGITS: Final = 15
"""Integers of this many digits are exact as floats, so a number is the same whichever way it is read."""

TokenKind: TypeAlias = Literal["name", "keyword", "number", "text", "duration", "sign", "end"]


class Token(NamedTuple):
    """A name, keyword, value or sign."""

    kind: TokenKind
    value: Any
    """By kind: path of the name, keyword in lower case, number, text without quotes, duration in ms, or sign."""
    written: str
    """The token as it stands in the text."""
    at: int
    """Its position in the text, from 0."""


FIRST_PART: Final = r"[^\W\d][\w/-]*"
NEXT_PART: Final = r"\w[\w/-]*"
_QUOTED: Final = r"`(?:[^`\n\r]|``)+`"
_NAME: Final = re.compile(rf"(?:{FIRST_PART}|{_QUOTED})(?:\.(?:{NEXT_PART}|{_QUOTED}))*")
_PARTS: Final = re.compile(rf"{_QUOTED}|{NEXT_PART}")
_SPACE: Final = re.compile(r"\s*")
_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_SPAN: Final = re.compile(r"\s*([0-9]+)\s*([A-Za-z]+)(?!\w)")
_TEXT: Final = re.compile(r""""(?:[^"\\\n\r]|\\.)*"|'(?:[^'\\\n\r]|\\.)*'""")
_ESCAPE: Final = re.compile(r"\\(.)")
_SIGN: Final = re.compile(r"!=|<=|>=|[=<>()\[\],]")
ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "'": "'"}

_FOREIGN: Final = {
    "==": "write = for equality", "<>": "write != for what differs", "=>": "write >=", "=<": "write <=",
    "&&": "write and", "||": "write or", "&": "write and", "|": "write or", "!": "write not, or != for what differs",
    "≥": "write >=", "≤": "write <=", "≠": "write !=", "{": "write a list in [ ]", "%": "write the number without it",
}  # fmt: skip
_CURLY: Final = "“”„‘’‚«»"  # noqa: RUF001 - word processors replace straight quotes by these


def tokens_of(text: str) -> Iterator[Token]:
    """Yields the tokens in order, then one of kind ``end``.

    Raises:
        ConditionError: a part of the text is not a token, or the text is too long.
    """
    if len(text) > MAX_CHARACTERS:
        message = f"a condition of more than {MAX_CHARACTERS} characters"
        raise ConditionError(message, MAX_CHARACTERS, "make segments of its parts and name them")
    at = _after_space(text, 0)
    while at < len(text):
        token, end = _token(text, at)
        yield token
        at = _after_space(text, end)
    yield Token("end", "", "", len(text))


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _token(text: str, at: int) -> tuple[Token, int]:
    foreign = next((sign for sign in _FOREIGN if text.startswith(sign, at)), "")
    if foreign and not text.startswith("!=", at):
        message = f"{foreign} is no sign of this language"
        raise ConditionError(message, at, _FOREIGN[foreign])
    if match := _NUMBER.match(text, at):
        return _number(text, match)
    if match := _NAME.match(text, at):
        return _name(match), match.end()
    if match := _TEXT.match(text, at):
        return Token("text", _unquoted(match), match[0], at), match.end()
    if match := _SIGN.match(text, at):
        return Token("sign", match[0], match[0], at), match.end()
    raise _no_token(text, at)


def _name(match: re.Match[str]) -> Token:
    written = match[0]
    parts = tuple(part[1:-1].replace("``", "`") if part.startswith("`") else part for part in _PARTS.findall(written))
    if written.lower() in KEYWORDS:
        return Token("keyword", written.lower(), written, match.start())
    return Token("name", parts, written, match.start())


def _number(text: str, match: re.Match[str]) -> tuple[Token, int]:
    span = _span(text, match.start())
    if span is not None:
        return span
    written, at = match[0], match.start()
    whole, _, fraction = written.lstrip("-").partition(".")
    if len(whole.lstrip("0")) > _MAX_DIGITS or len(fraction) > 2 * _MAX_DIGITS:
        message = f"a number of more than {_MAX_DIGITS} digits"
        raise ConditionError(message, at, "round it")
    number = float(written) if fraction.strip("0") else int(written.partition(".")[0])
    return Token("number", number, written, at), match.end()


def _span(text: str, start: int) -> tuple[Token, int] | None:
    """Returns the duration token and its end, or None if no unit of time follows the number."""
    total_ms, end = 0, start
    while (match := _SPAN.match(text, end)) and _is_unit(match[2]):
        if len(match[1]) > _MAX_DIGITS:
            message = f"a duration of more than {_MAX_DIGITS} digits"
            raise ConditionError(message, match.start(1), "shorten it")
        total_ms += int(match[1]) * UNITS_MS[unit_of(match[2])]
        end = match.end()
    if end == start:
        return None
    if total_ms == 0:
        message = f"{text[start:end]} is a duration of zero"
        raise ConditionError(message, start, "write a duration above zero, as in 30 min or 7 d")
    return Token("duration", total_ms, text[start:end], start), end


def _is_unit(word: str) -> bool:
    try:
        return bool(unit_of(word))
    except ValueError:
        return False


def _unquoted(match: re.Match[str]) -> str:
    def meant(escape: re.Match[str]) -> str:
        if escape[1] in ESCAPES:
            return ESCAPES[escape[1]]
        message = f"{escape[0]} stands for nothing in a text"
        raise ConditionError(message, match.start() + 1 + escape.start(), "write \\\\ for a backslash")

    return _ESCAPE.sub(meant, match[0][1:-1])


def _no_token(text: str, at: int) -> ConditionError:
    sign = text[at]
    if sign in "\"'":
        return ConditionError("a quote that is not closed", at, f"write {sign} at the end of the text")
    if sign == "`":
        return ConditionError("a backtick that is not closed", at, "write ` at the end of the name")
    if sign in _CURLY:
        return ConditionError(f"{sign} is no quote here", at, 'write straight quotes, as in "gold"')
    if sign == ".":
        return ConditionError("a dot that joins nothing", at, "write a name before it and after it, as in traits.plan")
    return ConditionError(f"{sign!r} is no sign of this language", at, "leave it out, or put a text in quotes")
