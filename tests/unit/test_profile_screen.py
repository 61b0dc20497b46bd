"""A profile on a terminal: money by currency, and purchases in a line instead of every day of them."""

from io import StringIO

from rich.console import Console

from pipeline.cli.profile_screen import print_profile
from pipeline.profile.booking import Plan
from pipeline.profile.rules import AggregateRule, AggregateRules
from pipeline.profile.view import profile_view
from pipeline.score.rules import ScoreRules
from pipeline.trigger.compile import compile_rules
from pipeline.trigger.rules import TriggerRules
from tests.support.exports import row_of

ORDERS = [(20_000, 1_999, "EUR"), (20_000, 1, "EUR"), (20_003, 500, "EUR"), (20_009, 500, "JPY")]


def shown(rule: AggregateRule) -> str:
    rules = compile_rules(AggregateRules(aggregates=(rule,)), ScoreRules(), TriggerRules())
    row = row_of("user_id:1", ORDERS, Plan((rule,), ()))
    console = Console(file=StringIO(), width=120)
    print_profile(console, profile_view("p", row, rules, 0), "user_id:1")
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_purchases_are_shown_in_a_line_for_each_currency() -> None:
    text = shown(AggregateRule(name="bought", kind="purchases", field="amount"))
    assert "3 on 2 days, 25.00 EUR" in text
    assert "1 on 1 day, 500 JPY" in text
    assert "history" not in text


def test_sums_and_quantiles_of_money_are_shown_by_currency() -> None:
    assert "25.00 EUR" in shown(AggregateRule(name="spent", kind="sum", field="amount"))
    text = shown(AggregateRule(name="spread", kind="quantiles", field="amount"))
    assert "p50" in text
    assert " JPY" in text
