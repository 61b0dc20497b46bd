"""A profile on the terminal: identifiers, scores, traits, aggregates and timeline."""

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.cli.tables import titled_table
from pipeline.event.duration import DAY_MS, HOUR_MS, MINUTE_MS
from pipeline.event.instant import format_instant
from pipeline.event.money import exponent
from pipeline.printable import printable, printable_values
from pipeline.profile.aggregates import is_by_currency
from pipeline.profile.journey.credit import MODELS, WHOLE
from pipeline.profile.windows import LIFETIME, window

_NO_VALUE: Final = "-"


def print_profile(
    console: Console, view: dict[str, Any], title: str, spans: Collection[str] = (), moments: Collection[str] = ()
) -> None:
    """Print a :func:`~pipeline.profile.view.profile_view`. ``title`` is the identifier or id that was typed.

    ``spans`` are the aggregates whose values are milliseconds, ``moments`` those whose values are points in time.
    """
    view = printable_values(view)
    _head(console, view, printable(title))
    _identifiers(console, view["identifiers"])
    _traits(console, view["traits"])
    _aggregates(console, view["aggregates"], {**dict.fromkeys(spans, span), **dict.fromkeys(moments, _moment)})
    _ratios(console, view["ratios"])
    _cart(console, view["cart"])
    _attribution(console, view["attribution"])
    print_scores(console, view)
    print_timeline(console, view["timeline"])


def _head(console: Console, view: dict[str, Any], title: str) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("profile", view["profile_id"])
    if title.lower() != view["profile_id"]:
        table.add_row("found by", escape(title))
    table.add_row("tenant", view["tenant"])
    table.add_row("as of", f"{_time(view['as_of_ms'])} UTC, as all times here")
    table.add_row("events", f"{view['touches']} under {_number_of(view['anchors'], 'anchor')}")
    table.add_row("first touch", _touch(view["first_touch"]))
    table.add_row("last touch", _touch(view["last_touch"]))
    table.add_row("consent", _consent(view["consent_statements"]))
    table.add_row("segments", escape(", ".join(view["segments"])) or _NO_VALUE)
    console.print(table)


def _identifiers(console: Console, identifiers: dict[str, dict[str, int]]) -> None:
    table = titled_table("Identifiers", "identifier", "first seen", "last seen")
    for name, span in identifiers.items():
        table.add_row(escape(name), _time(span["first_seen_ms"]), _time(span["last_seen_ms"]))
    _show(console, table)


def _traits(console: Console, traits: dict[str, dict[str, Any]]) -> None:
    table = titled_table("Traits", "trait", "value", "stated at", "channel")
    for name, trait in traits.items():
        table.add_row(escape(name), escape(_value(trait["value"])), _time(trait["timestamp_ms"]), trait["channel"])
    _show(console, table)


def _aggregates(
    console: Console, aggregates: dict[str, dict[str, Any]], forms: Mapping[str, Callable[[int], str]]
) -> None:
    """Windows from the shortest to the lifetime; what never happened is left out."""
    windows_by_name = {
        name: {
            label: forms[name](value) if name in forms and value is not None else value
            for label, value in windows.items()
        }
        for name, windows in aggregates.items()
        if any(windows.values())
    }
    _windows(console, "Aggregates", "aggregate", windows_by_name)


def _ratios(console: Console, ratios: dict[str, dict[str, Any]]) -> None:
    shown = {name: windows for name, windows in ratios.items() if any(windows.values())}
    _windows(console, "Ratios", "ratio", shown)


def _windows(console: Console, title: str, what: str, windows_by_name: dict[str, dict[str, Any]]) -> None:
    labels = sorted({label for windows in windows_by_name.values() for label in windows}, key=_length)
    table = titled_table(title, what, *labels)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, windows in windows_by_name.items():
        table.add_row(name, *(escape(_aggregate(windows[at])) if at in windows else "" for at in labels))
    _show(console, table)


def _cart(console: Console, cart: dict[str, Any]) -> None:
    words = f"Cart, {cart['status']}, last changed {_time(cart['updated_ms'])}"
    if cart["due_ms"] is not None:
        words += f", abandoned from {_time(cart['due_ms'])}"
    table = titled_table(words, "pieces", "product", "name", "each", "together")
    for column in (0, 3, 4):
        table.columns[column].justify = "right"
    for item in cart["items"]:
        prices = (item["price_minor"], item["quantity"] * item["price_minor"])
        unit_price, together = (money(minor, item["currency"]) if item["currency"] else _NO_VALUE for minor in prices)
        table.add_row(str(item["quantity"]), escape(item["id"]), escape(item["name"]), unit_price, together)
    _show(console, table)


def _attribution(console: Console, conversions: list[dict[str, Any]]) -> None:
    """The newest conversion in full; of the others, how many there are."""
    if not conversions:
        return
    newest = conversions[-1]
    value = f", {money(newest['value_minor'], newest['currency'])}" if newest["currency"] else ""
    earlier = f"; {len(conversions) - 1} before" if len(conversions) > 1 else ""
    title = f"Journey to {escape(newest['name'])} at {_time(newest['timestamp_ms'])}{value}{earlier}"
    table = titled_table(title, "time", "channel", "event", "campaign", "source", *MODELS)
    for column in table.columns[5:]:
        column.justify = "right"
    for touch in newest["journey"]:
        shares = (f"{touch['credit'][model] / WHOLE:.1%}" for model in MODELS)
        words = (touch["channel"], *(escape(touch[name]) for name in ("event", "campaign", "source")))
        table.add_row(_time(touch["timestamp_ms"]), *words, *shares)
    if not newest["journey"]:
        table.add_row("no marketing touch led here")
    _show(console, table)


def print_scores(console: Console, view: dict[str, Any]) -> None:
    """Print the scores of a :func:`~pipeline.profile.view.profile_view` with what they sum up, and the grade."""
    for score in printable_values(view["scores"]):
        table = titled_table(f"Score {score['name']}: {score['value']:g}", "points", "rule", "group", "matched")
        table.columns[0].justify = table.columns[3].justify = "right"
        for line in score["contributions"]:
            table.add_row(f"{line['points']:+g}", line["rule"], line["group"], str(line["occurrences"] or ""))
        table.add_section()
        table.add_row(f"{score['value']:+g}", "sum", "", "")
        console.print()
        console.print(table)
    if view["grade"]:
        console.print(f"\n[bold]Grade {escape(printable(view['grade']))}[/bold]")


def print_timeline(console: Console, entries: list[dict[str, Any]]) -> None:
    """Print entries of a timeline, as :func:`~pipeline.profile.view.entry_view` gives them."""
    table = titled_table("Timeline", "time", "channel", "event", "about", "amount")
    table.columns[4].justify = "right"
    for entry in printable_values(entries):
        amount = money(entry["amount_minor"], entry["currency"]) if entry["currency"] else ""
        happened = entry["event"] or entry["type"]
        table.add_row(_time(entry["timestamp_ms"]), entry["channel"], escape(happened), escape(entry["detail"]), amount)
    _show(console, table)


def money(minor: int, currency: str) -> str:
    """An amount as people write it.

    >>> money(-1999, "EUR"), money(500, "JPY")
    ('-19.99 EUR', '500 JPY')
    """
    decimals = exponent(currency) or 0
    whole, rest = divmod(abs(minor), 10**decimals)
    sign = "-" if minor < 0 else ""
    return f"{sign}{whole}.{rest:0{decimals}d} {currency}" if decimals else f"{sign}{whole} {currency}"


def span(duration_ms: int) -> str:
    """A span of time in its two largest units.

    >>> span(90_061_000), span(59_000), span(600_000)
    ('1 d 1 h', '0 min', '10 min')
    """
    days, rest = divmod(duration_ms, DAY_MS)
    hours, minutes = rest // HOUR_MS, rest % HOUR_MS // MINUTE_MS
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _aggregate(value: Any) -> str:
    if value is None:
        return _NO_VALUE
    if is_by_currency(value):
        return "\n".join(_of_currency(entry, currency) for currency, entry in value.items()) or _NO_VALUE
    if isinstance(value, dict):
        return _parts(value)
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "\n".join(f"{_value(entry['value'])} {entry['share']:.0%}" for entry in value)
    return f"{value:.4g}" if isinstance(value, float) and not value.is_integer() else _value(value)


def _parts(value: dict[str, Any]) -> str:
    """A session or quantiles, a line for each part that says something."""
    if "sessions" not in value:
        return "\n".join(f"{name} {number:.4g}" for name, number in value.items())
    if not value["sessions"]:
        return _NO_VALUE
    lines = [f"{value['sessions']} of {value['events']} events", f"{span(value['duration_ms'])} in all"]
    lines.append(f"longest {span(value['longest_ms'])}")
    lines += [f"{value['bounced']} of one event"] if value["bounced"] else []
    return "\n".join([*lines, "one is open"] if value["open"] else lines)


def _of_currency(value: Any, currency: str) -> str:
    if value is None:
        return _NO_VALUE
    if isinstance(value, int | float):
        return money(round(value), currency)
    if "history" in value:
        days = f"{value['days']} day{'' if value['days'] == 1 else 's'}"
        return f"{value['orders']} on {days}, {money(value['total_minor'], currency)}"
    return f"{_value(value)} {currency}"


def _value(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _touch(point: dict[str, Any] | None) -> str:
    if point is None:
        return _NO_VALUE
    words = f"{_time(point['timestamp_ms'])}  {point['event'] or point['type']} on {point['channel']}"
    campaign = point.get("campaign")
    if isinstance(campaign, dict) and campaign.get("name"):
        words += f", campaign {campaign['name']}"
    return escape(words + (f", from {point['referrer']}" if "referrer" in point else ""))


def _consent(statements: dict[str, dict[str, Any]]) -> str:
    """Each purpose with the statement that decides it."""
    output = (
        f"{purpose} {'granted' if made['granted'] else 'denied'} by {made['event_id']} at {_time(made['timestamp_ms'])}"
        for purpose, made in statements.items()
    )
    return escape(", ".join(output)) or "no statement"


def _length(label: str) -> float:
    return math.inf if label == LIFETIME else window(label).length_ms


def _time(ms: int) -> str:
    """To the second: people compare times, --json has them in full."""
    return (format_instant(ms) or str(ms)).replace("T", " ").partition(".")[0]


def _moment(ms: float) -> str:
    return _time(int(ms))


def _number_of(items: list[str], what: str) -> str:
    return f"{len(items)} {what}{'' if len(items) == 1 else 's'}"


def _show(console: Console, table: Table) -> None:
    if table.row_count:
        console.print()
        console.print(table)
