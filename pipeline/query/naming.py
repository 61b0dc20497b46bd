"""Parses ``type:value``, as operators type it, into the identifier that the customer's events carry."""

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
    """Returns whether a text has the form of a profile id. An identifier never has: it contains a colon."""
    return _PROFILE_ID.fullmatch(text) is not None


class NotAnIdentifierError(MisuseError, ValueError):
    """The text is not an identifier under the rules. Operator action: ``str(error)`` states what to write."""


class Naming:
    """Normalises as INTAKE does under the same rules, so that a typed identifier equals that of the events."""

    def __init__(self, rules: Rules) -> None:
        self._types = tuple(kind.name for kind in rules.identifiers)
        known = normalisers(rules.intake.default_country)
        self._recogniser = Recogniser(rules.identifiers, known)
        bare = (replace(kind, blocked_values=frozenset(), blocked_patterns=()) for kind in rules.identifiers)
        self._unblocked = Recogniser(bare, known)

    def identifier(self, text: str, *, or_blocked: bool = False) -> Identifier:
        """Returns the identifier.

        ``or_blocked`` accepts a value that the rules block: it may have been linked before the rules blocked it.

        Raises:
            NotAnIdentifierError: the text is not an identifier.
        """
        priority, ident = (self._unblocked if or_blocked else self._recogniser).rank(text)
        if priority == REJECTED:
            raise NotAnIdentifierError(self._why_not(text, ident))
        return ident

    def is_blocked(self, ident: Identifier) -> bool:
        """Returns whether the rules block this identifier in new events."""
        return self._recogniser.rank(ident) == (REJECTED, BLOCKED)

    def _why_not(self, text: str, why: str) -> str:
        if why == "undeclared":
            types = ", ".join(self._types)
            return f"{text!r} is neither a profile id nor type:value with a type of the rules ({types})"
        if why == BLOCKED:
            return f"{text!r} is a blocked value of {type_of(text)}: the rules do not let it identify a customer"
        return f"{text!r} is not a valid {type_of(text)}"
