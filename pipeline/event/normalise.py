"""Normalisation of an event: identifiers, page URL with campaign and ad clicks, money."""

import math
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from pipeline.event.alias import ALIAS, PREVIOUS, USER
from pipeline.event.identifier import Identifier, identifier, type_of, value_of
from pipeline.event.model import Event
from pipeline.event.money import MAX_MINOR, exponent, minor_of, to_minor
from pipeline.event.money_text import read_money
from pipeline.event.page_url import PageUrls
from pipeline.event.reason import Reason
from pipeline.event.recognise import REMEMBERED, Normalisers, Recogniser
from pipeline.event.result import Rejected
from pipeline.event.rules import IdentifierType, IntakeRules

CLICK_ID: Final = "click_id"
MINOR: Final = "_minor"
SET_ONCE: Final = "$set_once"
"""Entry of traits or properties: traits that apply only where no other statement sets them."""
UNREADABLE: Final = "cannot be read as one amount: write a number such as 1299.00, and one currency"
_SHAPES_REMEMBERED: Final = 1 << 10
_AMOUNTS_REMEMBERED: Final = 1 << 14
NOT_IDENTIFIERS: Final = "not_identifiers"
"""Context entry with the rejected identifiers: the text as sent, and the reason."""


class EventNormaliser:
    """Normalises events in place. Normalising a normalised event changes nothing."""

    def __init__(
        self,
        rules: IntakeRules,
        types: Iterable[IdentifierType],
        normalisers: Normalisers,
        remembered: int = REMEMBERED,
    ) -> None:
        """``remembered`` is the number of events whose identifiers, and of pages whose URL, are cached."""
        types = tuple(types)
        self._resolve = Recogniser(types, normalisers, remembered).resolve
        self._attributes = {kind.name for kind in types if kind.must_agree}
        self._read_url = PageUrls(rules.click_id_parameters, remembered).read
        self._amounts = tuple(text for name in rules.amount_fields for text in (name + MINOR, name))
        self._amounts_in: Callable[[tuple[str, ...]], tuple[str, ...]] = lru_cache(_SHAPES_REMEMBERED)(self._amounts_of)
        self._currency_field = rules.currency_field
        self._default_currency = rules.default_currency
        self._unknown_currency = Rejected(
            Reason.INVALID_FIELD, f"properties.{rules.currency_field}: must be an ISO 4217 code such as EUR"
        )

    def normalise(self, event: Event) -> Rejected | None:
        """Normalises the event in place. Returns Rejected if no identifier is left or its money cannot be read.

        1. Traits: collect those in an identify call's context, and those that a call of any type sets once.
        2. Page URL: make it canonical, move its campaign into the context and its ad clicks into the identifiers.
        3. Identifiers: normalise, make unique, sort strongest first, remove blocked ones.
        4. Money: convert to minor units of a known currency.
        """
        # 1. traits
        context = event.context
        if event.type == "identify" or SET_ONCE in event.properties:
            _gather_traits(event)
        # 2. page URL
        if context and "page" in context:
            self._read_page(event, context["page"])
        if event.type == "page" and "url" in event.properties:
            self._read_page(event, event.properties)
        # 3. identifiers
        if event.type == ALIAS and PREVIOUS in context:
            self._read_previous(context)
        if self._attributes and event.traits and event.type != "group":
            self._read_attributes(event)
        accepted, rejected = self._resolve(tuple(event.identifiers))
        event.identifiers = list(accepted)
        if rejected:
            _keep_rejected(event, rejected)
        if not accepted or (self._attributes and type_of(accepted[0]) in self._attributes):
            return Rejected(Reason.NO_IDENTIFIER, "identifiers: none of those sent is valid")
        # 4. money
        properties = event.properties
        if properties:
            amounts = self._amounts_in(tuple(properties))
            if amounts:
                return self._read_money(event, amounts)
        return None

    def _read_attributes(self, event: Event) -> None:
        """Adds the traits that are attributes in which a customer must agree, to the identifiers."""
        stated = [(name, event.traits[name]) for name in sorted(self._attributes & event.traits.keys())]
        read = (identifier(name, str(value)) for name, value in stated if type(value) in (str, int))
        event.identifiers = [*event.identifiers, *read]

    def _read_previous(self, context: dict[str, Any]) -> None:
        """Normalises an alias's previous id as a user id. Removes it if it is none."""
        previous = context[PREVIOUS]
        accepted = self._resolve((identifier(USER, previous),))[0] if type(previous) is str else ()
        if accepted:
            context[PREVIOUS] = value_of(accepted[0])
        else:
            del context[PREVIOUS]

    def _amounts_of(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Returns the amount fields among the names of an event's properties, in order of precedence."""
        there = frozenset(names)
        return tuple(amount for amount in self._amounts if amount in there)

    def _read_page(self, event: Event, page: Any) -> None:
        url = page.get("url") if isinstance(page, dict) else None
        if not isinstance(url, str):
            return
        read = self._read_url(url)
        if read.url != url:
            page["url"] = read.url
        if read.campaign:
            campaign = event.context.get("campaign") or {}  # PHP's empty object is an empty array
            if isinstance(campaign, dict):  # the sender's own campaign fields take precedence over the URL's
                event.context["campaign"] = {**read.campaign, **campaign}
        if read.click_ids:
            event.identifiers = [*event.identifiers, *(identifier(CLICK_ID, c) for c in read.click_ids)]

    def _read_money(self, event: Event, amounts: tuple[str, ...]) -> Rejected | None:
        """Sets amount and currency from the first property that contains money."""
        properties = event.properties
        stated = properties.get(self._currency_field)
        for name in amounts:
            value = properties[name]
            kind = type(value)
            if kind is str:
                if (read := read_money(value)) is None:
                    continue
                currency = _agreed(stated, read.currencies, self._default_currency)
                if read.number is None or currency is None:
                    return Rejected(Reason.INVALID_FIELD, f"properties.{name}: {UNREADABLE}")
                return self._set_money(event, name, read.number, currency)
            if kind is int or (kind is float and math.isfinite(value) and not name.endswith(MINOR)):
                return self._set_money(event, name, value, stated or self._default_currency)
        return None

    def _set_money(self, event: Event, name: str, value: float | Decimal, currency: Any) -> Rejected | None:
        """Sets amount and currency. Returns Rejected if the currency is unknown or the amount out of range."""
        if type(currency) is not str:
            return self._unknown_currency
        amount, code = _amount_of(value, currency, name.endswith(MINOR))
        if not code:
            return self._unknown_currency
        if amount is None:
            detail = f"properties: the amount is beyond {MAX_MINOR} minor units"
            return Rejected(Reason.INVALID_FIELD, detail)
        event.amount_minor, event.currency = amount, code
        return None


@lru_cache(_AMOUNTS_REMEMBERED, typed=True)
def _amount_of(value: float | Decimal, currency: str, is_minor: bool) -> tuple[int | None, str]:
    """Returns minor units and code; None for an amount out of range, "" for an unknown currency.

    Cached, because prices repeat.
    """
    decimals = exponent(currency)
    if decimals is None:
        currency = currency.strip().upper()
        decimals = exponent(currency)
        if decimals is None:
            return None, ""
    decimals = 0 if is_minor else decimals
    amount = minor_of(value, decimals) if isinstance(value, Decimal) else to_minor(value, decimals)
    return amount if amount is not None and -MAX_MINOR <= amount <= MAX_MINOR else None, currency


def _agreed(stated: Any, marked: tuple[str, ...], default: str) -> Any:
    """Returns the currency that the property and the mark agree on; None if they contradict each other."""
    if not marked:
        return stated or default
    if not stated:
        return default if default in marked else marked[0]
    if not isinstance(stated, str):
        return stated
    return stated if stated.strip().upper() in marked else None


def _gather_traits(event: Event) -> None:
    """Collects traits from an identify call's context, where RudderStack writes them, and from properties."""
    if event.type == "identify" and isinstance(event.context.get("traits"), dict):
        event.traits = {**event.context["traits"], **event.traits}
    if isinstance(event.properties.get(SET_ONCE), dict):
        once = event.traits.get(SET_ONCE)
        event.traits = {
            **event.traits,
            SET_ONCE: {**event.properties[SET_ONCE], **(once if isinstance(once, dict) else {})},
        }


def _keep_rejected(event: Event, rejected: dict[Identifier, str]) -> None:
    """Keeps rejected identifiers in the context: they are data, although they identify no customer."""
    earlier = event.context.get(NOT_IDENTIFIERS)
    event.context[NOT_IDENTIFIERS] = {**(earlier if isinstance(earlier, dict) else {}), **rejected}
