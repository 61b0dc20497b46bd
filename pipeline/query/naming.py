"""From what a person types, ``type:value``, to the identifier that events of the same customer carry."""

import re
from typing import Final

from msgspec.structs import replace

from pipeline.errors import MisuseError
from pipeline.event.identifier import Identifier, type_of
from pipeline.event.recognise import REJECTED, Recogniser
from pipeline.rules.model import Rules
from pipeline.rules.normalisers import normalisers

BLOCKED: Final = "blocked"
_PROFILE_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_profile_id(text: str) -> bool:
    """Whether a text has the form of a profile id; identifiers never have, they hold a colon."""
    return _PROFILE_ID.fullmatch(text) is not None


class NotAnIdentifierError(MisuseError, ValueError):
    """Nobody can be called that. ``str(error)`` says why and what to write."""


class Naming:
    """Normalises as INTAKE does under the same rules, so that people and events mean the same identifier."""

    def __init__(self, rules: Rules) -> None:
        self._types = tuple(kind.name for kind in rules.identifiers)
        known = normalisers(rules.intake.default_country)
        self._recogniser = Recogniser(rules.identifiers, known)
        bare = (replace(kind, blocked_values=frozenset(), blocked_patterns=()) for kind in rules.identifiers)
        self._unblocked = Recogniser(bare, known)

    def identifier(self, text: str, *, or_blocked: bool = False) -> Identifier:
        """The identifier. ``or_blocked``: also one that the rules block; it may have been taken before they did.

        Raises:
            NotAnIdentifierError: it is none.
        """
        priority, ident = (self._unblocked if or_blocked else self._recogniser).rank(text)
        if priority == REJECTED:
            raise NotAnIdentifierError(self._why_not(text, ident))
        return ident

    def is_blocked(self, ident: Identifier) -> bool:
        """Whether the rules would not take this identifier from the next event on."""
        return self._recogniser.rank(ident) == (REJECTED, BLOCKED)

    def _why_not(self, text: str, why: str) -> str:
        if why == "undeclared":
            types = ", ".join(self._types)
            return f"{text!r} is neither a profile id nor type:value with a type of the rules ({types})"
        if why == BLOCKED:
            return f"{text!r} is a value that identifies nobody, by the rules for {type_of(text)}"
        return f"{text!r} is not a valid {type_of(text)}"
