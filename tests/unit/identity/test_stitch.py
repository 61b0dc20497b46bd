"""STITCH's fast path: surviving profiles, published records, and idempotence."""

from pipeline.identity.messages import Link
from pipeline.identity.profile_id import profile_id
from pipeline.identity.rules import IdentityRules, IdentityType
from pipeline.identity.state import StitchTables
from pipeline.identity.stitch import Stitcher
from pipeline.testing import build
from pipeline.testing.table import MemoryTable

RULES = IdentityRules(
    types=[IdentityType(name=name, priority=rank) for rank, name in enumerate(("user", "mail", "dev"))]
)


def stitcher(rules: IdentityRules = RULES) -> Stitcher:
    return Stitcher("t", rules, StitchTables(MemoryTable(), MemoryTable()))


def link(a: str, b: str, first: int = 10, last: int | None = None, event: str = "e") -> Link:
    last = first if last is None else last
    return build.link(a, b, first, tenant="t", last_seen_ms=last, event_id=event)


def pid(founder: str) -> str:
    return profile_id("t", founder)


def test_an_unknown_identifier_has_the_profile_it_founds_itself():
    engine = stitcher()
    assert engine.profile_of("user:1") == pid("user:1")


def test_of_two_ends_first_seen_together_the_weaker_is_the_founder_and_only_the_stronger_moves():
    engine = stitcher()
    effects = engine.on_links([link("user:1", "dev:1")], 99)
    assert [(ident, row.profile_id, row.seq) for ident, row in effects.assignments.items()] == [
        ("user:1", pid("dev:1"), 1)
    ]
    assert [(move.anchors, move.source, move.target) for move in effects.moves] == [
        (["user:1"], pid("user:1"), pid("dev:1"))
    ]
    (change,) = effects.changes
    assert (change.change, change.profile_id, change.other_profile_id) == ("merged", pid("dev:1"), pid("user:1"))
    assert (change.trigger_event_id, change.timestamp_ms) == ("e", 10)


def test_the_older_profile_survives_a_merge_even_if_it_is_the_smaller():
    engine = stitcher()
    engine.on_links([link("user:2", f"dev:{n}", 20) for n in range(5)] + [link("mail:1", "dev:9", 10)], 0)
    effects = engine.on_links([link("user:2", "mail:1", 30)], 0)
    assert {anchor for move in effects.moves for anchor in move.anchors} == {"user:2", *(f"dev:{n}" for n in range(5))}
    assert {move.target for move in effects.moves} == {pid("dev:9")}
    assert engine.profile_of("dev:3") == pid("dev:9")


def test_the_founder_of_a_merged_profile_belongs_to_the_last_survivor():
    engine = stitcher()
    engine.on_links([link("user:3", "dev:3", 30), link("user:2", "user:3", 20), link("user:1", "user:2", 10)], 0)
    assert {engine.profile_of(name) for name in ("user:1", "user:2", "user:3", "dev:3")} == {pid("user:2")}


def test_a_late_link_can_make_an_older_founder_and_moves_all_members():
    engine = stitcher()
    engine.on_links([link("user:1", "dev:1", 50), link("user:1", "dev:2", 60)], 0)
    effects = engine.on_links([link("mail:1", "dev:2", 5)], 0)
    assert engine.profile_of("user:1") == pid("dev:2")
    assert {anchor for move in effects.moves for anchor in move.anchors} == {"user:1", "dev:1", "dev:2", "mail:1"}


def test_of_a_late_sighting_the_oldest_identifier_becomes_the_founder():
    engine = stitcher()
    engine.on_links([link("user:1", "dev:1", 50), link("mail:1", "dev:1", 60)], 0)
    effects = engine.on_links([link("mail:1", "dev:1", 40, 60)], 0)
    assert engine.profile_of("dev:1") == pid("dev:1")
    assert not effects.moves
    effects = engine.on_links([link("mail:1", "dev:2", 30)], 0)
    assert engine.profile_of("dev:1") == pid("dev:2")
    assert {anchor for move in effects.moves for anchor in move.anchors} == {"user:1", "dev:1", "mail:1"}


def test_duplicates_refreshes_and_links_to_oneself_have_no_effects():
    engine = stitcher()
    first = link("user:1", "dev:1", 10, 20)
    engine.on_links([first], 0)
    for again in (first, link("user:1", "dev:1", 15, 30), link("dev:1", "user:1", 15, 30), link("dev:1", "dev:1")):
        effects = engine.on_links([again], 0)
        assert (effects.assignments, effects.changes, effects.moves) == ({}, [], [])


def test_sequence_numbers_rise_over_batches_and_restarts():
    tables = StitchTables(MemoryTable(), MemoryTable())
    seqs = []
    for number in range(3):
        effects = Stitcher("t", RULES, tables).on_links([link("user:1", f"dev:{number}")], 0)
        seqs += [move.seq for move in effects.moves]
    assert seqs == [1, 2, 3]


def test_a_pair_is_one_link_whichever_end_anchors_it():
    engine = stitcher()
    engine.on_links([link("user:1", "user:2"), link("user:2", "user:1")], 0)
    assert engine.profile_of("user:1") == pid("user:2")
