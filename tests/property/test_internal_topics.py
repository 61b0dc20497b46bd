"""No bytes on an internal topic make a stage fail: invalid messages are quarantined byte for byte."""

import functools
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.event import accept
from pipeline.event.link import Link
from pipeline.event.model import Event
from pipeline.event.normalise import EventNormaliser
from pipeline.identity.messages import Assignment, Command, IdentifierOwnership, Move
from pipeline.kafka.dlq_headers import headers_as_facts
from pipeline.profile.messages import Carry, Touch
from pipeline.profile.records import CrmAction, Lead
from pipeline.rules.compiled import compiled
from pipeline.rules.load import load_rules
from pipeline.rules.normalisers import normalisers
from pipeline.settings import Settings
from pipeline.simulate.simulation import Simulation
from pipeline.stream.stages import profile
from pipeline.stream.stages.forwarding import ForwardedEvent
from pipeline.testing.log import MemoryRecord
from pipeline.topics import ASSIGNMENTS, DLQ, FORWARDS, LEADS, LINKS, TOUCHES, StageName, Topic

RULES = load_rules(None)
NOW_MS = 1_800_000_000_000
PROFILE = "0d3b3c3e-2b1c-5a53-9f0c-0a4a3a7a7a7a"
FORWARDED = Event("default", "web", "1", "web", "track", "page_viewed", 5, ["user_id:1"], {}, {}, {})
FORWARDED_ALIAS = Event("default", "web", "2", "web", "alias", "", 5, ["user_id:2"], {}, {"previousId": "1"}, {})
MESSAGES = {
    LINKS: [
        Link("default", "user_id:1", "email:a@example.com", 1, 2, 1, "web", "web/1"),
        Command("default", "logout", "anonymous_id:1", "", "", "", 3, "web/9"),
        Command("default", "unlink", "user_id:1", "email:a@example.com", "ada", "mistake", 3, "decision/1"),
    ],
    FORWARDS: [ForwardedEvent(FORWARDED), ForwardedEvent(FORWARDED_ALIAS, is_alias_copy=True)],
    ASSIGNMENTS: [Assignment(PROFILE, 4, ["email:a@example.com"])],
    TOUCHES: [
        Touch("default", "user_id:1", "web/1", 5, "web", "track", "page_viewed", ["user_id:1"], {"a": 1}, {}, {}),
        Move("default", ["user_id:1"], PROFILE, "target", 6),
        Carry("default", PROFILE, 7, {"user_id:1": msgspec.Raw(b"\x80")}),
        IdentifierOwnership("default", "user_id:1", 3, {"email:a@example.com": False}, 4),
    ],
    LEADS: [Lead("default", CrmAction(action_id="a1", tenant="default", profile_id=PROFILE, trigger="hot_lead"))],
}
READERS = {
    FORWARDS: StageName.INTAKE,
    LINKS: StageName.STITCH,
    ASSIGNMENTS: StageName.INTAKE,
    TOUCHES: StageName.PROFILE,
    LEADS: StageName.ROUTE,
}
each = pytest.mark.parametrize("topic", MESSAGES, ids=lambda topic: topic.name)


@pytest.fixture(scope="module", autouse=True)
def compiled_once() -> Iterator[None]:
    """Shares the compiled rules, which hold no state, between the examples: most of their time was the compilation."""
    rules = compiled(RULES)
    normaliser = functools.cache(lambda country: EventNormaliser(RULES.intake, RULES.identifiers, normalisers(country)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(profile, "compiled", lambda _rules: rules)
        patch.setattr(accept, "EventNormaliser", lambda intake, *_: normaliser(intake.default_country))
        yield


def payloads(topic: Topic) -> st.SearchStrategy[bytes | None]:
    """Any bytes, and good messages cut short, with a changed byte, or with fields of other types."""
    good = [msgspec.msgpack.encode(message) for message in MESSAGES[topic]]
    whole = st.sampled_from(good)
    cut = st.tuples(whole, st.integers(0, 60)).map(lambda pair: pair[0][: -1 - pair[1]])
    flipped = st.tuples(whole, st.integers(0, 10_000), st.integers(1, 255)).map(
        lambda three: bytes(
            byte ^ three[2] if at == three[1] % len(three[0]) else byte for at, byte in enumerate(three[0])
        )
    )
    values = st.none() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=3) | st.binary(max_size=3) | st.just([])
    odd = st.tuples(whole, st.integers(0, 20), values).map(_replaced)
    return st.one_of(st.none(), st.binary(max_size=40), cut, flipped, odd)


def _replaced(three: tuple[bytes, int, object]) -> bytes:
    fields = msgspec.msgpack.decode(three[0])
    fields[three[1] % len(fields)] = three[2]
    return msgspec.msgpack.encode(fields)


@each
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_bytes_are_processed_or_quarantined_unchanged(topic: Topic, data: st.DataObject) -> None:
    run = Simulation(Settings(), RULES, lambda: NOW_MS)
    stage, name = run.stages[READERS[topic]], topic.of("cdp")
    keys = st.sampled_from([b"default/user_id:1", PROFILE.encode(), b"default", b"\xff", b"", None])
    pairs = data.draw(st.lists(st.tuples(keys, payloads(topic)), min_size=1, max_size=6))
    batch = [MemoryRecord(name, at, key, value, [("origin", b"x")]) for at, (key, value) in enumerate(pairs)]

    stage.on_batch(name, batch)
    stage.before_commit()
    stage.state.persist(stage.state.changes())

    for kept in run.take(DLQ):
        facts = headers_as_facts(kept.headers())
        assert (facts["stage"], facts["topic"], facts["partition"]) == (READERS[topic], name, "0")
        assert (kept.key(), kept.value()) == pairs[int(facts["offset"])]
        assert kept.headers()[0] == ("origin", b"x")


@each
@pytest.mark.parametrize("value", [b"", b"garbage", b"\x95\xa4", b"\xc1"], ids=["empty", "text", "cut", "never used"])
def test_a_record_that_is_no_message_is_quarantined_and_the_good_ones_around_it_are_not(
    topic: Topic, value: bytes
) -> None:
    run = Simulation(Settings(), RULES, lambda: NOW_MS)
    stage, name = run.stages[READERS[topic]], topic.of("cdp")
    good = msgspec.msgpack.encode(MESSAGES[topic][0])
    key = b"default/user_id:1"
    values = [good, value, good]

    stage.on_batch(name, [MemoryRecord(name, at, key, one, None) for at, one in enumerate(values)])

    (kept,) = run.take(DLQ)
    assert kept.value() == value
    assert headers_as_facts(kept.headers())["offset"] == "1"
