"""The names that the conditions of routes may use, and how each is read from a lead.

>>> from pipeline.profile.records import CrmAction, Lead
>>> holds = compile_when('traits.country in ["DE", "AT"] and score >= 70')
>>> action = CrmAction(score=72.5)
>>> holds(Lead("default", action, {"country": "AT"})), holds(Lead("default", action))
(True, False)
"""

from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from pipeline.condition.advice import did_you_mean
from pipeline.condition.compiler import compile_condition
from pipeline.condition.due import FOREVER
from pipeline.condition.errors import MeaningError
from pipeline.condition.grammar import parse
from pipeline.condition.operand import Check, Kind, Operand, Timeless
from pipeline.condition.syntax import Value
from pipeline.event.identifier import type_of, value_of
from pipeline.profile.records import Lead
from pipeline.segment.cart import status_of
from pipeline.segment.grade import grade_of
from pipeline.segment.money import currency_of, in_minor_units
from pipeline.segment.operand import no_parts

Holds: TypeAlias = Callable[[Lead], bool]


def compile_when(text: str, segments: Collection[str] | None = None) -> Holds:
    """Compiles the condition of a route into a function of leads.

    ``segments`` are the declared segments; None accepts any name.

    Raises:
        ConditionError: the text is not a condition, or it uses a name that a lead does not have.
    """
    holds: Holds = compile_condition(parse(text), partial(_resolve, segments)).holds
    return holds


class _Read(NamedTuple):
    """An operand that converts its literals in a way of its own."""

    kind: Kind
    read: Callable[[Lead], Any]
    convert: Callable[[Value], Any]

    def until(self, _lead: Lead, _check: Check) -> int:
        """Returns FOREVER: a lead does not change."""
        return FOREVER


def _cart(lead: Lead) -> dict[str, Any]:
    """Returns the cart of the action; empty if it has none."""
    return dict(msgspec.json.decode(lead.action.cart))


_PLAIN: Final[dict[str, Operand[Lead]]] = {
    "score": Timeless("number", lambda lead: lead.action.score),
    "episode": Timeless("number", lambda lead: lead.action.episode),
    "trigger": Timeless("text", lambda lead: lead.action.trigger),
    "channel": Timeless("text", lambda lead: lead.channel or None),
    "campaign": Timeless("text", lambda lead: lead.campaign or None),
    "cart.items": Timeless("number", lambda lead: len(_cart(lead).get("items", ()))),
    "cart.status": _Read("text", lambda lead: _cart(lead).get("status", "none"), status_of),
    "grade": _Read("text", lambda lead: lead.action.grade or None, grade_of),
}
"""Names without parameters. ``channel`` and ``campaign`` are those of the last touch."""


def _trait(*path: str) -> Operand[Lead]:
    """The operand of a trait, or of a member of a trait that is an object."""

    def read(lead: Lead) -> Any:
        value: Any = lead.traits
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value

    return Timeless("any", read)


def _contact(name: str) -> Operand[Lead]:
    return Timeless("text", lambda lead: lead.action.contact.get(name))


def _identifier(kind: str) -> Operand[Lead]:
    """The operand of an identifier type. Of several identifiers, it reads the first in text order."""

    def read(lead: Lead) -> Any:
        return next((value_of(ident) for ident in lead.action.identifiers if type_of(ident) == kind), None)

    return Timeless("text", read)


def _prediction(name: str) -> Operand[Lead]:
    return Timeless("number", lambda lead: lead.action.predictions.get(name))


def _amount(*path: str) -> Operand[Lead]:
    currency = currency_of("cart.amount", path)
    no_parts(f"cart.amount.{currency}", path[1:], "a number")
    return _Read("number", lambda lead: _cart(lead).get("amounts_minor", {}).get(currency, 0), in_minor_units(currency))


def _segment(name: str, known: Collection[str] | None) -> Operand[Lead]:
    """The operand of a segment: whether the profile was a member when the trigger fired."""
    if known is not None and name not in known:
        message = f"there is no segment {name}" if name else "segment needs the name of a segment"
        raise MeaningError(message, did_you_mean(name, known))
    return Timeless("truth", lambda lead: name in lead.segments)


_NAMED: Final = {"contact": _contact, "identifier": _identifier, "predictions": _prediction}
_EXAMPLES: Final = ("traits.country", "contact.email", "identifier.email", "cart.amount.EUR", "segment.engaged")


def _resolve(segments: Collection[str] | None, path: tuple[str, ...], window: str | None) -> Operand[Lead]:
    written, (root, *rest) = ".".join(path), path
    if window is not None:
        message = f"{written} is read when the trigger fires, not over a window"
        raise MeaningError(message, f"leave out over {window}")
    if root == "traits" and rest:
        return _trait(*rest)
    if root == "segment":
        return _segment(".".join(rest), segments)
    if path[:2] == ("cart", "amount"):
        return _amount(*path[2:])
    if root in _NAMED and len(rest) == 1:
        return _NAMED[root](rest[0])
    if written in _PLAIN:
        return _PLAIN[written]
    message = f"a lead has no {written!r}"
    raise MeaningError(message, did_you_mean(written, [*_PLAIN, *_EXAMPLES]))
