"""The workloads of the report: seeded events, the rules they run under, and the truth about them.

A truth is computed from the documents alone, by plain sums. An engine's figure counts only if its output equals it.
"""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from pipeline.clock import wall_clock_ms
from tests.bench.workload import events

FOLDER: Final = Path(__file__).parent
LEAD_SCORE: Final = 70
POINTS: Final = {"product_added": 8, "email_opened": 1, "application_opened": 3, "order_completed": 10}
VIEW_POINTS, MAX_VIEW_POINTS = 2, 30
REPEAT_EVERY: Final = 100
"""Every hundredth event is sent twice, as senders do that retry."""
VISIT_EVENTS: Final = 5
"""Of a clickstream's customer: page views of an unknown browser, then the log-in that merges it into a customer."""


class Customer(NamedTuple):
    """What every engine must have found out about one customer."""

    events: int = 0
    products_viewed: int = 0
    orders: int = 0
    spent_minor: int = 0
    is_lead: bool = False


class Workload(NamedTuple):
    """Events in the order in which they are sent, and the rules directory (None: the shipped rules)."""

    name: str
    description: str
    documents: Callable[[int, int], Iterator[dict[str, Any]]]
    """Yields about so many events (first argument) of so many customers (second)."""
    rules: Path | None


def live(number: int, users: int) -> Iterator[dict[str, Any]]:
    """Yields events of known customers with some repeated; see :mod:`tests.bench.workload`."""
    for at, document in enumerate(events(number, users)):
        yield document
        if at % REPEAT_EVERY == 0:
            yield document


def clickstream(number: int, users: int, seed: int = 5) -> Iterator[dict[str, Any]]:
    """Yields visits of unknown browsers that end with a log-in: each makes a link, and moves a ledger."""
    chance = random.Random(seed)
    end_ms, step_ms = wall_clock_ms(), 3_600_000 * 20 // number + 1
    waiting: list[list[dict[str, Any]]] = []
    for at in range(number):
        if len(waiting) < users and (not waiting or chance.random() < 1 / VISIT_EVENTS):
            waiting.append(_visit(f"b{at}", f"u{at}"))
        visit = waiting[chance.randrange(len(waiting))]
        yield {**visit.pop(0), "messageId": f"c{at}", "timestamp": end_ms - (number - at) * step_ms}
        if not visit:
            waiting.remove(visit)


def _visit(browser: str, user: str) -> list[dict[str, Any]]:
    view = {"type": "track", "event": "product_viewed", "channel": "web", "anonymousId": browser}
    views = [{**view, "properties": {"sku": f"SKU-{number}"}} for number in range(VISIT_EVENTS - 1)]
    return [*views, {**view, "event": "signed_in", "userId": user, "properties": {}}]


def truth_of(documents: Iterator[dict[str, Any]]) -> dict[str, Customer]:
    """Returns the truth about each customer of the live workload, by user id."""
    seen: set[tuple[str, str]] = set()
    customers: dict[str, Customer] = {}
    scores: dict[str, tuple[int, int]] = {}
    for document in documents:
        message = document["channel"], document["messageId"]
        if message in seen:
            continue
        seen.add(message)
        user, name, properties = document["userId"], document["event"], document["properties"]
        is_view, is_order = name == "product_viewed", name == "order_completed"
        points, view_points = scores.get(user, (0, 0))
        scores[user] = points, view_points = points + POINTS.get(name, 0), view_points + VIEW_POINTS * is_view
        known = customers.get(user, Customer())
        customers[user] = Customer(
            known.events + 1,
            known.products_viewed + is_view,
            known.orders + is_order,
            known.spent_minor + (properties["total"] * 100 if is_order else 0),
            points + min(view_points, MAX_VIEW_POINTS) >= LEAD_SCORE,
        )
    return customers


LIVE: Final = Workload(
    "live", "known customers on four channels, one event in 100 repeated", live, FOLDER / "live_rules"
)
CLICKSTREAM: Final = Workload(
    "clickstream", "browsers that log in: a link and a merge every five events, the shipped rules", clickstream, None
)
WORKLOADS: Final = {workload.name: workload for workload in (LIVE, CLICKSTREAM)}
