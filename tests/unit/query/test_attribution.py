"""The attribution report over stored profiles, and how a profile with a journey is shown and exported."""

import io
from typing import Any

import pytest
from pyarrow import parquet
from rich.console import Console

from pipeline.cli.attribution import print_report
from pipeline.cli.profile_screen import print_profile, span
from pipeline.export.parquet import write_parquet
from pipeline.profile.journey.credit import MODELS
from pipeline.profile.journey.rules import AttributionRules
from pipeline.profile.logic import ProfileLogic
from pipeline.profile.messages import Touch
from pipeline.profile.row import ProfileRow
from pipeline.query.attribution import attribution_report, report_view
from pipeline.query.profiles import LATEST, export_profiles
from pipeline.rules.compiled import compiled
from pipeline.rules.load import load_rules
from pipeline.testing import build
from pipeline.testing.table import MemoryTable

SHIPPED = load_rules()
RULES = compiled(SHIPPED)
START_MS = 1_772_000_000_000
HOUR_MS = 3_600_000
ADA, BEN, CLEO = "user_id:ada", "user_id:ben", "user_id:cleo"


def touch(number: int, anchor: str, channel: str, name: str, **more: Any) -> Touch:
    money = {"amount_minor": more.pop("amount", 0), "currency": more.pop("currency", "")}
    at_ms = START_MS + number * HOUR_MS
    return build.touch(
        anchor, event_id=f"{channel}/m{number}", timestamp_ms=at_ms, channel=channel, name=name, **more, **money
    )


SPRING = {"campaign": "spring", "cost": 0.85}
LETTER = {"campaign": "letter", "subject": "Hello"}
KETTLE = {"sku": "K-1", "name": "Kettle", "price": 59, "currency": "EUR", "quantity": 2}
TOUCHES = [
    touch(1, ADA, "ads", "ad_clicked", properties=SPRING, context={"campaign": {"name": "spring", "source": "google"}}),
    touch(2, ADA, "email", "email_clicked", properties=LETTER),
    touch(3, ADA, "web", "order_completed", amount=10_001, currency="EUR"),
    touch(4, ADA, "web", "product_added", properties=KETTLE),
    touch(5, ADA, "crm", "call_logged", properties={"subject": "Kitchen", "outcome": "reached"}),
    touch(3, BEN, "ads", "ad_clicked", properties=SPRING),
    touch(4, CLEO, "pos", "order_completed", amount=500, currency="USD"),
]  # fmt: skip


@pytest.fixture
def rows() -> list[tuple[str, ProfileRow]]:
    table: MemoryTable[ProfileRow] = MemoryTable()
    ProfileLogic(RULES, table).on_batch([(item.anchor, item) for item in TOUCHES], 0)
    return sorted(table.rows.items())


def rules() -> AttributionRules:
    assert SHIPPED.journeys.attribution is not None
    return SHIPPED.journeys.attribution


def test_conversions_revenue_and_costs_are_credited_by_campaign(rows: Any) -> None:
    result = report_view(attribution_report(rows, rules(), "linear", "campaign"))
    assert (result["profiles"], result["conversions"]) == (3, 2)
    lines = {line.pop("name"): line for line in result["lines"]}
    assert list(lines) == ["(no marketing)", "letter", "spring"]
    assert lines["spring"] == {
        "conversions": 0.5, "revenue_minor": {"EUR": 5001}, "cost_minor": {"USD": 170},
        "cost_per_acquisition_minor": {"USD": 340},
    }  # fmt: skip
    assert lines["letter"]["revenue_minor"] == {"EUR": 5000}
    assert lines["letter"]["cost_minor"] == lines["letter"]["cost_per_acquisition_minor"] == {}
    assert lines["(no marketing)"]["revenue_minor"] == {"USD": 500}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("by", ["campaign", "channel", "source"])
def test_whatever_the_model_and_grouping_all_conversions_and_revenue_are_there(rows: Any, model: str, by: Any) -> None:
    report = attribution_report(rows, rules(), model, by)
    assert sum(report.credit.values()) == 2_000_000
    assert sum(minor for (_, currency), minor in report.revenue.items() if currency == "EUR") == 10_001
    assert sum(report.cost.values()) == 2 * 850_000


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("by", ["campaign", "channel", "source"])
def test_the_total_is_that_of_every_model_and_grouping(rows: Any, model: str, by: Any) -> None:
    report = attribution_report(rows, rules(), model, by)
    assert report.total() == ("total", 2.0, {"EUR": 10_001, "USD": 500}, {"USD": 170}, {"USD": 85})
    assert report_view(report)["total"] == report.total()._asdict()


def test_the_total_of_an_empty_report_is_zero() -> None:
    assert attribution_report([], rules(), "linear", "campaign").total() == ("total", 0.0, {}, {}, {})


def test_what_was_paid_for_without_a_conversion_has_no_cost_per_acquisition(rows: Any) -> None:
    by_last = {line.name: line for line in attribution_report(rows, rules(), "last", "channel").lines()}
    assert by_last["ads"].cost_minor == {"USD": 170}
    assert by_last["ads"].cost_per_acquisition_minor == {}
    assert by_last["email"].conversions == 1.0
    sources = [line.name for line in attribution_report(rows, rules(), "first", "source").lines()]
    assert sources == ["(no marketing)", "google", "(unnamed)"]


def test_conversions_can_be_filtered_by_name_and_merged_profiles_count_once(rows: Any) -> None:
    assert attribution_report(rows, rules(), "linear", "campaign", "quote").conversions == 0
    merged = [*rows, ("z", ProfileRow("default"))]
    assert attribution_report(merged, rules(), "linear", "campaign").profiles == 3


def test_a_report_is_printed_with_money_in_its_currency(rows: Any) -> None:
    console = Console(file=io.StringIO(), width=140)
    print_report(console, attribution_report(rows, rules(), "time_decay", "campaign"))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    for words in ("2 conversions of 3 profiles, time decay by campaign", "spring", "1.70 USD", "5.00 USD", "0.50"):
        assert words in shown
    *_, total, more = (line.split() for line in shown.rstrip().splitlines())
    assert (total, more) == (["total", "2.00", "100.01", "EUR", "1.70", "USD", "0.85", "USD"], ["5.00", "USD"])


def test_a_profile_is_shown_with_cart_journey_sessions_and_timeline(rows: Any) -> None:
    console = Console(file=io.StringIO(), width=220)
    [view] = [view for view in export_profiles(rows, RULES, LATEST) if view["profile_id"] == ADA]
    print_profile(console, view, ADA, {reader.name for reader in RULES.readers if reader.is_span})
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    for words in (
        "Cart, open", "abandoned from", "K-1", "59.00 EUR", "118.00 EUR", "Journey to order", "100.01 EUR", "spring",
        "google", "50.0%", "time_decay", "2 of 2 events", "2 of one event", "2 h 0 min", "Kitchen, outcome reached",
    ):  # fmt: skip
        assert words in shown, words
    assert "one is open" not in shown


def test_a_journey_without_marketing_is_shown_as_such_and_an_empty_cart_is_not(rows: Any) -> None:
    console = Console(file=io.StringIO(), width=220)
    [view] = [view for view in export_profiles(rows, RULES, LATEST) if view["profile_id"] == CLEO]
    print_profile(console, view, CLEO)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "no marketing touch led here" in shown
    assert "Cart" not in shown


def test_parquet_holds_cart_attribution_and_sessions(rows: Any) -> None:
    file = io.BytesIO()
    views = list(export_profiles(rows, RULES, LATEST))
    write_parquet(file, views)
    table = {row["profile_id"]: row for row in parquet.read_table(io.BytesIO(file.getvalue())).to_pylist()}
    for view in views:
        row = table[view["profile_id"]]
        assert row["attribution"] == view["attribution"]
        assert row["cart"]["items"] == view["cart"]["items"]
    cart = table[ADA]["cart"]
    assert cart["amounts_minor"] == [{"currency": "EUR", "amount_minor": 11_800}]
    parts = {
        aggregate["part"]: aggregate["number"]
        for aggregate in table[ADA]["aggregates"]
        if aggregate["name"] == "sessions"
    }
    assert (parts["sessions"], parts["bounced"], parts["duration_ms"]) == (2, 2, 0)
    assert {ratio["name"] for ratio in table[ADA]["ratios"]} == {"email_open_rate", "email_click_rate"}


def test_spans_are_written_in_their_two_largest_units() -> None:
    assert [span(ms) for ms in (90_061_000, 59_000, 600_000, 7_260_000)] == ["1 d 1 h", "0 min", "10 min", "2 h 1 min"]
