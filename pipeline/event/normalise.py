"""One event brought into canonical form: identifiers, page URL with campaign and clicks, money."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final

from pipeline.event.identifier import Identifier, identifier
from pipeline.event.model import Event
from pipeline.event.money import MAX_MINOR, exponent, to_minor
from pipeline.event.page_url import PageUrls
from pipeline.event.reason import Reason
from pipeline.event.recognise import Normalisers, Recogniser
from pipeline.event.result import Rejected
from pipeline.event.rules import IdentifierType, IntakeRules

CLICK_ID: Final = "click_id"
MINOR: Final = "_minor"
_SHAPES_REMEMBERED: Final = 1 << 10
NOT_IDENTIFIERS: Final = "not_identifiers"
"""Context entry that keeps what was sent as an identifier and is none: the text as sent, and why."""


class EventNormaliser:
    """Normalises events in place. Normalising a normalised event changes nothing."""

    def __init__(self, rules: IntakeRules, types: Iterable[IdentifierType], normalisers: Normalisers) -> None:
        self._resolve = Recogniser(types, normalisers).resolve
        self._read_url = PageUrls(rules.click_id_parameters).read
        self._amounts = tuple(text for name in rules.amount_fields for text in (name + MINOR, name))
        self._amounts_in: Callable[[tuple[str, ...]], tuple[str, ...]] = lru_cache(_SHAPES_REMEMBERED)(self._amounts_of)
        self._currency_field = rules.currency_field
        self._default_currency = rules.default_currency

    def normalise(self, event: Event) -> Rejected | None:
        """Bring the event into canonical form, or say why it has none: no identifier is left, or money is wrong.

        1. page URL: canonical, campaign into the context, ad clicks as identifiers;
        2. identifiers: normalised, unique, strongest first, blocked ones out;
        3. money: minor units of a known currency.
        """
        # 1. page URL
        context = event.context
        if context and "page" in context:
            self._read_page(event, context["page"])
        if event.type == "page" and "url" in event.properties:
            self._read_page(event, event.properties)
        # 2. identifiers
        accepted, rejected = self._resolve(tuple(event.identifiers))
        event.identifiers = list(accepted)
        if rejected:
            _keep_rejected(event, rejected)
        if not accepted:
            return Rejected(Reason.NO_IDENTIFIER, "identifiers: none is left of what was sent")
        # 3. money
        properties = event.properties
        if properties:
            amounts = self._amounts_in(tuple(properties))
            if amounts:
                return self._read_money(event, amounts)
        return None

    def _amounts_of(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The amount fields among the names of an event's properties, the first to count first.

        Remembered by the names, for the properties of one kind of event nearly always have the same.
        """
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
            campaign = event.context.setdefault("campaign", {})
            if isinstance(campaign, dict):  # what the sender says itself goes before what the URL says
                event.context["campaign"] = {**read.campaign, **campaign}
        if read.click_ids:
            event.identifiers = [*event.identifiers, *(identifier(CLICK_ID, c) for c in read.click_ids)]

    def _read_money(self, event: Event, amounts: tuple[str, ...]) -> Rejected | None:
        """Set amount and currency from the first property that holds a number."""
        properties = event.properties
        currency = properties.get(self._currency_field) or self._default_currency
        decimals = exponent(currency) if isinstance(currency, str) else None
        if decimals is None:
            currency = currency.strip().upper() if isinstance(currency, str) else ""
            decimals = exponent(currency)
        amount = _first_number(properties, amounts, 2 if decimals is None else decimals)
        if amount is None:
            return None
        if decimals is None:
            detail = f"properties.{self._currency_field}: must be an ISO 4217 code such as EUR"
            return Rejected(Reason.INVALID_FIELD, detail)
        if not -MAX_MINOR <= amount <= MAX_MINOR:
            detail = f"properties: the amount is beyond {MAX_MINOR} minor units"
            return Rejected(Reason.INVALID_FIELD, detail)
        event.amount_minor, event.currency = amount, currency
        return None


def _first_number(properties: dict[str, Any], amounts: tuple[str, ...], decimals: int) -> int | None:
    for name in amounts:
        value = properties[name]
        number = to_minor(value, decimals) if not name.endswith(MINOR) else _integer(value)
        if number is not None:
            return number
    return None


def _integer(value: object) -> int | None:
    return value if type(value) is int else None


def _keep_rejected(event: Event, rejected: dict[Identifier, str]) -> None:
    """Keep rejected identifiers in the payload: they are data, only not about who it is."""
    earlier = event.context.get(NOT_IDENTIFIERS)
    event.context[NOT_IDENTIFIERS] = {**(earlier if isinstance(earlier, dict) else {}), **rejected}
