"""The links that INTAKE passes on depend only on the events, not on repetitions or the time of STITCH's assignments."""

from collections import defaultdict

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pipeline.event.identifier import key_of
from pipeline.event.intake import Intake, IntakeEffects
from pipeline.event.recognise import Normalisers
from pipeline.event.result import Drop
from pipeline.event.rules import IdentifierType, IntakeRules
from pipeline.identity.messages import Assignment
from pipeline.rules.patterns import any_match
from pipeline.testing import build
from pipeline.testing.table import MemorySeenIds, MemoryTable

REFRESH_MS = 10
TYPES = (IdentifierType(name="u", priority=1), IdentifierType(name="d", priority=2))
ANCHORS, OTHERS = ["u:1", "u:2"], ["d:1", "d:2", "d:3", "u:4"]

sightings = st.tuples(
    st.sampled_from(ANCHORS),
    st.lists(st.sampled_from(OTHERS), max_size=3),
    st.integers(0, 50),
    st.sampled_from(["track", "alias"]),
)
histories = st.lists(sightings, max_size=25)


def intake(cap=1000):
    anchors = MemoryTable()
    rules = IntakeRules(link_refresh_ms=REFRESH_MS, known_links_cap=cap)
    normalisers = Normalisers({"text": str.strip}, any_match)
    return Intake(rules, TYPES, normalisers, anchors, MemorySeenIds()), anchors


def event(number, sighting):
    anchor, others, at_ms, kind = sighting
    return build.event(
        (*others, anchor), tenant="t", source="s", message_id=f"m{number}", type=kind, name="", timestamp_ms=at_ms
    )


def take(logic, number, sighting):
    result = logic.on_event(event(number, sighting), key=key_of("t", sighting[0]), now_ms=100)
    assert isinstance(result, (IntakeEffects, Drop))
    return result


def naive(history):
    """First, last, count and asserted per link, folded over the whole history."""
    result = {}
    for anchor, others, at_ms, kind in history:
        for other in set(others):
            first, last, count, asserted = result.get((anchor, other), (at_ms, at_ms, 0, False))
            result[anchor, other] = (
                min(first, at_ms), max(last, at_ms), count + 1, asserted or (kind == "alias" and other == "u:4"),
            )  # fmt: skip
    return result


class Heard:
    """STITCH's side: every link folded as it arrives."""

    def __init__(self):
        self.links = defaultdict(lambda: (100, -1, 0, False))

    def fold(self, links):
        for link in links:
            first, last, count, asserted = self.links[link.anchor, link.other]
            self.links[link.anchor, link.other] = (
                min(first, link.first_seen_ms),
                max(last, link.last_seen_ms),
                max(count, link.count),
                asserted or link.asserted,
            )


@given(histories, st.data())
def test_repetitions_change_nothing(history, data):
    once, once_rows = intake()
    twice, twice_rows = intake()
    expected = [take(once, number, sighting) for number, sighting in enumerate(history)]
    result = []
    for number, sighting in enumerate(history):
        result.append(take(twice, number, sighting))
        again = data.draw(st.integers(0, number))
        assert isinstance(take(twice, again, history[again]), Drop)
    assert result == expected
    assert twice_rows.rows == once_rows.rows


@given(histories)
def test_the_known_links_are_the_fold_of_all_events(history):
    logic, anchors = intake()
    for number, sighting in enumerate(history):
        take(logic, number, sighting)
    known = {
        (key.removeprefix("t/"), other): (link.first_ms, link.last_ms, link.count)
        for key, row in anchors.rows.items()
        for other, link in row.links.items()
    }
    assert known == {ends: facts[:3] for ends, facts in naive(history).items()}


@given(histories, st.sampled_from([1, 2, 1000]), st.data())
def test_stitch_receives_every_needed_link_whenever_its_assignments_arrive(history, cap, data):
    """First and asserted exactly, last within the refresh time; of contested links the last exactly too."""
    logic, anchors = intake(cap)
    heard = Heard()
    seq = 0
    contested = defaultdict(list)
    for number, sighting in enumerate(history):
        heard.fold(take(logic, number, sighting).links)
        if data.draw(st.booleans()):
            seq += 1
            anchor = data.draw(st.sampled_from(ANCHORS))
            contested[anchor] = data.draw(st.lists(st.sampled_from(OTHERS), unique=True))
            heard.fold(logic.on_assignment("t", anchor, Assignment("p", seq, contested[anchor])))
        for key, row in anchors.rows.items():
            assert len(row.links) <= cap, key
    expected = naive(history)
    assert heard.links.keys() == expected.keys()
    for (anchor, other), (first, last, _, asserted) in expected.items():
        heard_first, heard_last, _, heard_asserted = heard.links[anchor, other]
        assert (heard_first, heard_asserted) == (first, asserted)
        refresh_after_ms = 0 if other in contested[anchor] else REFRESH_MS
        assert last - refresh_after_ms <= heard_last <= last


@given(histories, st.integers(0, 25))
def test_state_that_was_stored_and_read_back_goes_on_alike(history, stop):
    through, rows = intake()
    stored, stored_rows = intake()
    for number, sighting in enumerate(history):
        if number == stop:
            for key, row in stored_rows.rows.items():
                stored_rows.rows[key] = msgspec.convert(msgspec.to_builtins(row), type(row))
        assert take(through, number, sighting) == take(stored, number, sighting)
    assert rows.rows == stored_rows.rows
