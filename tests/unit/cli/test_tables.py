"""Tables where the output is no terminal: one line a row, whatever the width, and dates as dates."""

import pytest

from pipeline.cli.profile_screen import print_profile
from pipeline.cli.screen import screen
from pipeline.cli.tables import titled_table
from pipeline.profile.booking import Plan
from pipeline.profile.rules import AggregateRule, AggregateRules
from pipeline.profile.view import profile_view
from pipeline.score.rules import ScoreRules
from pipeline.trigger.compile import compile_rules
from pipeline.trigger.rules import TriggerRules
from tests.support.exports import row_of

KEY = "email:" + "a" * 180 + "@shop.example"
DAY = 20_000


def test_a_key_is_neither_folded_nor_cut(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    table = titled_table("Some", "identifier", "seen", "more")
    table.add_row(KEY, "2026-03-01 12:00:00", "x" * 200)

    screen().print(table)

    (line,) = [line for line in capsys.readouterr().out.splitlines() if KEY in line]
    assert line.split() == [KEY, "2026-03-01", "12:00:00", "x" * 200]


def test_a_moment_that_an_aggregate_keeps_is_shown_as_a_date(capsys: pytest.CaptureFixture[str]) -> None:
    aggregates = tuple(
        AggregateRule(name=f"{kind}_order_at", kind=kind, field="timestamp_ms") for kind in ("first", "last", "min")
    )
    rules = compile_rules(AggregateRules(aggregates=aggregates), ScoreRules(), TriggerRules())
    orders = [(DAY, 1, "EUR"), (DAY + 3, 1, "EUR")]
    row = row_of("user_id:1", orders, Plan(aggregates, ()))
    moments = {reader.name for reader in rules.readers if reader.is_moment}

    print_profile(screen(), profile_view("p", row, rules, 0), "user_id:1", (), moments)

    shown = capsys.readouterr().out
    dates = {words[0]: words[1] for words in map(str.split, shown.splitlines()) if words and "order_at" in words[0]}
    assert dates == {"first_order_at": "2024-10-04", "last_order_at": "2024-10-07", "min_order_at": "2024-10-04"}


def test_no_number_of_events_is_taken_for_a_moment() -> None:
    rules = compile_rules(
        AggregateRules(aggregates=(AggregateRule(name="n"), AggregateRule(name="h", kind="last", field="hour"))),
        ScoreRules(), TriggerRules(),
    )  # fmt: skip
    assert not any(reader.is_moment for reader in rules.readers)
