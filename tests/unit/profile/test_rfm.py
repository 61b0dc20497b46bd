"""R, F, M and T of all 23,570 CDNOW customers, from booked touches, equal an independent fold and another package."""

from datetime import UTC, datetime
from itertools import groupby

import pandas as pd
import pytest

from pipeline.event.duration import DAY_MS
from pipeline.profile.booking import Plan
from pipeline.profile.kinds.purchases import Purchases
from pipeline.profile.ledger import Ledger, merge
from pipeline.profile.rfm import RfmEdges, Summary, edges_of, purchases_in, rfm_digits, summary_of, until
from pipeline.profile.rules import AggregateRule
from tests.acceptance import cdnow
from tests.property.profile_histories import touch
from tests.support.cdnow_sample import lifetimes_in_peace

RULE = AggregateRule(name="bought", kind="purchases", field="amount")
PLAN = Plan((RULE,), ())
CUSTOMERS = 23_570
END = datetime(1998, 6, 30, tzinfo=UTC)
END_DAY = int(END.timestamp()) * 1000 // DAY_MS


def booked(purchases: list[cdnow.Purchase], plan: Plan = PLAN) -> Ledger:
    """A ledger with the purchases of a customer, in the order given."""
    ledger = Ledger()
    for purchase in purchases:
        made = touch(purchase.line, 0, timestamp_ms=purchase.day_ms, amount_minor=cdnow.cents(purchase), currency="USD")
        plan.book(ledger, made)
    return ledger


@pytest.fixture(scope="module")
def log() -> dict[str, list[cdnow.Purchase]]:
    by_customer = sorted(cdnow.purchases(), key=lambda item: item.customer)
    return {who: list(own) for who, own in groupby(by_customer, key=lambda item: item.customer)}


@pytest.fixture(scope="module")
def summaries(log: dict[str, list[cdnow.Purchase]]) -> dict[str, Summary]:
    """Each customer's, with every second purchase under another identifier: two ledgers, one customer."""
    result = {}
    for who, own in log.items():
        purchases = purchases_in([booked(own[::2]), booked(own[1::2])], "bought", "USD")
        assert purchases is not None
        result[who] = summary_of(purchases, END_DAY)
    return result


def test_every_customer_equals_an_independent_fold(
    log: dict[str, list[cdnow.Purchase]], summaries: dict[str, Summary]
) -> None:
    assert len(log) == CUSTOMERS
    for who, own in log.items():
        days = sorted({item.day_ms // DAY_MS for item in own})
        repeat_minor = sum(cdnow.cents(item) for item in own if item.day_ms // DAY_MS != days[0])
        expected = Summary(
            len(days) - 1, days[-1] - days[0], END_DAY - days[0], repeat_minor, len(own), sum(map(cdnow.cents, own))
        )
        assert summaries[who] == expected, who


def test_every_customer_equals_the_result_of_lifetimes(summaries: dict[str, Summary]) -> None:
    with lifetimes_in_peace() as lifetimes:
        table = pd.DataFrame(
            [
                (purchase.customer, datetime.fromtimestamp(purchase.day_ms / 1000, UTC).date(), cdnow.cents(purchase))
                for purchase in cdnow.purchases()
            ],
            columns=["who", "day", "cents"],
        )
        shown = lifetimes.utils.summary_data_from_transaction_data(
            table, "who", "day", "cents", observation_period_end=END.date(), freq="D"
        )
    assert len(shown) == CUSTOMERS
    for who, frequency, recency, age, monetary in shown.itertuples():
        ours = summaries[who]
        assert (ours.frequency, ours.recency_days, ours.age_days) == (frequency, recency, age), who
        assert ours.monetary_minor == pytest.approx(monetary, rel=1e-12), who


def test_a_day_that_two_ledgers_share_is_one_purchase_day_however_they_were_merged() -> None:
    noon = END_DAY * DAY_MS + DAY_MS // 2
    ledgers = []
    for number, (offset_ms, amount) in enumerate([(0, 500), (60_000, 700), (3 * DAY_MS, 900)]):
        ledger = Ledger()
        made = touch(number, 0, timestamp_ms=noon + offset_ms, amount_minor=amount, currency="EUR")
        PLAN.book(ledger, made)
        ledgers.append(ledger)
    facts = Purchases(END_DAY, END_DAY + 3, 2, 3, 2_100, 900)
    assert purchases_in(ledgers, "bought", "EUR") == facts
    assert purchases_in([merge(ledgers[2], ledgers[0]), ledgers[1]], "bought", "EUR") == facts
    assert purchases_in(ledgers, "bought", "USD") is None
    assert purchases_in(ledgers, "other", "EUR") is None
    assert purchases_in([], "bought", "EUR") is None


def test_the_summary_of_a_day_before_the_last_purchase_is_that_of_the_last_purchase() -> None:
    facts = Purchases(100, 130, 3, 4, 1_000, 600)
    assert summary_of(facts, 90) == summary_of(facts, 130) == Summary(2, 30, 30, 600, 4, 1_000)
    assert summary_of(facts, 135).days_since == 5
    assert summary_of(facts, 135).monetary_minor == 300.0
    assert summary_of(Purchases(100, 100, 1, 1, 1_000, 0), 135).monetary_minor == 0.0


def test_a_history_until_a_day_holds_that_day() -> None:
    assert until([[1, [5, 1]], [2, [6, 1]], [4, [7, 1]]], 2) == [[1, [5, 1]], [2, [6, 1]]]


def test_fifths_end_where_a_fifth_of_the_customers_does() -> None:
    assert edges_of(range(1, 101)) == (20, 40, 60, 80)
    assert edges_of([7]) == (7, 7, 7, 7)
    assert edges_of([1, 1, 1, 1, 9]) == (1, 1, 1, 1)


def test_digits_rank_recent_frequent_and_large_as_five_and_equal_customers_equally(
    summaries: dict[str, Summary],
) -> None:
    everyone = list(summaries.values())
    edges = RfmEdges(
        days_since=edges_of([summary.days_since for summary in everyone]),
        orders=edges_of([summary.orders for summary in everyone]),
        total_minor=edges_of([summary.total_minor for summary in everyone]),
    )
    assert rfm_digits(Summary(9, 540, 541, 90_000, 10, 100_000), edges) == "555"
    assert rfm_digits(Summary(0, 0, 545, 0, 1, 10), edges) == "111"
    money = [rfm_digits(summary, edges)[2] for summary in everyone]
    for digit in "12345":  # amounts hardly repeat, so each fifth is one
        assert money.count(digit) / len(money) == pytest.approx(0.2, abs=0.02)
    recency = [(summary.days_since, rfm_digits(summary, edges)[0]) for summary in everyone]
    assert [digit for _, digit in sorted(recency)] == sorted((digit for _, digit in recency), reverse=True)


def test_edges_that_fall_are_refused() -> None:
    with pytest.raises(ValueError, match="rfm edges of orders fall"):
        RfmEdges(days_since=(1, 2, 3, 4), orders=(1, 3, 2, 4), total_minor=(1, 2, 3, 4))
