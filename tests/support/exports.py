"""Profile exports with purchases, as ``profile export`` would write them of rows that a shop's history made."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.event.duration import DAY_MS
from pipeline.export.files import format_of, write_profiles
from pipeline.profile.booking import Plan
from pipeline.profile.filter import Filter
from pipeline.profile.ledger import Ledger
from pipeline.profile.messages import Touch
from pipeline.profile.row import ProfileRow
from pipeline.profile.rules import AggregateRule, AggregateRules
from pipeline.query.profiles import export_profiles
from pipeline.score.rules import ScoreRules
from pipeline.trigger.compile import compile_rules
from pipeline.trigger.rules import TriggerRules
from tests.property.profile_histories import touch

AGGREGATES = (
    AggregateRule(name="purchases", kind="purchases", field="amount", filter=Filter(events=("order_completed",))),
    AggregateRule(name="orders", filter=Filter(events=("order_completed",))),
    AggregateRule(name="spent", kind="sum", field="amount"),
)
RULES = compile_rules(AggregateRules(aggregates=AGGREGATES), ScoreRules(), TriggerRules())
PLAN = Plan(AGGREGATES, ())
Order = tuple[int, int, str]
"""(day since the epoch, amount in minor units, currency)."""


def row_of(customer: str, orders: Iterable[Order], plan: Plan = PLAN, tenant: str = "default") -> ProfileRow:
    """The row of a customer with the orders booked, each at noon."""
    ledger = Ledger()
    for number, (day, amount_minor, currency) in enumerate(orders):
        plan.book(ledger, _order(number, customer, day * DAY_MS + DAY_MS // 2, amount_minor, currency))
    return ProfileRow(tenant, anchors={customer: ledger})


def _order(number: int, customer: str, timestamp_ms: int, amount_minor: int, currency: str) -> Touch:
    given: dict[str, Any] = {"timestamp_ms": timestamp_ms, "amount_minor": amount_minor, "currency": currency}
    return touch(number, 0, customer, name="order_completed", **given)


def write_export(path: Path, customers: dict[str, list[Order]], as_of_day: int) -> Path:
    """An export of the customers' profiles at a day, NDJSON or Parquet by the path's suffix.

    A customer is an identifier, after ``tenant/`` if not of the default one.
    """
    rows = []
    for customer, orders in sorted(customers.items()):
        tenant, _, anchor = customer.rpartition("/")
        rows.append((customer, row_of(anchor, orders, tenant=tenant or "default")))
    views = export_profiles(rows, RULES, as_of_day * DAY_MS + DAY_MS // 2)
    write_profiles(path, views, format_of(path), lambda: None)
    return path
