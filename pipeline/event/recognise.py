"""Recognition of an event's identifiers: those of a declared type whose normalised value is not blocked.

>>> from pipeline.event.rules import DEFAULT_TYPES
>>> from pipeline.rules.patterns import any_match
>>> recogniser = Recogniser(DEFAULT_TYPES, Normalisers(CORE_NORMALISERS | {"email": lower, "phone": text}, any_match))
>>> recogniser.resolve(("email: A@B.org ", "user_id:Guest"))
(('email:a@b.org',), {'user_id:Guest': 'blocked'})
"""

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, TypeAlias

from msgspec import Struct

from pipeline.event.identifier import Identifier, identifier
from pipeline.event.rules import IdentifierType

Normaliser: TypeAlias = Callable[[str], str | None]
"""Returns the canonical form of a value, or None if the value is invalid. Must be idempotent."""

Ranked: TypeAlias = tuple[int, str]
"""Priority and identifier, so that sorting puts the strongest first; or REJECTED and the reason."""

Resolved: TypeAlias = tuple[tuple[Identifier, ...], dict[str, str]]
"""Unique identifiers, strongest first, and the rejected ones with the reason."""

REJECTED: Final = -1
ATTRIBUTE: Final = 1 << 40
"""Added to the priority of types that must agree, so that they come last and are never the anchor."""
MAX_VALUE_CHARS: Final = 256
REMEMBERED: Final = 1 << 17
"""Results that are kept by default. About 1 kB for an event's identifiers."""


def visible(value: str) -> str:
    """Removes invisible characters: zero-width ones, soft hyphens, byte order marks, non-breaking spaces."""
    if value.isascii():
        return value
    return "".join(item for item in value if item != "\u00a0" and unicodedata.category(item) != "Cf")


def text(value: str) -> str | None:
    """Returns the value trimmed and in Unicode's composed form; None if it is empty or not printable."""
    value = unicodedata.normalize("NFC", value).strip()
    return value if value and value.isprintable() else None


def lower(value: str) -> str | None:
    """Returns the result of :func:`text` in lower case."""
    lowered = text(value)
    return text(lowered.lower()) if lowered else None


CORE_NORMALISERS: Mapping[str, Normaliser] = {"text": text, "lower": lower}
"""The normalisers that need no library. The shell provides those of e-mail addresses and phone numbers."""


class Normalisers(Struct, frozen=True):
    """What recognising takes from libraries, and so from the shell."""

    by_name: Mapping[str, Normaliser]
    any_match: Callable[[Sequence[str]], Callable[[str], bool]]
    """Compiles regular expressions to whether a value matches one of them as a whole, in any case.

    The time of a match must be linear in the length of the value: values come from outside."""


class _Type(Struct, frozen=True):
    """An identifier type, ready to be applied."""

    priority: int
    normalise: Normaliser
    blocked: frozenset[str]
    matches_blocked: Callable[[str], bool]


class Recogniser:
    """Ranks raw identifiers by the declared types. Caches the results, because customers come back.

    Raises:
        KeyError: on construction, a type names an unknown normaliser.
        ValueError: on construction, a blocked pattern is not a regular expression.
    """

    def __init__(self, types: Iterable[IdentifierType], normalisers: Normalisers, remembered: int = REMEMBERED) -> None:
        """``remembered`` is the number of results that each of :attr:`rank` and :attr:`resolve` caches."""
        self._types = {
            kind.name: _Type(
                kind.priority + (ATTRIBUTE if kind.must_agree else 0),
                normalisers.by_name[kind.normalise],
                frozenset(value.lower() for value in kind.blocked_values),
                normalisers.any_match(kind.blocked_patterns),
            )
            for kind in types
        }
        self.rank: Callable[[Identifier], Ranked] = lru_cache(remembered)(self._rank)
        """Returns priority and normalised identifier, or REJECTED and the reason: undeclared, invalid or blocked."""
        self.resolve: Callable[[tuple[Identifier, ...]], Resolved] = lru_cache(remembered)(self._resolve)
        """Resolves the identifiers of one event. The result is shared: copy it before changing it."""

    def _resolve(self, raws: tuple[Identifier, ...]) -> Resolved:
        ranked = {raw: self.rank(raw) for raw in raws}
        accepted = sorted({entry for entry in ranked.values() if entry[0] != REJECTED})
        rejected = {raw: why for raw, (priority, why) in ranked.items() if priority == REJECTED}
        return tuple(ident for _, ident in accepted), rejected

    def _rank(self, raw: Identifier) -> Ranked:
        name, _, value = raw.partition(":")
        kind = self._types.get(name)
        if kind is None:
            return REJECTED, "undeclared"
        if len(value) > MAX_VALUE_CHARS:
            return REJECTED, "invalid"
        normalised = kind.normalise(visible(value))
        if normalised is None or len(normalised) > MAX_VALUE_CHARS:
            return REJECTED, "invalid"
        if normalised.lower() in kind.blocked or kind.matches_blocked(normalised):
            return REJECTED, "blocked"
        return kind.priority, identifier(name, normalised)
