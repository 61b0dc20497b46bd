"""Scenarios of the engine's slow path: kiosks, shared inboxes, caps and commands, with their public changes."""

from collections import Counter as Tally

import pytest

from pipeline.identity.household import StoredHouseholds
from pipeline.identity.messages import Command, Link
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.profile_id import profile_id
from pipeline.identity.resolve import resolve
from pipeline.identity.rules import IdentityRules, IdentityType
from pipeline.identity.state import Node, StitchTables
from pipeline.identity.stitch import Stitcher
from pipeline.identity.stored import stored
from pipeline.identity.union_find import UnionFind, head_of
from pipeline.testing.build import link
from pipeline.testing.table import MemoryTable

DAY_MS = 86_400_000
TYPES = [
    IdentityType(name="user", priority=1, strong=True, limits=["1 ever"]),
    IdentityType(name="mail", priority=2, strong=True, firebreak_above=4),
    IdentityType(name="dev", priority=3, firebreak_above=10, firebreak_window_ms=7 * DAY_MS),
    IdentityType(name="anon", priority=4),
    IdentityType(name="home", priority=5, household=True),
]


class Bench:
    """An engine whose effects add up."""

    def __init__(self, **rules: object) -> None:
        self.nodes: MemoryTable[Node] = MemoryTable()
        tables = StitchTables(self.nodes, MemoryTable())
        self.rules = IdentityRules(**{"types": TYPES, **rules})
        self.engine = Stitcher("t", self.rules, tables)
        self.changes = []
        self.moves = []
        self.moves_for_target = []

    def take(self, *messages: Link | Command) -> "Bench":
        effects = self.engine.on_links(messages, 0)
        self.changes += effects.changes
        self.moves += effects.moves
        self.moves_for_target += effects.moves_for_target
        return self

    def groups(self) -> set[frozenset[str]]:
        result: dict[str, set[str]] = {}
        for ident in self.nodes.rows:
            result.setdefault(self.engine.profile_of(ident), set()).add(ident)
        return {frozenset(members) for members in result.values()}

    def kinds(self) -> Tally[str]:
        return Tally(change.change for change in self.changes)


def seen(a: str, b: str, at_ms: int, last_ms: int | None = None) -> Link:
    return link(a, b, at_ms, tenant="t", last_seen_ms=last_ms or at_ms, event_id=f"web/{at_ms}")


def decided(kind: str, a: str, b: str = "", at_ms: int = 0) -> Command:
    return Command("t", kind, a, b, "ann", "because", at_ms, "cli/1")


def test_a_kiosk_with_500_log_ins_merges_no_customers_and_changes_no_others():
    bench = Bench()
    for number in range(500):
        bench.take(seen(f"user:{number}", f"anon:{number}", number), seen(f"user:{number}", "dev:kiosk", 1000 + number))
    assert len(bench.groups()) == 501
    assert frozenset({"dev:kiosk"}) in bench.groups()
    assert all(frozenset({f"user:{number}", f"anon:{number}"}) in bench.groups() for number in range(500))
    assert {anchor for move in bench.moves for anchor in move.anchors} == {
        "dev:kiosk",
        *(f"user:{number}" for number in range(500)),
    }
    (quarantined,) = [change for change in bench.changes if change.change == "quarantined"]
    assert (quarantined.identifiers, quarantined.rule) == (["dev:kiosk"], "dev: firebreak above 10")
    refused = {tuple(change.identifiers) for change in bench.changes if change.change == "refused"}
    assert {(f"user:{number}", "dev:kiosk") for number in range(11, 500)} <= refused
    assert len(bench.nodes.rows["dev:kiosk"].edges) < 40


def test_a_shared_inbox_without_a_window_stays_closed_until_a_person_releases_it():
    bench = Bench()
    bench.take(*(seen(f"user:{number}", "mail:office", number) for number in range(50)))
    bench.take(seen("user:7", "mail:office", 900 * DAY_MS))
    assert len(bench.groups()) == 51
    bench.take(decided("release", "mail:office"))
    assert frozenset({"user:7", "mail:office"}) in bench.groups()
    assert bench.kinds()["quarantined"] == bench.kinds()["released"] == 1


def test_a_firebreak_lifts_when_its_links_expire_and_the_old_links_merge_no_one():
    bench = Bench(types=[*TYPES[1:], IdentityType(name="user", priority=1, strong=True)])
    bench.take(*(seen(f"user:{number}", "dev:sold", number) for number in range(11)))
    bench.take(seen("user:new", "dev:sold", 30 * DAY_MS))
    assert frozenset({"user:new", "dev:sold"}) in bench.groups()
    assert len(bench.groups()) == 12
    (released,) = [change for change in bench.changes if change.change == "released"]
    assert (released.identifiers, released.reason) == (["dev:sold"], "expired")


def test_a_customer_has_no_more_identifiers_than_the_cap_and_the_weakest_oldest_give_way():
    bench = Bench(max_identifiers=4)
    bench.take(seen("user:1", "dev:1", 1), seen("user:1", "anon:1", 2), seen("user:1", "anon:2", 3))
    bench.take(seen("user:1", "anon:3", 4))
    assert frozenset({"user:1", "dev:1", "anon:2", "anon:3"}) in bench.groups()
    (evicted,) = [change for change in bench.changes if change.change == "evicted"]
    assert (evicted.identifiers, evicted.rule) == (["user:1", "anon:1"], "max_identifiers: 4")
    assert evicted.reason == "cap"


def test_a_component_over_the_bound_forgets_its_least_important_rejected_links_and_reports_it():
    bench = Bench(types=[IdentityType(name="user", priority=1, limits=["1 ever"])], max_links=5)
    bench.take(*(seen(f"user:{number}", "thing:1", number) for number in range(9)))
    forgotten = [change for change in bench.changes if change.reason == "forgotten"]
    assert [change.identifiers[0] for change in forgotten] == [f"user:{number}" for number in (1, 2, 3, 4)]
    assert frozenset({"user:8", "thing:1"}) in bench.groups()


def test_a_limit_by_period_counts_identifiers_first_seen_within_it():
    bench = Bench(
        types=[IdentityType(name="user", priority=1), IdentityType(name="dev", priority=2, limits=["2 per 1 d"])]
    )
    bench.take(*(seen("user:1", f"dev:{number}", number * DAY_MS // 2) for number in range(5)))
    assert bench.groups() == {frozenset({"user:1", "dev:0", "dev:1", "dev:2", "dev:3", "dev:4"})}
    bench.take(seen("user:1", "dev:5", 1))
    assert len(bench.groups()) == 2
    (rejected,) = [change for change in bench.changes if change.change in {"refused", "evicted"}]
    assert rejected.rule == "dev: 2 per 1 d"


def test_a_late_sighting_that_dates_an_identifier_back_can_break_a_limit_by_period():
    bench = Bench(
        types=[IdentityType(name="user", priority=1), IdentityType(name="dev", priority=2, limits=["2 per 1 d"])]
    )
    bench.take(*(seen("user:1", f"dev:{number}", number * DAY_MS) for number in range(4)))
    bench.take(seen("user:1", "dev:3", DAY_MS, 3 * DAY_MS), seen("user:1", "dev:2", DAY_MS, 2 * DAY_MS))
    assert len(bench.groups()) == 2


def test_an_isolated_identifier_stays_isolated_when_links_are_forgotten():
    kinds = [
        IdentityType(name="user", priority=1, limits=["1 ever"]),
        IdentityType(name="dev", priority=2, policy="isolate"),
    ]
    bench = Bench(types=kinds, max_links=3).take(*(seen(f"user:{number}", "dev:1", number) for number in range(6)))
    assert all(len(group) == 1 for group in bench.groups())
    assert "forgotten" not in {change.reason for change in bench.changes}


def test_a_component_that_waits_to_be_resolved_takes_no_one_in_meanwhile():
    bench = Bench().take(seen("user:1", "dev:1", 1), seen("user:1", "anon:1", 2))
    before = len(bench.moves)
    bench.take(decided("unlink", "user:1", "dev:1"), seen("dev:1", "anon:2", 9))
    moved = [(anchor, move.target) for move in bench.moves[before:] for anchor in move.anchors]
    assert sorted(moved) == [
        ("anon:1", profile_id("t", "anon:1")),
        ("dev:1", profile_id("t", "anon:2")),
        ("user:1", profile_id("t", "anon:1")),
    ]  # fmt: skip


def test_unlinking_gives_everything_the_state_of_a_run_where_the_merge_never_happened():
    ann = [seen("user:ann", "mail:ann", 10), seen("user:ann", "dev:a", 20)]
    bob = [seen("mail:bob", "dev:b", 5), seen("mail:bob", "anon:b", 6)]
    wrong, later = seen("mail:bob", "dev:a", 3), [seen("user:ann", "anon:a", 40), seen("mail:bob", "anon:c", 41)]
    merged = Bench().take(*ann, *bob, wrong)
    assert len(merged.groups()) == 1
    merged.take(*later).take(decided("unlink", "dev:a", "mail:bob"))
    apart = Bench().take(*ann, *bob, *later)
    assert merged.groups() == apart.groups()
    assert all(merged.engine.profile_of(ident) == apart.engine.profile_of(ident) for ident in apart.nodes.rows)
    split = [change for change in merged.changes if change.change == "split"]
    assert {change.reason for change in split} == {"unlinked"}
    assert {change.why for change in split} == {"because"}


def test_an_unlinked_pair_stays_apart_in_later_events_until_it_is_linked_again():
    bench = Bench().take(decided("unlink", "user:1", "dev:1"), seen("user:1", "dev:1", 5), seen("user:1", "dev:1", 9))
    assert len(bench.groups()) == 2
    assert [change.change for change in bench.changes] == ["unlinked", "refused"]
    bench.take(decided("link", "dev:1", "user:1"))
    assert bench.groups() == {frozenset({"user:1", "dev:1"})}


def test_a_link_by_hand_goes_over_a_type_limit_but_not_over_the_cap():
    bench = Bench(max_identifiers=2).take(decided("link", "user:1", "user:2"), decided("link", "user:1", "user:3"))
    assert bench.groups() == {frozenset({"user:1", "user:3"}), frozenset({"user:2"})}
    assert bench.kinds()["linked"] == 2
    assert [change.rule for change in bench.changes if change.change == "refused"] == ["max_identifiers: 2"]


def test_a_suppressed_identifier_links_to_nothing_and_comes_back_when_released():
    bench = Bench().take(seen("user:1", "dev:1", 1), seen("dev:1", "anon:1", 2))
    bench.take(decided("suppress", "dev:1"), seen("dev:1", "anon:2", 3), seen("user:2", "dev:1", 4))
    assert all(len(group) == 1 for group in bench.groups())
    bench.take(decided("release", "dev:1"))
    assert frozenset({"user:2", "dev:1", "anon:1", "anon:2"}) in bench.groups()
    by_hand = [(change.change, change.identifiers) for change in bench.changes if change.actor]
    assert by_hand[:2] == [("quarantined", ["dev:1"]), ("released", ["dev:1"])]
    assert sorted(change[1][0] for change in by_hand if change[0] == "merged") == ["anon:1", "anon:2", "user:1"]
    assert by_hand[-1] == ("refused", ["user:1", "dev:1"])


def test_links_with_a_suppressed_identifier_beyond_the_bound_wait_to_be_seen_again():
    bench = Bench(max_links=2).take(decided("suppress", "dev:1"))
    bench.take(*(seen("dev:1", f"anon:{number}", number + 1) for number in range(3)))
    bench.take(decided("release", "dev:1"))
    assert frozenset({"dev:1", "anon:0", "anon:1"}) in bench.groups()
    bench.take(seen("dev:1", "anon:2", 9))
    assert frozenset({"dev:1", "anon:0", "anon:1", "anon:2"}) in bench.groups()


def test_a_household_merges_no_profiles_and_publishes_its_members():
    bench = Bench().take(seen("user:1", "home:1", 1), seen("user:2", "home:1", 2))
    assert all(len(group) == 1 for group in bench.groups())
    shown = [(line.change, line.identifiers, line.profile_id, line.other_profile_id) for line in bench.changes]
    home = profile_id("t", "home:1")
    assert shown == [
        ("joined", [user, "home:1"], profile_id("t", user), home) for user in ("user:1", "user:2")
    ]  # fmt: skip


def test_an_unlinked_identifier_has_no_household():
    bench = Bench().take(seen("user:1", "home:1", 1))
    rows = StoredHouseholds("t", UnionFind(bench.nodes), bench.nodes)
    assert (rows.of("home:1").profile_ids, rows.shared_by("user:1")) == ([profile_id("t", "user:1")], ["home:1"])
    assert (rows.of("home:9"), rows.of("user:1"), rows.shared_by("user:9")) == (None, None, [])


@pytest.mark.parametrize(
    ("ending", "beginning"),
    [
        (decided("unlink", "user:1", "home:1"), decided("link", "user:1", "home:1")),
        (decided("suppress", "user:1"), decided("release", "user:1")),
        (decided("suppress", "home:1"), decided("release", "home:1")),
    ],
)
def test_a_member_unlinked_from_the_shared_identifier_leaves_and_joins_again(ending: Command, beginning: Command):
    bench = Bench().take(seen("user:1", "home:1", 1))
    bench.take(ending, seen("user:1", "home:1", 2))
    assert bench.kinds()["left"] == 1
    bench.take(beginning)
    assert bench.kinds()["joined"] == 2


def test_a_household_keeps_max_links_members_and_publishes_forgotten_ones():
    bench = Bench(max_links=3).take(*(seen(f"user:{number}", "home:1", number) for number in range(5)))
    away = [line.identifiers[0] for line in bench.changes if line.change == "left"]
    assert away == ["user:3", "user:4"]
    assert {line.reason for line in bench.changes if line.change == "left"} == {"forgotten"}


def test_a_member_of_too_many_households_leaves_those_not_seen_for_longest():
    bench = Bench(max_links=3)
    bench.take(*(seen("user:1", f"home:{number}", number) for number in range(20)))
    away = {line.identifiers[1] for line in bench.changes if line.change == "left"}
    assert away == {f"home:{number}" for number in range(17)}
    assert len(bench.nodes.rows["user:1"].edges) == 3


def test_a_split_off_identifier_gets_its_own_id_back_and_its_profile_receives_the_move():
    bench = Bench().take(seen("user:1", "dev:1", 1))
    assert bench.engine.profile_of("user:1") == profile_id("t", "dev:1")
    assert not bench.moves_for_target
    bench.take(decided("unlink", "user:1", "dev:1"))
    assert bench.engine.profile_of("user:1") == profile_id("t", "user:1")
    assert bench.moves_for_target == bench.moves[1:]


def test_moves_of_an_anchor_form_a_chain_over_a_to_b_to_a():
    bench = Bench().take(seen("user:1", "dev:1", 1), seen("user:2", "dev:1", 2)).take(seen("user:1", "dev:1", 3))
    chain = [(move.source, move.target) for move in bench.moves if move.anchors == ["dev:1"]]
    one, two = profile_id("t", "dev:1"), profile_id("t", "user:2")
    assert chain == [(one, two), (two, one)]
    assert [move.seq for move in bench.moves] == sorted(move.seq for move in bench.moves)


def test_one_batch_resolves_a_component_once():
    bench = Bench().take(seen("user:1", "dev:1", 1), seen("user:2", "dev:1", 2))
    before = len(bench.moves)
    bench.take(*(seen(f"user:{1 + number % 2}", "dev:1", 10 + number) for number in range(7)))
    assert [(move.anchors, move.target) for move in bench.moves[before:]] == [(["dev:1"], profile_id("t", "dev:1"))]


def test_an_error_in_a_batch_leaves_nothing_waiting_in_the_engine():
    bench = Bench()
    with pytest.raises(AttributeError):
        bench.take(seen("user:1", "dev:1", 1), seen("user:2", "dev:1", 2), None)  # type: ignore[arg-type]
    bench.nodes.rows.clear()
    assert bench.take(seen("user:3", "dev:2", 3)).groups() == {frozenset({"user:3", "dev:2"})}


def test_rows_that_contradict_each_other_raise_an_error_with_the_operators_action():
    nodes: MemoryTable[Node] = MemoryTable()
    orphan = Node("user:1", "user:1", (), None)
    with pytest.raises(LookupError, match="row of a user is missing; restore this partition"):
        UnionFind(nodes).root("dev:1", orphan)
    with pytest.raises(LookupError, match="root row has no head; restore this partition"):
        head_of(orphan)


def test_a_firebreak_counts_identifiers_behind_a_browser_that_the_fast_path_would_join():
    types = [
        IdentityType(name="user", priority=1, strong=True),
        IdentityType(name="mail", priority=2, strong=True),
        IdentityType(name="card", priority=3),
        IdentityType(name="dev", priority=4, firebreak_above=2, firebreak_counts_weak=True),
        IdentityType(name="anon", priority=5),
    ]
    links = [seen(a, "anon:1", n) for n, a in enumerate(("dev:1", "user:1", "mail:1", "card:1"))]
    together = Bench(types=types).take(*links[:3])
    assert together.groups() == {frozenset({"dev:1", "anon:1", "user:1", "mail:1"})}
    for order in (links, links[::-1]):
        bench = Bench(types=types)
        for item in order:
            bench.take(item)
        assert bench.groups() == {frozenset({"dev:1"}), frozenset({"anon:1", "user:1", "mail:1", "card:1"})}


def test_an_isolated_device_is_decided_again_when_it_forgets_the_browsers_that_it_has_no_room_for():
    types = [
        IdentityType(name="user", priority=1, strong=True, limits=["1 ever"]),
        IdentityType(name="dev", priority=4, firebreak_above=4, firebreak_counts_weak=True),
        IdentityType(name="anon", priority=5),
    ]
    bench = Bench(types=types, max_links=3)
    links = [
        link
        for n in range(6)
        for link in (seen("dev:1", f"anon:{n}", 2 * n), seen(f"user:{n}", f"anon:{n}", 2 * n + 1))
    ]
    bench.take(*links)
    known, decisions = stored("t", bench.nodes.rows.items(), IdentityPolicy(bench.rules))
    groups = resolve(known, IdentityPolicy(bench.rules), decisions).groups()
    assert bench.groups() == {frozenset(members) for members in groups.values()}
