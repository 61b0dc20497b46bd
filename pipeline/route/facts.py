"""What the conditions of routes may ask of a lead.

>>> from pipeline.trigger.messages import Lead
>>> holds = compile_when('traits.country in ["DE", "AT"] and score >= 70')
>>> holds(Lead("default", {"score": 72.5}, {"country": "AT"})), holds(Lead("default", {"score": 72.5}))
(True, False)
"""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from pipeline.condition.advice import did_you_mean
from pipeline.condition.compiler import compile_condition
from pipeline.condition.errors import MeaningError
from pipeline.condition.grammar import parse
from pipeline.condition.operand import Operand, Timeless
from pipeline.event.identifier import type_of, value_of
from pipeline.trigger.messages import Lead

Holds: TypeAlias = Callable[[Lead], bool]

_PLAIN: Final[dict[str, Operand[Lead]]] = {
    "score": Timeless("number", lambda lead: lead.action["score"]),
    "episode": Timeless("number", lambda lead: lead.action["episode"]),
    "trigger": Timeless("text", lambda lead: lead.action["trigger"]),
    "channel": Timeless("text", lambda lead: lead.channel or None),
    "campaign": Timeless("text", lambda lead: lead.campaign or None),
}
"""Names of one part. The channel and campaign are those of the last touch."""


def compile_when(text: str) -> Holds:
    """The condition of a route as a function of leads.

    Raises:
        ConditionError: it cannot be read, or asks what nobody knows of a lead.
    """
    holds: Holds = compile_condition(parse(text), _resolve).holds
    return holds


def _trait(*path: str) -> Operand[Lead]:
    """A trait, or a part of one that has parts."""

    def read(lead: Lead) -> Any:
        found: Any = lead.traits
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return found

    return Timeless("any", read)


def _contact(name: str) -> Operand[Lead]:
    return Timeless("text", lambda lead: lead.action["contact"].get(name))


def _identifier(kind: str) -> Operand[Lead]:
    """The first by text, where there are several."""

    def read(lead: Lead) -> Any:
        return next((value_of(each) for each in lead.action["identifiers"] if type_of(each) == kind), None)

    return Timeless("text", read)


_NAMED: Final = {"contact": _contact, "identifier": _identifier}
_EXAMPLES: Final = ("traits.country", "contact.email", "identifier.email")


def _resolve(path: tuple[str, ...], window: str | None) -> Operand[Lead]:
    written, (root, *rest) = ".".join(path), path
    if window is not None:
        message = f"{written} is taken as it is when the trigger fires, not over a time"
        raise MeaningError(message, f"leave out over {window}")
    if root == "traits" and rest:
        return _trait(*rest)
    if root in _NAMED and len(rest) == 1:
        return _NAMED[root](rest[0])
    if written in _PLAIN:
        return _PLAIN[written]
    message = f"nothing of a lead is called {written!r}"
    raise MeaningError(message, did_you_mean(written, [*_PLAIN, *_EXAMPLES]))
