"""How values look on pages: numbers, money, times, durations, bars and the data of charts."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from markupsafe import Markup, escape

from pipeline.event.instant import format_instant, parse_instant
from pipeline.event.money import exponent

_UNITS: Final = (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000))
_MINOR: Final = re.compile(r"\((-?[0-9]{1,18}) ([A-Z]{3}) in minor units\)")
_BAR_UNITS: Final = 100.0


def number(value: float | None, digits: int = 0) -> str:
    """Returns a number with narrow spaces between thousands, and ``-`` for None."""
    if value is None:
        return "-"
    return f"{value:,.{digits}f}".replace(",", "\u202f").replace("-", "\u2212")


def points(value: float) -> str:
    """Returns points with a sign and one digit."""
    return f"{value:+.1f}".replace("-", "\u2212")


def percent(share: float | None) -> str:
    """Returns a share as a percentage."""
    return "-" if share is None else f"{100 * share:.1f}\u00a0%"


def when(timestamp_ms: int | None) -> Markup:
    """Returns a time in UTC, which the page's script shows in the reader's zone. ``-`` if there is none."""
    if not timestamp_ms:
        return Markup("-")
    text = format_instant(timestamp_ms) or ""
    shown = text[:16].replace("T", " ")
    return Markup('<time datetime="{}" class="nowrap">{} UTC</time>').format(text, shown)


def instant(text: str) -> Markup:
    """Returns a time that is ISO 8601 text already, as :func:`when` does."""
    return when(parse_instant(text))


def signed(value: int) -> str:
    """Returns a difference with its sign."""
    return f"{value:+,}".replace(",", "\u202f").replace("-", "\u2212")


def pretty(value: Any) -> str:
    """Returns a document as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def ago(timestamp_ms: int, now_ms: int) -> str:
    """Returns how long ago a time is, in its largest unit."""
    age_ms = max(0, now_ms - timestamp_ms)
    name, unit_ms = next((unit for unit in _UNITS if age_ms >= unit[1]), _UNITS[-1])
    return f"{age_ms // unit_ms} {name} ago"


def money(minor: int, currency: str) -> str:
    """Returns an amount of minor units with its currency."""
    digits = exponent(currency) or 0
    return f"{number(minor / 10**digits, digits)} {currency}"


def bar(value: float, most: float, label: str = "") -> Markup:
    """Returns a bar from the left, in another colour for negative values; ``most`` is full."""
    share = min(1.0, abs(value) / most) if most else 0.0
    sign = ' class="negative"' if value < 0 else ""
    rect = f'<rect{sign} x="0" y="0" width="{share * _BAR_UNITS:.2f}" height="10" rx="1.5"/>'
    track = f'<rect class="track" x="0" y="0" width="{_BAR_UNITS:.0f}" height="10" rx="1.5"/>'
    hidden = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    start = Markup('<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" {}>').format(hidden)
    return start + Markup(track + rect) + Markup("</svg>")  # noqa: S704 - both hold nothing but numbers


def chart(name: str, label: str, names: Sequence[str], values: Sequence[Sequence[float | None]]) -> Markup:
    """Returns the place of a line chart, which the script draws. ``values``: the times in seconds, then the lines."""
    data = msgspec.json.encode({"names": names, "values": values}).decode()
    return Markup('<div class="chart" id="{}" role="img" aria-label="{}" data-series="{}"></div>').format(
        name, label, data
    )


def readable(summary: str) -> str:
    """Returns the summary of an event with its amount in the currency's unit, and its name as words."""
    text = _MINOR.sub(lambda match: f"({money(int(match[1]), match[2])})", summary)
    name, separator, rest = text.partition(" on ")
    return f"{words(name)}{separator}{rest}"


def words(name: str) -> str:
    """Returns a name of the rules as words."""
    return name.replace("_", " ")


def plain(value: Any) -> str:
    """Returns a value of an event or trait as one line of text."""
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def split_identifier(identifier: str) -> tuple[str, str]:
    """Returns type and value."""
    kind, _, value = identifier.partition(":")
    return kind, value


def identifier(text: str) -> Markup:
    """Returns an identifier with its type set apart."""
    kind, value = split_identifier(text)
    return Markup('<span class="muted">{}</span> <span class="mono">{}</span>').format(words(kind), value)


def attribute_json(values: Mapping[str, str]) -> Markup:
    """Returns an object as the value of an HTML attribute."""
    return escape(msgspec.json.encode(values).decode())


FILTERS: Final = {
    "instant": instant, "signed": signed, "readable": readable, "pretty": pretty,
    "number": number, "points": points, "percent": percent, "when": when, "ago": ago, "words": words, "plain": plain,
    "identifier": identifier, "split_identifier": split_identifier, "attribute_json": attribute_json, "money": money,
}  # fmt: skip
