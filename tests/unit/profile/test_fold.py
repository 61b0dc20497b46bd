from typing import Any

import pytest

from pipeline.profile.apply import apply_touch, origin_of
from pipeline.profile.booking import Plan
from pipeline.profile.buckets import Series, put
from pipeline.profile.fold import (
    campaign_of,
    consent_of,
    contact_of,
    identifiers_of,
    timeline_of,
    timeline_page,
    traits_of,
)
from pipeline.profile.ledger import UNSURE, Episode, Ledger, join_episodes
from pipeline.profile.timeline import TIMELINE_ENTRIES, Entry, line_of, read_line
from tests.property.profile_histories import START_MS, touch

NO_RULES = Plan((), ())


def ledger(*touches: Any) -> Ledger:
    made = Ledger()
    for item in touches:
        apply_touch(NO_RULES, made, item)
    return made


def test_the_newest_statement_of_consent_counts_and_at_one_instant_the_restrictive_one() -> None:
    def said(number: int, offset_ms: int, statement: Any) -> Any:
        return touch(number, offset_ms, context={"consent": statement})

    assert consent_of([ledger(said(2, 9, {"ads": True}), said(1, 5, {"ads": False}))]) == {"ads": True}
    assert consent_of([ledger(said(1, 5, {"ads": False}), said(2, 5, {"ads": True}))]) == {"ads": False}
    by_channel = said(1, 0, {"categoryPreferences": {"news": {"email": True, "sms": False, "fax": "no"}, "x": 1}})
    assert consent_of([ledger(by_channel)]) == {"news/email": True, "news/sms": False}
    assert consent_of([ledger(said(1, 0, {"categoryPreferences": 3}))]) == {}


@pytest.mark.parametrize(("yes_ms", "no_ms", "granted"), [(9, 0, True), (0, 9, False), (9, 9, False)])
def test_the_newer_statement_of_two_ledgers_counts_and_at_equal_times_the_denial(yes_ms, no_ms, granted) -> None:
    yes, no = (
        ledger(touch(1, yes_ms, context={"consent": {"ads": True}})),
        ledger(touch(2, no_ms, context={"consent": {"ads": False}})),
    )
    assert consent_of([yes, no]) == consent_of([no, yes]) == {"ads": granted}


def test_traits_and_identifiers_fold_over_ledgers() -> None:
    one = ledger(touch(1, 5, "user_id:a", traits={"plan": "free", "city": "Ulm"}))
    other = ledger(touch(2, 9, "email:c", identifiers=["email:c", "user_id:a"], traits={"plan": "pro"}))
    assert {name: trait[3] for name, trait in traits_of([one, other]).items()} == {"plan": "pro", "city": "Ulm"}
    assert identifiers_of([one, other]) == {
        "user_id:a": (START_MS + 5, START_MS + 9),
        "email:c": (START_MS + 9, START_MS + 9),
    }


def test_a_stated_contact_wins_over_the_identifier_seen_last() -> None:
    seen = ledger(
        touch(1, 1, identifiers=["user_id:a", "email:old@example.org", "phone:+491"]),
        touch(2, 2, identifiers=["user_id:a", "email:new@example.org"], traits={"first_name": "Ann", "company": 7}),
    )
    assert contact_of([seen]) == {"firstName": "Ann", "email": "new@example.org", "phone": "+491"}
    stated = ledger(touch(3, 3, traits={"email": "said@example.org"}))
    assert contact_of([seen, stated])["email"] == "said@example.org"


def test_the_timeline_keeps_the_newest_touches_newest_first() -> None:
    kept = ledger(*(touch(n, (n * 7) % 50) for n in range(50)))
    assert len(kept.timeline) == TIMELINE_ENTRIES
    assert [e.timestamp_ms - START_MS for e in timeline_of([kept])] == list(range(49, 49 - TIMELINE_ENTRIES, -1))
    both = timeline_of([kept, ledger(touch(99, 60))], 2)
    assert [e.timestamp_ms - START_MS for e in both] == [60, 49]


def test_a_burst_of_page_views_displaces_no_crm_activity() -> None:
    call = touch(
        1, 0, channel="crm", name="call_logged", properties={"subject": "Fitted kitchen", "outcome": "reached"}
    )
    synced = touch(2, 1, channel="crm", type="identify", name="")
    kept = ledger(call, synced, *(touch(10 + n, 10 + n) for n in range(40)))
    assert len(kept.timeline) == TIMELINE_ENTRIES
    entries = timeline_of([kept], 99)
    assert len(entries) == TIMELINE_ENTRIES + 1
    assert entries[-1].summary() == "call_logged on crm: Fitted kitchen, outcome reached"
    assert timeline_of([kept])[-1].timestamp_ms == START_MS + 30


def test_the_fields_of_a_crm_deal_are_in_its_line() -> None:
    won = touch(
        1, 0, channel="crm", name="deal_closed", amount_minor=129_000_00, currency="EUR",
        properties={"name": "Kitchen", "stage": "won", "previous_stage": "offer", "status": 7, "outcome": ""},
    )  # fmt: skip
    line = read_line(line_of(won))
    assert (
        line.summary() == "deal_closed on crm: Kitchen, stage won, previous stage offer (12900000 EUR in minor units)"
    )
    assert read_line(line_of(touch(2, 0, channel="crm", type="identify", properties={"stage": "won"}))).detail == ""
    assert read_line(line_of(touch(3, 0, channel="crm", properties={"stage": "won"}))).detail == "stage won"


def test_pages_of_the_timeline_continue_after_the_last_one_while_events_arrive() -> None:
    calls = [touch(n, n // 2, "user_id:a", channel=("web", "crm")[n % 2]) for n in range(9)]
    first = timeline_page([ledger(*calls)], 4)
    assert [entry.event_id for entry in first.entries] == [f"shop/{n:06d}" for n in (8, 7, 6, 5)]
    more = [ledger(*calls), ledger(touch(99, 99, "email:c"))]
    second = timeline_page(more, 4, first.before)
    assert [entry.event_id for entry in second.entries] == [f"shop/{n:06d}" for n in (4, 3, 2, 1)]
    last = timeline_page(more, 4, second.before)
    assert ([entry.event_id for entry in last.entries], last.before) == (["shop/000000"], "")
    assert timeline_page([], 4) == ([], "")


@pytest.mark.parametrize("cursor", ["yesterday", "12", "12:", "-1:web/m", "²:web/m"])
def test_an_invalid_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(ValueError, match="is not a cursor: write the one a page ended with"):
        timeline_page([], 4, cursor)


def test_a_line_of_the_timeline_reads_back_with_its_detail() -> None:
    paid = touch(
        1, 0, name="Order\x1fCompleted", amount_minor=1999, currency="EUR", properties={"title": "", "sku": "x\x1fy"}
    )
    entry = read_line(line_of(paid))
    assert entry == Entry(START_MS, "shop/000001", "web", "track", "Order Completed", 1999, "EUR", "x\x1fy")
    assert entry.summary() == "Order Completed on web: x\x1fy (1999 EUR in minor units)"
    assert read_line(line_of(touch(2, 0, name="", type="page"))).summary() == "page on web"


def test_an_origin_contains_campaign_and_referrer_of_the_expected_types() -> None:
    assert (
        origin_of({"campaign": {"name": "x"}, "page": {"referrer": "r"}}) == '{"campaign":{"name":"x"},"referrer":"r"}'
    )
    assert origin_of({"campaign": "x", "page": {"referrer": 7}}) == origin_of({"page": 3}) == ""
    assert campaign_of('{"campaign":{"name":7}}') == campaign_of('{"referrer":"r"}') == ""


def test_a_bucket_too_old_for_its_tier_is_dropped_in_any_order() -> None:
    late, early = Series([100], [1]), Series([90], [1])
    put(late, 90, 9, 1, int.__add__)
    put(early, 100, 9, 1, int.__add__)
    assert late == early == Series([100], [1])
    put(late, 95, 9, 1, int.__add__)
    put(late, 95, 9, 1, int.__add__)
    assert late == Series([95, 100], [2, 1])


def test_two_views_of_an_episode_agree_on_its_earliest_opening_and_latest_closing() -> None:
    assert join_episodes(Episode(1, 5, 0, "x"), Episode(1, 3, 9, "x")) == Episode(1, 3, 9, "x")
    assert join_episodes(Episode(1, 5), Episode(1, 3, 9, "x")) == Episode(1, 3, 9, UNSURE)
    assert join_episodes(Episode(2, 5), Episode(1, 3)) == join_episodes(Episode(1, 3), Episode(2, 5)) == Episode(2, 5)
