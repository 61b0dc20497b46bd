"""Booking of carts, journeys, surveys and preferences: the bookings that ``journeys.yaml`` adds to a plan.

Each is dispatched by channel, type and event name like every other rule. Touches that do not match cost nothing.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from pipeline.event.model import CHANNELS
from pipeline.event.money import MAX_MINOR, exponent, minor_of, to_minor
from pipeline.event.money_text import read_money
from pipeline.event.number_text import number_of
from pipeline.event.zone import UTC, Zone
from pipeline.profile.fields import Getter, getter
from pipeline.profile.filter import Filter, Test
from pipeline.profile.journey.arrivals import is_first_of_visit
from pipeline.profile.journey.kept import CONVERSIONS, NEWEST_TOUCHES, OLDEST_TOUCHES, CartLog, Journey
from pipeline.profile.journey.lines import end_of, keep_ends, keep_newest, line_of, text_of
from pipeline.profile.journey.rules import (
    AttributionRules,
    CartRules,
    Conversion,
    ItemFields,
    JourneyRules,
    PreferenceRule,
)
from pipeline.profile.journey.signs import ADS, campaign_of, campaign_part, click_of, referrer_of, sign_of
from pipeline.profile.kinds.values import UNIQUE, hash_of
from pipeline.profile.ledger import Ledger
from pipeline.profile.messages import Touch
from pipeline.profile.orders import Share
from pipeline.profile.ports import Booking
from pipeline.profile.rule_booking import NO_CHANGED_BITS, ChangedBits
from pipeline.profile.statements import book_consent, book_trait

MICROS: Final = 6
"""Decimals of stored costs. Ad platforms bill in millionths of a unit, because a click may cost less than a cent."""
_MAX_PIECES: Final = 10**6
_MAX_QUESTION_CHARACTERS: Final = 64
ADDED: Final = "+"
REMOVED: Final = "-"


class _Booking:
    """One booking of a journey rule: the touches that it applies to, and the function that books them."""

    points: Final = 0
    sums_money: Final = ""

    def __init__(
        self,
        filter_: Filter,
        zone: Zone,
        book: Callable[[Ledger, Touch], None],
        *,
        signs: tuple[Test, ...] = (),
        changed_bits: int = 0,
    ) -> None:
        self.filter, self.changed_bits = filter_, changed_bits
        self.tests: tuple[Test, ...] = (*signs, *filter_.tests(zone))
        self.book = book

    def note(self, share: Share, touch: Touch) -> None:
        """Notes nothing: carts and consent do not add up, and conversions are known by their event."""


def journey_bookings(
    rules: JourneyRules, zone: Zone = UTC, changed_bits: ChangedBits = NO_CHANGED_BITS
) -> tuple[Booking, ...]:
    """Returns the bookings of the journey rules."""
    bookings: list[Booking] = []
    if rules.carts is not None:
        bookings += _carts(rules.carts, zone, changed_bits.cart)
    if rules.attribution is not None:
        bookings += _attribution(rules.attribution, zone)
    for survey in rules.surveys:
        bookings.append(
            _Booking(survey.filter, zone, _survey(survey.question, survey.answer), changed_bits=changed_bits.traits)
        )
    for choice in rules.preferences:
        bookings.append(_Booking(choice.filter, zone, _preferences(choice), changed_bits=changed_bits.consent))
    return tuple(bookings)


def _carts(rules: CartRules, zone: Zone, changed_bits: int) -> Iterator[Booking]:
    yield _Booking(rules.added, zone, _item(rules.item, ADDED), changed_bits=changed_bits)
    if rules.removed is not None:
        yield _Booking(rules.removed, zone, _item(rules.item, REMOVED), changed_bits=changed_bits)
    yield _Booking(rules.bought, zone, _buy, changed_bits=changed_bits)


def _cart_of(ledger: Ledger) -> CartLog:
    if ledger.cart is None:
        ledger.cart = CartLog()
    return ledger.cart


def _buy(ledger: Ledger, touch: Touch) -> None:
    _cart_of(ledger).buy(end_of(touch))


def _item(fields: ItemFields, sign: str) -> Callable[[Ledger, Touch], None]:
    ids, names = [getter(path) for path in fields.id], [getter(path) for path in fields.name]
    quantity_of, price_of = getter(fields.quantity), _price(fields.price)

    def book(ledger: Ledger, touch: Touch) -> None:
        name = _first(names, touch)
        product = _first(ids, touch) or name
        if product:
            quantity, (price_minor, currency) = _pieces(quantity_of(touch)), price_of(touch)
            _cart_of(ledger).put(line_of(touch, sign, str(quantity), str(price_minor), currency, product, name))

    return book


def _first(getters: list[Getter], touch: Touch) -> str:
    """Returns the first value that is text or an integer, as text; "" if there is none."""
    for read in getters:
        value = read(touch)
        text = str(value) if type(value) is int else text_of(value)
        if text:
            return text
    return ""


def _pieces(value: Any) -> int:
    """Returns the quantity as an integer; 0 if the event has none."""
    value = number_of(value)
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 < value <= _MAX_PIECES else 0


def _price(path: str) -> Callable[[Touch], tuple[int, str]]:
    read_minor, read = getter(f"{path}_minor"), getter(path)

    def price_of(touch: Touch) -> tuple[int, str]:
        currency = _currency(touch)
        decimals = exponent(currency)
        if decimals is None:
            return 0, ""
        minor = number_of(read_minor(touch))
        if type(minor) is not int:
            minor = _minor(read(touch), decimals)
        return (minor, currency) if minor is not None and 0 <= minor <= MAX_MINOR else (0, currency)

    return price_of


def _minor(value: Any, decimals: int) -> int | None:
    """Returns a price in minor units. The price may be text with a currency mark."""
    if type(value) is str:
        read = read_money(value)
        return None if read is None or read.number is None else minor_of(read.number, decimals)
    return to_minor(value, decimals)


def _currency(touch: Touch, default: str = "") -> str:
    """Returns the currency that INTAKE determined, else that of the properties, else the default."""
    return touch.currency or text_of(touch.properties.get("currency")).strip().upper() or default


def _journey_of(ledger: Ledger) -> Journey:
    if ledger.journey is None:
        ledger.journey = Journey()
    return ledger.journey


def _attribution(rules: AttributionRules, zone: Zone) -> Iterator[Booking]:
    """Yields the bookings of attribution. Touches of the channel ads have their own, because they need no sign."""
    channels = rules.filter.channels or CHANNELS
    ads = ADS in channels and ADS in rules.touches
    others = tuple(channel for channel in channels if not (ads and channel == ADS))
    book = _touch(rules)
    if ads:
        yield _Booking(msgspec.structs.replace(rules.filter, channels=(ADS,)), zone, book)
    signed = sign_of(rules)
    if others and signed:
        yield _Booking(msgspec.structs.replace(rules.filter, channels=others), zone, book, signs=(signed,))
    for conversion in rules.conversions:
        yield _Booking(conversion.filter, zone, _conversion(conversion))
    yield _Booking(rules.costs, zone, _cost(rules))


def _touch(rules: AttributionRules) -> Callable[[Ledger, Touch], None]:
    referrer_host = referrer_of(rules.own_hosts)

    def book(ledger: Ledger, touch: Touch) -> None:
        referrer = referrer_host(touch)
        line = line_of(
            touch, touch.channel, touch.name or touch.type, campaign_of(touch),
            campaign_part(touch, "source") or referrer, campaign_part(touch, "medium"), text_of(click_of(touch)),
            referrer,
        )  # fmt: skip
        touches = _journey_of(ledger).touches
        if is_first_of_visit(touches, line):
            keep_ends(touches, line, OLDEST_TOUCHES, NEWEST_TOUCHES)

    return book


def _conversion(rule: Conversion) -> Callable[[Ledger, Touch], None]:
    def book(ledger: Ledger, touch: Touch) -> None:
        named = bool(touch.currency)
        value_minor, currency = (touch.amount_minor, touch.currency) if named else (rule.value_minor, rule.currency)
        line = line_of(touch, rule.name, str(value_minor), currency)
        keep_newest(_journey_of(ledger).conversions, line, CONVERSIONS)

    return book


def _cost(rules: AttributionRules) -> Callable[[Ledger, Touch], None]:
    read_minor, read = getter(f"{rules.cost_field}_minor"), getter(rules.cost_field)
    referrer_host = referrer_of(rules.own_hosts)

    def book(ledger: Ledger, touch: Touch) -> None:
        currency = _currency(touch, rules.cost_currency)
        micros = _micros(number_of(read_minor(touch)), read(touch), currency)
        if micros:
            source = campaign_part(touch, "source") or referrer_host(touch)
            key = msgspec.json.encode((campaign_of(touch), touch.channel, source, currency)).decode()
            journey = _journey_of(ledger)
            journey.costs = UNIQUE.add(journey.costs, [[hash_of(key), [key, micros]]])

    return book


def _micros(minor: Any, units: Any, currency: str) -> int:
    """Returns a cost in millionths of the currency's unit; 0 if it is missing or out of range."""
    decimals = exponent(currency)
    if decimals is None:
        return 0
    if type(minor) is int:
        micros: int | None = minor * 10 ** (MICROS - decimals)
    else:
        micros = units * 10**MICROS if type(units) is int else _minor(units, MICROS)
    return micros if micros is not None and 0 < micros <= MAX_MINOR else 0


def _survey(question: str, answer: str) -> Callable[[Ledger, Touch], None]:
    read_question, read_answer = getter(question), getter(answer)

    def book(ledger: Ledger, touch: Touch) -> None:
        question_text, answer_value = (
            text_of(read_question(touch)).strip()[:_MAX_QUESTION_CHARACTERS],
            read_answer(touch),
        )
        if question_text and _is_answer(answer_value):
            book_trait(ledger, touch, f"survey.{question_text}", answer_value)

    return book


def _is_answer(value: Any) -> bool:
    scalars = (str, int, float, bool)
    return type(value) in scalars or (type(value) is list and all(type(item) in scalars for item in value))


def _preferences(rule: PreferenceRule) -> Callable[[Ledger, Touch], None]:
    denied = dict.fromkeys(rule.denies, False)
    read: Getter = getter(rule.field) if rule.field else lambda touch: denied or touch.properties

    def book(ledger: Ledger, touch: Touch) -> None:
        book_consent(ledger, touch, read(touch))

    return book
