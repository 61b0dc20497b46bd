"""Operands for traits, consent, identifiers, and the first and the last touch."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pipeline.condition.advice import did_you_mean
from pipeline.condition.errors import MeaningError
from pipeline.event.identifier import identifier as identifier_of
from pipeline.event.identifier import value_of
from pipeline.profile.fold import campaign_of, consent_of, first_touch, last_touch, permits
from pipeline.profile.ledger import Touchpoint, Trait, newer_trait, older_trait
from pipeline.segment.drift import Growth
from pipeline.segment.facts import Facts
from pipeline.segment.operand import Plain, ProfileOperand, Since

TRAITS: Final = "traits"
CONSENT: Final = "consent"
IDENTIFIERS: Final = "identifiers"
TOUCH: Final = "touch"


def trait(path: tuple[str, ...]) -> ProfileOperand:
    """Returns the operand of ``traits.plan`` or ``traits.address.city``. A trait that is null is unknown."""
    name, *inner = _rest(path, "trait", "traits.plan")

    def read(facts: Facts) -> Any:
        newest: Trait | None = None
        initial: Trait | None = None
        for ledger in facts.ledgers:
            stated = ledger.traits.get(name)
            if stated is not None:
                newest = stated if newest is None else newer_trait(newest, stated)
            elif name in ledger.set_once:
                first = ledger.set_once[name]
                initial = first if initial is None else older_trait(initial, first)
        known = newest or initial
        value = None if known is None else known[3]
        for part in inner:
            value = value.get(part) if type(value) is dict else None
        return value

    return Plain("any", TRAITS, read)


def consent(path: tuple[str, ...]) -> ProfileOperand:
    """Returns the operand of ``consent.ads`` or ``consent.ads/email``: true if granted, false if denied, else unknown.

    A denied purpose denies all its channels. The newer of two statements counts: see :mod:`pipeline.profile.fold`.
    """
    purpose = ".".join(_rest(path, "purpose", "consent.marketing/email"))
    without_channel = purpose.partition("/")[0]

    def read(facts: Facts) -> bool | None:
        statements: Mapping[str, bool] = facts.once(CONSENT, _consent)
        if purpose not in statements and without_channel not in statements:
            return None
        return permits(statements, purpose, must_be_granted=True)

    return Plain("truth", CONSENT, read)


def _consent(facts: Facts) -> dict[str, bool]:
    return consent_of(facts.ledgers)


def identifier(path: tuple[str, ...], types: frozenset[str]) -> ProfileOperand:
    """Returns the operand of ``identifier.email``: the value seen last, ties by text.

    ``types`` are the declared identifier types; empty accepts any.
    """
    kind, *more = _rest(path, "type", "identifier.email")
    if more or (types and kind not in types):
        message = f"there is no identifier type {'.'.join([kind, *more])}"
        raise MeaningError(message, did_you_mean(kind, types))

    prefix = identifier_of(kind, "")

    def read(facts: Facts) -> str | None:
        seen = [
            (span[1], value_of(ident))
            for ledger in facts.ledgers
            for ident, span in ledger.own_identifiers().items()
            if ident.startswith(prefix)
        ]
        return max(seen)[1] if seen else None

    return Plain("text", IDENTIFIERS, read)


_ENDS: Final[dict[str, Callable[[Any], Touchpoint | None]]] = {"first_touch": first_touch, "last_touch": last_touch}


def touch(path: tuple[str, ...]) -> ProfileOperand:
    """Returns the operand of ``first_touch`` or ``last_touch``: the time since that touch.

    With ``.channel`` or ``.campaign``, its value is a text; "" if the touch has none.
    """
    end, attribute = path[0], ".".join(path[1:])
    fold = _ENDS[end]

    def point(facts: Facts) -> Touchpoint | None:
        touchpoint: Touchpoint | None = facts.once(end, lambda facts: fold(facts.ledgers))
        return touchpoint

    if not attribute:
        growth: Growth = "down" if end == "last_touch" else "any"
        return Since(TOUCH, lambda facts: touchpoint[0] if (touchpoint := fold(facts.ledgers)) else None, growth)
    parts: dict[str, Callable[[Touchpoint], str]] = {"channel": lambda p: p[2], "campaign": lambda p: campaign_of(p[5])}
    if attribute not in parts:
        message = f"{end} has no {attribute}"
        raise MeaningError(message, did_you_mean(attribute, parts))
    part = parts[attribute]
    return Plain("text", TOUCH, lambda facts: part(touchpoint) if (touchpoint := point(facts)) else None)


def _rest(path: tuple[str, ...], what: str, example: str) -> tuple[str, ...]:
    if len(path) == 1:
        message = f"{path[0]} needs the name of a {what}"
        raise MeaningError(message, f"write it after a dot, as in {example}")
    return path[1:]
