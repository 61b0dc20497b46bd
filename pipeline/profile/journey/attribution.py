"""Attribution: the marketing touches that led to a customer's conversions, and the credit of each.

Attribution is a fold over the profile's ledgers. So a journey begins with the first anonymous touch, even of a browser
that was merged into the profile after the purchase, and a split of the profile separates the journey again.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from pipeline.event.money import exponent
from pipeline.profile.journey.arrivals import arrivals
from pipeline.profile.journey.booking import MICROS
from pipeline.profile.journey.credit import MODELS, WHOLE, distribute
from pipeline.profile.journey.kept import Journey
from pipeline.profile.journey.lines import Line, fields_of
from pipeline.profile.journey.rules import AttributionRules
from pipeline.profile.ledger import Ledger
from pipeline.profile.orders import refunded_by_event


class MarketingTouch(NamedTuple):
    """A marketing touch, which may get credit."""

    timestamp_ms: int
    event_id: str
    channel: str
    event: str
    campaign: str
    source: str
    """The campaign's source, else the referring site."""
    medium: str
    click_id: str
    referrer: str
    """The host of the referring site, or ""."""


class Credited(NamedTuple):
    """A touch before a conversion, with its credit under each model."""

    touch: MarketingTouch
    credit: dict[str, int]
    """Credit in millionths of the conversion, by model."""
    value_minor: dict[str, int]
    """Share of the conversion's value in minor units, by model."""


class Converted(NamedTuple):
    """A conversion with its journey. Under each model, credits sum to a million and values to the total value."""

    name: str
    timestamp_ms: int
    event_id: str
    value_minor: int
    currency: str
    refunded_minor: int
    """The amount of refunds and cancellations. The value is already reduced by it."""
    journey: tuple[Credited, ...]
    """Oldest first; empty if no marketing touch led to the conversion."""


def attribution_of(ledgers: Sequence[Ledger], rules: AttributionRules | None) -> tuple[Converted, ...]:
    """Returns every stored conversion, oldest first, with the touches before it within the look-back.

    A touch may get credit for several conversions. Storage is bounded (see
    :class:`~pipeline.profile.journey.kept.Journey`): a very long journey lacks its middle, never its beginning.
    """
    if rules is None:
        return ()
    journeys = [ledger.journey for ledger in ledgers if ledger.journey is not None]
    touches = [_touch(line) for line in arrivals(sorted(line for journey in journeys for line in journey.touches))]
    conversions = sorted(line for journey in journeys for line in journey.conversions)
    refunded = refunded_by_event(ledger.orders for ledger in ledgers)
    return tuple(_converted(line, touches, refunded, rules) for line in conversions)


def _converted(
    line: Line, touches: Sequence[MarketingTouch], refunded: Mapping[str, int], rules: AttributionRules
) -> Converted:
    timestamp_ms, event_id, name, value_minor, currency = fields_of(line)
    at, whole = (int(timestamp_ms), event_id), int(value_minor)
    back = min(max(0, whole), refunded.get(event_id, 0))
    value = whole - back
    oldest_ms = at[0] - rules.look_back_ms
    led_here = [touch for touch in touches if touch.timestamp_ms > oldest_ms and touch[:2] <= at]
    return Converted(name, *at, value, currency, back, _credited(led_here, value, rules))


def _credited(touches: Sequence[MarketingTouch], value_minor: int, rules: AttributionRules) -> tuple[Credited, ...]:
    if not touches:
        return ()
    times_ms = [touch.timestamp_ms for touch in touches]
    credit: dict[str, list[int]] = {}
    value: dict[str, list[int]] = {}
    for model, weigh in MODELS.items():
        weights = weigh(times_ms, rules)
        credit[model], value[model] = distribute(WHOLE, weights), distribute(value_minor, weights)
    return tuple(Credited(touch, _at(credit, place), _at(value, place)) for place, touch in enumerate(touches))


def _at(parts: Mapping[str, Sequence[int]], place: int) -> dict[str, int]:
    return {model: column[place] for model, column in parts.items()}


def _touch(line: Line) -> MarketingTouch:
    timestamp_ms, *rest = fields_of(line)
    return MarketingTouch(int(timestamp_ms), *rest)


_KEY: Final = msgspec.json.Decoder(tuple[str, str, str, str])


class Cost(NamedTuple):
    """The cost of a campaign's ads for one customer."""

    campaign: str
    channel: str
    source: str
    currency: str
    micros: int
    """Millionths of the currency's unit."""


def costs_of(ledgers: Sequence[Ledger]) -> list[Cost]:
    """Returns the ad costs of the customer, sorted by campaign, channel, source and currency."""
    journeys: list[Journey] = [ledger.journey for ledger in ledgers if ledger.journey is not None]
    sums: dict[str, int] = {}
    for journey in journeys:
        for _, (key, micros) in journey.costs:
            sums[key] = sums.get(key, 0) + micros
    return sorted(Cost(*_KEY.decode(key), micros) for key, micros in sums.items())


def minor_of(micros: int, currency: str) -> int:
    """Converts an amount in millionths to minor units, rounding half up."""
    unit: int = 10 ** (MICROS - (exponent(currency) or 0))
    return (micros + unit // 2) // unit


def attribution_view(converted: Sequence[Converted]) -> list[dict[str, Any]]:
    """Returns the conversions as JSON values."""
    return [
        conversion._asdict()
        | {
            "journey": [
                c.touch._asdict() | {"credit": c.credit, "value_minor": c.value_minor} for c in conversion.journey
            ]
        }
        for conversion in converted
    ]
