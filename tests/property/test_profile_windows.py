"""Windows and aggregates equal an independent fold over the touches themselves."""

from collections import Counter
from collections.abc import Callable
from math import ceil
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.event.duration import DAY_MS, HOUR_MS, MINUTE_MS
from pipeline.profile.aggregates import PUBLISHED, AggregateReader, Totals
from pipeline.profile.booking import Plan
from pipeline.profile.kinds import KINDS
from pipeline.profile.ledger import Ledger
from pipeline.profile.messages import Touch
from pipeline.profile.records import Windows
from pipeline.testing import build
from tests.property.profile_histories import ANCHORS, MONEY, START_MS, aggregate, folded, histories, touch

LENGTHS = {
    "45m": (45 * MINUTE_MS, MINUTE_MS),
    "1h": (HOUR_MS, MINUTE_MS),
    "24h": (24 * HOUR_MS, HOUR_MS),
    "7d": (7 * DAY_MS, HOUR_MS),
    "30d": (30 * DAY_MS, DAY_MS),
    "90d": (90 * DAY_MS, DAY_MS),
}


def counted(history: list[Touch], label: str, as_of_ms: int) -> list[Touch]:
    """The documented semantics, spelt out: event times floored to the bucket, then what is younger than the window."""
    if label == "lifetime":
        return history
    length_ms, width_ms = LENGTHS[label]
    return [t for t in history if as_of_ms - length_ms < t.timestamp_ms - t.timestamp_ms % width_ms <= as_of_ms]


def by_time(history: list[Touch]) -> list[Touch]:
    return sorted(history, key=lambda t: (t.timestamp_ms, t.event_id))


def prices(history: list[Touch]) -> list[int]:
    return [round(t.properties["price"] * 1_000_000) for t in history if "price" in t.properties]


def labels(history: list[Touch]) -> list[Any]:
    return [t.properties["label"] for t in by_time(history) if "label" in t.properties]


def text_of(label: Any) -> str:
    return msgspec.json.encode(label).decode()


def frequent(history: list[Touch]) -> Any:
    counts = Counter(msgspec.json.encode(label) for label in labels(history))
    return msgspec.json.decode(min((-count, text) for text, count in counts.items())[1]) if counts else None


def quantile(history: list[Touch]) -> Any:
    """The bins of DDSketch hold so few different prices here that each quantile is one of them, within 1 %."""
    values = sorted(prices(history))
    if not values:
        return None
    result = {}
    for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
        result[name] = pytest.approx(values[ceil(share * len(values)) - 1] / 1_000_000, rel=0.0101)
    return result


def bought(history: list[Touch]) -> dict[str, Any]:
    """By currency: the days with an order, and money by day, each looked up in the touches anew."""
    result = {}
    for currency in {t.currency for t in history if t.currency}:
        money = [(t.timestamp_ms // DAY_MS, t.amount_minor) for t in history if t.currency == currency]
        days = sorted({day for day, amount in money if amount >= 0})
        if days:
            result[currency] = {
                "first_day": days[0],
                "last_day": days[-1],
                "days": len(days),
                "orders": sum(amount >= 0 for _, amount in money),
                "total_minor": sum(amount for _, amount in money),
                "repeat_minor": sum(amount for day, amount in money if day in days[1:]),
                "history": [
                    [day, sum(a for d, a in money if d == day), sum(a >= 0 for d, a in money if d == day)]
                    for day in sorted({day for day, _ in money})
                ],
            }
    return result


def top(history: list[Touch]) -> list[dict[str, Any]]:
    counts = Counter(map(text_of, labels(history)))
    ranked = sorted(counts, key=lambda text: (-counts[text], text))[:5]
    whole = counts.total()
    return [{"value": msgspec.json.decode(t), "count": counts[t], "share": counts[t] / whole} for t in ranked]


def visits(history: list[Touch], as_of_ms: int, gap_ms: int) -> dict[str, Any]:
    """One event after the other: a visit goes on while the next is not later than the gap."""
    runs: list[list[int]] = []
    for at in sorted(t.timestamp_ms for t in history):
        if runs and at - runs[-1][-1] <= gap_ms:
            runs[-1].append(at)
        else:
            runs.append([at])
    lengths = [run[-1] - run[0] for run in runs]
    return {
        "sessions": len(runs),
        "events": len(history),
        "duration_ms": sum(lengths),
        "longest_ms": max(lengths, default=0),
        "bounced": len([run for run in runs if len(run) == 1]),
        "last_start_ms": runs[-1][0] if runs else None,
        "last_end_ms": runs[-1][-1] if runs else None,
        "open": bool(runs) and as_of_ms <= runs[-1][-1] + gap_ms,
    }


NAIVE: dict[str, Callable[[list[Touch]], Any]] = {
    "count": len,
    "sum": lambda history: sum(prices(history)) / 1_000_000,
    "min": lambda history: min(prices(history)) / 1_000_000 if prices(history) else None,
    "max": lambda history: max(prices(history)) / 1_000_000 if prices(history) else None,
    "first": lambda history: labels(history)[0] if labels(history) else None,
    "last": lambda history: labels(history)[-1] if labels(history) else None,
    "average": lambda h: sum(prices(h)) / (len(prices(h)) * 1_000_000) if prices(h) else None,
    "unique": lambda history: sorted(set(map(text_of, labels(history)))),
    "distinct": lambda history: len(set(map(text_of, labels(history)))),
    "most_frequent": frequent,
    "quantiles": quantile,
    "purchases": bought,
    "top": top,
}
NAIVE_AT: dict[str, Callable[[list[Touch], int], Any]] = {
    "time_since": lambda history, as_of_ms: as_of_ms - by_time(history)[-1].timestamp_ms if history else None,
    "sessions": lambda history, as_of_ms: visits(history, as_of_ms, 30 * MINUTE_MS),
}
"""Of the kinds whose value depends on when it is read."""


def naive(kind: str, history: list[Touch], as_of_ms: int) -> Any:
    return NAIVE_AT[kind](history, as_of_ms) if kind in NAIVE_AT else NAIVE[kind](history)


def leaves_of(plan: Plan, history: list[Touch]) -> list[Ledger]:
    return [folded(plan, [t for t in history if t.anchor == anchor]) for anchor in ANCHORS]


def moment(history: list[Touch], later_ms: int) -> int:
    return max((t.timestamp_ms for t in history), default=START_MS) + later_ms


@pytest.mark.parametrize("kind", KINDS)
@given(history=histories(), later_ms=st.one_of(st.integers(0, 40 * DAY_MS), st.just(DAY_MS - 1)))
def test_every_window_of_a_kind_equals_an_independent_fold(kind: str, history: list[Touch], later_ms: int) -> None:
    rule = aggregate(kind)
    as_of_ms = moment(history, later_ms)
    result = AggregateReader(rule).read(leaves_of(Plan((rule,), ()), history), as_of_ms)
    if kind == "unique":
        result = {label: sorted(map(text_of, values)) for label, values in result.items()}
    assert result == {label: naive(kind, counted(history, label, as_of_ms), as_of_ms) for label in rule.windows}


@given(
    steps=st.lists(st.integers(0, 20 * MINUTE_MS), min_size=1, max_size=60),
    leaves=st.lists(st.sampled_from(ANCHORS), min_size=60, max_size=60),
    gap_ms=st.sampled_from((5 * MINUTE_MS, 10 * MINUTE_MS, 15 * MINUTE_MS)),
)
def test_sessions_that_cross_midnight_or_ledgers_are_one_when_read(
    steps: list[int], leaves: list[str], gap_ms: int
) -> None:
    rule = aggregate("sessions", gap_ms=gap_ms, windows=("30d",))
    at, history = -START_MS % DAY_MS - 3 * HOUR_MS, []
    for number, (step, anchor) in enumerate(zip(steps, leaves, strict=False)):
        at += step
        history.append(touch(number, at, anchor))
    as_of_ms = moment(history, 0)
    result = AggregateReader(rule).read(leaves_of(Plan((rule,), ()), history), as_of_ms)
    assert result == {"30d": visits(history, as_of_ms, gap_ms)}


@given(history=histories(), later_ms=st.integers(0, 40 * DAY_MS))
def test_money_is_summed_by_currency_and_never_across(history: list[Touch], later_ms: int) -> None:
    as_of_ms = moment(history, later_ms)
    result = AggregateReader(MONEY).read(leaves_of(Plan((MONEY,), ()), history), as_of_ms)
    ever = sorted({t.currency for t in history if t.currency})
    for label in MONEY.windows:
        inside = counted(history, label, as_of_ms)
        assert result[label] == {c: sum(t.amount_minor for t in inside if t.currency == c) for c in ever}


@given(
    days=st.lists(st.integers(0, 200), max_size=40),
    length=st.sampled_from((30, 90)),
    into_the_day_ms=st.one_of(st.just(0), st.just(DAY_MS - 1), st.integers(0, DAY_MS - 1)),
)
def test_a_window_of_n_days_read_at_any_moment_of_a_day_holds_exactly_n_whole_days(
    days: list[int], length: int, into_the_day_ms: int
) -> None:
    rule = aggregate("count")
    midnight = START_MS - START_MS % DAY_MS
    history = []
    for number, day in enumerate(days):
        at = build.touch(
            "user_id:a", event_id=f"pos/{number}", timestamp_ms=midnight + day * DAY_MS, channel="pos", name="",
            identifiers=[],
        )  # fmt: skip

        history.append(at)
    last = max(days, default=0)
    result = AggregateReader(rule).read(
        [folded(Plan((rule,), ()), history)], midnight + last * DAY_MS + into_the_day_ms
    )
    assert result[f"{length}d"] == len([day for day in days if last - length < day <= last])


@given(history=histories(), later_ms=st.integers(0, 100 * DAY_MS))
def test_the_published_totals_equal_what_is_read_one_by_one(history: list[Touch], later_ms: int) -> None:
    recent = aggregate("count", name="recent", windows=("45m", "1h", "30d"))
    rules = (aggregate("count"), aggregate("sum"), MONEY, recent, aggregate("max"))
    readers = tuple(AggregateReader(rule) for rule in rules)
    ledgers, as_of_ms = leaves_of(Plan(rules, ()), history), moment(history, later_ms)
    totals = Totals(readers)
    assert totals.read(ledgers, as_of_ms) == totals.read(ledgers, as_of_ms)
    for reader in readers[:4]:
        for label, value in reader.read(ledgers, as_of_ms).items():
            if label in PUBLISHED:
                by_currency = value.items() if reader is readers[2] else [("", value)]
                for currency, number in by_currency:
                    name = f"{reader.name}.{currency}" if currency else reader.name
                    published = totals.read(ledgers, as_of_ms).get(name, Windows())
                    assert getattr(published, PUBLISHED[label]) == round(number)
