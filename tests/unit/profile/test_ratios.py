from typing import Any

import pytest

from pipeline.profile.ratios import ratio_readers
from pipeline.profile.rules import AggregateRule, AggregateRules, Ratio

WINDOWS = ("7d", "lifetime")
OPENS = AggregateRule(name="opens", windows=WINDOWS)
SENT = AggregateRule(name="sent", windows=("24h", *WINDOWS))
SPENT = AggregateRule(name="spent", kind="sum", field="amount", windows=WINDOWS)
COST = AggregateRule(name="cost", kind="sum", field="amount", windows=WINDOWS)
LAST = AggregateRule(name="last", kind="last", field="channel")


def read(of: str, to: str, aggregates: dict[str, Any]) -> dict[str, Any]:
    rules = AggregateRules(aggregates=(OPENS, SENT, SPENT, COST), ratios=(Ratio(name="r", of=of, to=to),))
    [reader] = ratio_readers(rules)
    return reader.read(aggregates)


def test_a_ratio_is_read_over_the_windows_both_have_and_is_none_where_nothing_can_be_divided_by() -> None:
    result = read("opens", "sent", {"opens": {"7d": 0, "lifetime": 1}, "sent": {"24h": 0, "7d": 0, "lifetime": 4}})
    assert result == {"7d": None, "lifetime": 0.25}


def test_money_by_a_count_is_money_by_currency() -> None:
    spent = {"7d": {}, "lifetime": {"EUR": 300, "JPY": 90}}
    assert read("spent", "opens", {"spent": spent, "opens": {"7d": 1, "lifetime": 3}}) == {
        "7d": {}, "lifetime": {"EUR": 100.0, "JPY": 30.0},
    }  # fmt: skip


def test_money_by_money_is_divided_within_a_currency_only() -> None:
    money = {"spent": {"7d": {}, "lifetime": {"EUR": 300}}, "cost": {"7d": {"EUR": 2}, "lifetime": {"JPY": 2}}}
    assert read("spent", "cost", money) == {"7d": {"EUR": 0.0}, "lifetime": {"EUR": None, "JPY": 0.0}}


@pytest.mark.parametrize(
    ("of", "to", "says"),
    [
        ("opens", "nothing", "'nothing', which is not there"),
        ("last", "opens", "'last', which is of kind last"),
        ("opens", "hourly", "share no window"),
    ],
)
def test_a_ratio_that_cannot_be_computed_is_refused(of: str, to: str, says: str) -> None:
    known = (OPENS, LAST, AggregateRule(name="hourly", windows=("1h",)))
    with pytest.raises(ValueError, match=says):
        AggregateRules(aggregates=known, ratios=(Ratio(name="r", of=of, to=to),))
