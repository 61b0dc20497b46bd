"""The CDNOW purchase log as POS events, and what every customer's profile must say, folded with no product code.

The log (69,659 purchases of 23,570 customers, January 1997 to June 1998; Fader and Hardie) ships as a data file of the
PyPI package ``lifetimes``, which is found but never imported.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

DAY_MS = 86_400_000


class Purchase(NamedTuple):
    """One line of the log."""

    line: int
    customer: str
    day_ms: int
    items: int
    dollars: str


class Expected(NamedTuple):
    """What the log says about one customer, money in cents."""

    purchases: int
    total_minor: int
    first_ms: int
    last_ms: int
    purchases_30d: int
    total_minor_30d: int
    purchases_90d: int
    total_minor_90d: int


def data_file() -> Path:
    spec = find_spec("lifetimes")
    assert spec is not None, "the dev dependency lifetimes is not installed"
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "datasets" / "CDNOW_master.txt"


def purchases() -> list[Purchase]:
    """The whole log by day; lines of the same day keep their order."""
    result = []
    for line, text in enumerate(data_file().read_text(encoding="ascii").splitlines()[1:], 2):
        customer, day, items, dollars = text.split()
        at = datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC)
        result.append(Purchase(line, customer, int(at.timestamp()) * 1000, int(items), dollars))
    return sorted(result, key=lambda purchase: (purchase.day_ms, purchase.line))


def events() -> Iterator[dict[str, Any]]:
    """The log as Segment-spec POS events, sorted by time."""
    for purchase in purchases():
        yield {
            "type": "track",
            "event": "order_completed",
            "channel": "pos",
            "source": "cdnow",
            "messageId": f"cdnow-{purchase.line}",
            "timestamp": purchase.day_ms,
            "identifiers": {"loyalty_id": purchase.customer},
            "properties": {
                "quantity": purchase.items,
                "total": float(purchase.dollars),
                "currency": "USD",
            },
        }


def expected() -> dict[str, Expected]:
    """Customer → the fold. A window of n days at the last day holds what is younger than n days at its midnight."""
    log = purchases()
    now_ms = log[-1].day_ms
    return {customer: _fold(own, now_ms) for customer, own in _by_customer(log).items()}


def _by_customer(log: list[Purchase]) -> dict[str, list[Purchase]]:
    result: dict[str, list[Purchase]] = {}
    for purchase in log:
        result.setdefault(purchase.customer, []).append(purchase)
    return result


def _fold(log: list[Purchase], now_ms: int) -> Expected:
    late_30 = [p for p in log if p.day_ms > now_ms - 30 * DAY_MS]
    late_90 = [p for p in log if p.day_ms > now_ms - 90 * DAY_MS]
    return Expected(
        purchases=len(log),
        total_minor=sum(map(cents, log)),
        first_ms=log[0].day_ms,
        last_ms=log[-1].day_ms,
        purchases_30d=len(late_30),
        total_minor_30d=sum(map(cents, late_30)),
        purchases_90d=len(late_90),
        total_minor_90d=sum(map(cents, late_90)),
    )


def cents(purchase: Purchase) -> int:
    """The amount's digits, read as text: no float takes part."""
    dollars, _, rest = purchase.dollars.partition(".")
    return int(dollars) * 100 + int(rest.ljust(2, "0"))
