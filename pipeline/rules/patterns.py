r"""Regular expressions of rules files, on an engine without backtracking: RE2.

The time of a match grows with the length of the value and with nothing else: no customer can write a value on which a
worker hangs, as ``(a+)+b`` hangs on a backtracking engine. RE2 has neither back-references nor look-around, and its
``\w``, ``\d``, ``\s`` and ``\b`` mean ASCII.
"""

from collections.abc import Callable, Sequence
from typing import Final

import re2  # type: ignore[import-untyped]

_MAX_MEMORY_BYTES: Final = 64 << 20
"""Of one set of patterns. It is used as values need it; the shipped rules need less than 1 MiB."""
_ADVICE: Final = (
    ("invalid escape sequence: \\Z", "leave it out: a pattern matches a value as a whole"),
    ("invalid escape sequence", "RE2 has no back-references: write the alternatives out, as in aa|bb|cc"),
    ("invalid perl operator", "RE2 has no look-around: write what may stand there, or several patterns"),
    ("invalid repetition size", "repeat at most 1000 times"),
    ("bad repetition operator", "write a single sign: *, +, ? or {m,n}"),
)
_ESCAPE: Final = "put a \\ before signs that are meant as such"


class PatternError(ValueError):
    """A text that is no regular expression of RE2. The message says, after a semicolon, what to write instead."""


def check_pattern(text: str) -> None:
    """Raise PatternError if RE2 cannot express the pattern."""
    try:
        re2.compile(text, _options())
    except (re2.error, UnicodeEncodeError) as error:
        detail = error.args[0].decode() if isinstance(error.args[0], bytes) else "it is not Unicode text"
        instead = next((advice for begin, advice in _ADVICE if detail.startswith(begin)), _ESCAPE)
        message = f"{text!r} is not a regular expression: {detail}; {instead}"
        raise PatternError(message) from error


def any_match(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Returns whether a value matches one of the patterns as a whole, in any case.

    Raises:
        PatternError: RE2 cannot express one of them.
    """
    if not patterns:
        return _no_match
    for pattern in patterns:
        check_pattern(pattern)
    together = re2.Set.FullMatchSet(_options())
    for pattern in patterns:
        together.Add(pattern)
    together.Compile()
    match = together.Match
    return lambda value: bool(match(value.encode("utf-8", "surrogatepass")))


def _no_match(_value: str) -> bool:
    return False


def _options() -> re2.Options:
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = _MAX_MEMORY_BYTES
    return options
