"""Quarantine keeps every byte, and the breaker trips exactly when the share of a full window is too large."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.event.reason import Reason
from pipeline.kafka.dlq_headers import MAX_DETAIL_CHARACTERS, facts_as_headers, headers_as_facts
from pipeline.stream.dlq import (
    LossBreaker,
    quarantine,
)
from pipeline.testing.log import MemoryLog, MemoryRecord
from pipeline.topics import DLQ, EVENTS


def quarantined(key, value, headers, detail="why"):
    log = MemoryLog("cdp")
    log.emit(EVENTS["web"], b"first", b"good")
    log.emit(EVENTS["web"], key, value, headers)
    record = log.take(EVENTS["web"])[1]
    quarantine(log.emit, record, "intake", Reason.UNDECODABLE, detail)
    (kept,) = log.take(DLQ)
    return kept


@pytest.mark.parametrize("value", [None, b"", b"\x00\xff", b"x" * 100_000])
@pytest.mark.parametrize("key", [None, b"", b"\xff", b"default/user_id:ada"])
def test_key_and_value_are_kept_byte_for_byte_and_headers_beside_ours(key, value):
    kept = quarantined(key, value, [("origin", b"\xff"), ("origin", b"again")])
    assert (kept.key(), kept.value()) == (key, value)
    assert kept.headers()[:2] == [("origin", b"\xff"), ("origin", b"again")]
    assert headers_as_facts(kept.headers()) == {
        "reason": "undecodable", "detail": "why", "stage": "intake",
        "topic": EVENTS["web"].of("cdp"), "partition": "0", "offset": "1",
    }  # fmt: skip


def test_a_detail_is_cut_and_no_headers_are_no_facts():
    assert len(headers_as_facts(quarantined(None, None, None, "d" * 9999).headers())["detail"]) == MAX_DETAIL_CHARACTERS
    assert headers_as_facts(None) == headers_as_facts([("reason", b"someone else's")]) == {}


@given(st.dictionaries(st.text(), st.text(st.characters(codec="utf-8"))))
def test_facts_come_back_from_headers(facts):
    assert headers_as_facts(facts_as_headers(facts)) == facts


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 50))), st.floats(0.01, 1), st.integers(1, 200))
def test_the_breaker_trips_when_a_full_window_is_worse_than_the_limit_and_only_then(batches, limit, window):
    breaker, seen, bad = LossBreaker(limit, window), 0, 0
    for records, bad_ones in batches:
        wrong = min(records, bad_ones)
        seen, bad = seen + records, bad + wrong
        if seen >= window and bad / seen > limit:
            breaker.count("intake", "web", records, wrong)
            (source,) = breaker.resume().values()
            assert source[:2] == ("intake", "web")
            assert "stitchline dlq ls" in source.reason
        else:
            breaker.count("intake", "web", records, wrong)
        assert not breaker.stopped
        if seen >= window:
            seen = bad = 0


def test_the_share_is_that_of_the_last_full_window_or_of_this_one_if_worse():
    breaker = LossBreaker(0.5, 100)
    breaker.count("intake", "web", 1, 1)
    assert breaker.share("intake") == pytest.approx(0.01)
    breaker.count("intake", "web", 99, 39)
    assert breaker.share("intake") == pytest.approx(0.4)
    breaker.count("intake", "web", 50, 45)
    assert breaker.share("intake") == pytest.approx(0.45)
    breaker.count("intake", "web", 50, 0)
    breaker.count("intake", "web", 100, 0)
    assert breaker.share("intake") == 0


def test_a_limit_of_everything_never_trips():
    breaker = LossBreaker(1.0, 10)
    breaker.count("intake", "web", 1000, 1000)
    assert not breaker.stopped


def test_good_records_of_one_topic_do_not_hide_the_bad_ones_of_another():
    breaker = LossBreaker(0.5, 100)
    breaker.offended(MemoryRecord("cdp.events.app.v1", 7, None, b"", None, partition=3), Reason.UNDECODABLE)
    breaker.count("intake", "web", 1000, 0)
    breaker.count("intake", "app", 100, 60)
    (source,) = breaker.stopped.values()
    assert re.search(r"of app were bad.*app\.v1 partition 3 offset 7: undecodable", source.reason)
    assert breaker.share("intake") == pytest.approx(0.6)
    assert breaker.share("stitch") == 0
