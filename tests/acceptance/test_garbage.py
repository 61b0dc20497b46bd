"""A thousand broken payloads among good events: every good one counted, every bad one kept, byte for byte."""

import collections
import os
import random
import time
from typing import Any

import pytest

from pipeline.kafka.dlq_headers import headers_as_facts
from pipeline.settings import Settings
from pipeline.topics import DLQ, EVENTS
from tests.support.events import as_sent, events_of_profiles, web_event
from tests.support.fleet import Fleet
from tests.support.garbage import DAY_MS, Garbage
from tests.support.records import Sent, committed, send

pytestmark = pytest.mark.kafka

GOOD, BAD, MISKEYED, CUSTOMERS = 3_000, 1_000, 60, 300
SEED = int(os.environ.get("STITCHLINE_SEED", "11"))
REPLAY = f"replay: STITCHLINE_SEED={SEED} pytest {__file__}"


@pytest.fixture
def settings(kafka, topic_prefix, tmp_path):
    return Settings(
        bootstrap_servers=kafka.bootstrap_servers,
        topic_prefix=topic_prefix,
        application_id=topic_prefix,
        partitions=4,
        home=tmp_path,
        poison_share=1.0,
    )


@pytest.fixture
def fleet(settings):
    with Fleet(settings) as running:
        yield running


def good_events(chance: random.Random, now_ms: int, count: int) -> tuple[list[Sent], dict[str, int]]:
    """Events, and how many of each customer; some are under a key that is not their anchor's."""
    owners = [f"user_id:c{chance.randrange(CUSTOMERS)}" for _ in range(count)]
    events = [as_sent(web_event(f"m{n}", [o], now_ms - chance.randrange(DAY_MS))) for n, o in enumerate(owners)]
    for number in range(0, count, count // MISKEYED):
        key = chance.choice((None, b"", b"wrong", b"\xff", b"default/user_id:nobody"))
        events[number] = events[number]._replace(key=key)
    return events, dict(collections.Counter(owners))


def quarantined(settings: Settings) -> dict[tuple[int, int], tuple[str, Any]]:
    """The records of the DLQ by where they came from, with their reason; none may be there twice."""
    result = {}
    for message in committed(settings, DLQ):
        facts = headers_as_facts(message.headers())
        assert facts["stage"] == "intake"
        assert facts["topic"] == EVENTS["web"].of(settings.topic_prefix)
        place = int(facts["partition"]), int(facts["offset"])
        assert place not in result, f"{facts} is there twice; {REPLAY}"
        result[place] = facts["reason"], message
    return result


def assert_kept(settings: Settings, placed: dict[tuple[int, int], Sent], reasons: dict[int, str]) -> None:
    """Every bad record is in the DLQ once, identical, with its headers and reason; and nothing else is."""
    result = quarantined(settings)
    bad = {place: record for place, record in placed.items() if id(record) in reasons}
    assert result.keys() == bad.keys(), REPLAY
    for place, record in bad.items():
        reason, message = result[place]
        shown = f"{(record.value or b'')[:200]!r} under {record.key!r}; {REPLAY}"
        assert reason == reasons[id(record)], shown
        assert message.value() == record.value, shown
        assert message.key() == record.key, shown
        assert tuple(message.headers()[: len(record.headers)]) == record.headers, shown


def test_every_good_event_is_counted_and_every_bad_one_kept_byte_for_byte(settings, fleet):
    chance, now_ms = random.Random(SEED), time.time_ns() // 1_000_000
    good, expected = good_events(chance, now_ms, GOOD)
    bad = Garbage(SEED, now_ms).all(BAD)
    fleet.start("a")
    fleet.until_ready("a")
    mixed = [*good, *(record for record, _ in bad)]
    chance.shuffle(mixed)
    placed = send(settings, EVENTS["web"], mixed)
    fleet.until("every good event is counted", lambda: events_of_profiles(settings) == expected)
    fleet.until("every bad one is set aside", lambda: len(committed(settings, DLQ)) >= BAD)
    assert_kept(settings, placed, {id(record): reason.value for record, reason in bad})
    assert fleet.page("a", "livez")[0] == fleet.page("a", "readyz")[0] == 200
    assert fleet.metric("a", "stitchline_dlq_records_total") == BAD
    assert fleet.metric("a", "stitchline_results_total", result="redirect", reason="rekeyed") == MISKEYED
    assert fleet.end("a") == 0


def test_the_loss_breaker_stops_the_source_and_nothing_is_lost_when_the_worker_starts_again(settings, fleet):
    chance, now_ms = random.Random(SEED), time.time_ns() // 1_000_000
    good, expected = good_events(chance, now_ms, 600)
    bad = Garbage(SEED, now_ms).all(400)
    mixed = [*good, *(record for record, _ in bad)]
    chance.shuffle(mixed)
    fleet.start("a", poison_share=0.2, poison_window=500, batch_records=100)
    fleet.until_ready("a")
    placed = send(settings, EVENTS["web"], mixed)
    topic = EVENTS["web"].of(settings.topic_prefix)
    stopped = f"of the last records of {topic} were bad, the limit is 20%"
    fleet.until("the source is stopped", lambda: stopped in fleet.said("a"))
    assert "stitchline dlq ls" in fleet.said("a").splitlines()[-1]
    assert fleet.end("a") == 0
    fleet.start("a")
    fleet.until("every good event is counted", lambda: events_of_profiles(settings) == expected)
    fleet.until("every bad one is set aside", lambda: len(committed(settings, DLQ)) >= len(bad))
    assert_kept(settings, placed, {id(record): reason.value for record, reason in bad})
    assert fleet.end("a") == 0
