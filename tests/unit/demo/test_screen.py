import io
import unicodedata

import pytest
from rich.console import Console

from pipeline.demo.demo_state import SLOTS, Curves, DemoState
from pipeline.demo.lines import LineDisplay
from pipeline.demo.screen import curve, drawn, lead_lines
from pipeline.query.flow import StageFlow
from pipeline.query.lead import display_name, reasons, story, strongest
from pipeline.query.live import Counts


def touch(channel: str, name: str = "") -> dict:
    return {"timestamp_ms": 0, "event_id": "", "channel": channel, "type": "track", "name": name, "summary": ""}


def part(rule: str, points: float, group: str = "") -> dict:
    return {"rule": rule, "group": group, "points": points, "occurrences": 1}


ACTION = {
    "action_id": "1",
    "profile_id": "p",
    "kind": "lead",
    "duplicate_of": "",
    "timestamp_ms": 0,
    "score": 87.4,
    "threshold": 70.0,
    "contributions": [
        part("product_viewed", 64.0, "browsing"),
        part("quote_requested", 39.6),
        part("page_viewed", 11.0, "browsing"),
        part("planner_used", 15.0),
        part("order_completed", 7.8),
        part("cap", -55.0, "browsing"),
    ],
    "identifiers": ["anonymous_id:b1", "anonymous_id:b2", "click_id:c", "email:ada@example.com", "user_id:u1"],
    "contact": {"email": "ada@example.com", "firstName": "Ada", "lastName": "Berg"},
    "timeline": [
        touch("web", "quote_requested"),
        touch("web", "planner_used"),
        touch("pos"),
        touch("web", "product_viewed"),
    ],
}
LOOK = DemoState(
    day_share=0.5,
    sent=31_000,
    events=50_000,
    by_channel={"web": 25_000, "email": 6_000},
    identifiers=8_000,
    counts=Counts(customers=3_000, merges=5_000, leads=12, duplicates=0, quarantined=0),
    stages=[StageFlow(stage, 12_345.6, 1_234, {}) for stage in ("intake", "stitch", "profile")],
    identifier_curve=[0, 4_000, 8_000],
    max_identifiers=8_000,
    customer_curve=[0, 3_500, 3_000],
)


def test_a_lead_is_shown_with_name_reasons_and_history():
    assert display_name(ACTION) == "Ada Berg"
    assert reasons(ACTION) == "quote requested +40 · browsing +20 · planner used +15 · other +8"
    assert story(ACTION) == "ad, email, 2 browsers → web → store card → 2 web: planner used, quote requested"
    assert strongest(ACTION) == "email:ada@example.com"


def test_a_lead_without_a_name_is_shown_by_contact_or_identifier():
    nameless = ACTION | {"contact": {"phone": "+14155550100"}}
    unreachable = ACTION | {"contact": {}, "timeline": [], "identifiers": ["user_id:u1"]}

    assert display_name(nameless) == "+14155550100"
    assert display_name(unreachable) == "user_id:u1"
    assert story(unreachable) == ""
    assert strongest(unreachable) == "user_id:u1"


def test_a_curve_has_two_rows_that_end_at_its_scale_and_show_the_smallest_value():
    upper, lower = curve([0, 1, 50, 51, 100], 100).split("\n")

    assert upper == "   ▁█"
    assert lower == " ▁███"


def test_a_half_hour_keeps_its_last_value_and_one_that_was_passed_over_gets_the_next():
    curves = Curves()
    for share, value in ((0.0, 1), (0.001, 2), (3 / SLOTS, 5), (1.0, 9)):
        curves.note(share, value, value)

    assert curves.customers[:5] == [2, 5, 5, 5, 9]
    assert len(curves.customers) == SLOTS


@pytest.mark.parametrize("width", [80, 110])
def test_the_picture_fits_its_terminal(width):
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    console.print(drawn(LOOK, [lead_lines(ACTION, "12:00", width - 4)] * 2))
    lines = console.file.getvalue().splitlines()

    assert len(lines) <= 23
    assert max(map(len, lines)) <= width
    assert "31,000 of 50,000 events" in lines[1]
    assert any("Ada Berg  87  quote requested +40" in line for line in lines)
    assert any(line.split()[:2] == ["customers", "3,000"] for line in lines)


def test_lines_carry_no_control_characters_and_one_line_a_lead():
    console = Console(file=io.StringIO(), width=80)
    lines = LineDisplay(console)
    lines.step("starting")
    lines.show(LOOK)
    lines.show(LOOK)
    lines.lead(ACTION, LOOK)
    lines.lead(ACTION | {"kind": "duplicate_of", "duplicate_of": "0"}, LOOK)
    output = console.file.getvalue()

    assert not [character for character in output if unicodedata.category(character) == "Cc" and character != "\n"]
    assert output.count("\n") == 4
    assert "12:00  LEAD  Ada Berg | ada@example.com | score 87 | quote requested +40" in output
    assert "duplicate_of" in output
