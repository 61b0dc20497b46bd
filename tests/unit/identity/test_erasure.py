"""Erasing a customer from the identity graph: the others are resolved again, older links have no effect."""

from hashlib import blake2b

import pytest

from pipeline.event.erasure import Mark
from pipeline.identity.erasure import cleaned_node, newer_part, remaining_contests
from pipeline.identity.messages import Command
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.profile_id import profile_id
from pipeline.identity.resolve import resolve
from pipeline.identity.rules import IdentityRules, IdentityType
from pipeline.identity.state import FOREVER, Edge, Head, IdentifierState, Node, StitchTables
from pipeline.identity.stitch import Stitcher
from pipeline.testing.build import START_MS, link
from pipeline.testing.table import MemoryTable
from tests.unit.event.test_erasure import Known

T = START_MS
ANN, BEN, PHONE, TV = "user_id:ann", "user_id:ben", "device_id:phone", "device_id:tv"


def rules(**more):
    return IdentityRules(
        types=[
            IdentityType(name="user_id", priority=1, strong=True, limits=["1 ever"]),
            IdentityType(name="device_id", priority=2, **more),
        ]
    )


class World:
    """A stitcher whose marks are those of its own effects."""

    def __init__(self, identity: IdentityRules) -> None:
        self.marks, self.nodes, self.markings = Known(), MemoryTable(), []
        self.rules = identity
        tables = StitchTables(self.nodes, MemoryTable())
        self.stitcher = Stitcher("default", identity, tables, self.marks, self.note)

    def note(self, marking) -> None:
        self.markings.append(marking)
        erased = [ident for ident in (ANN, BEN, PHONE, TV) if self.names(marking, ident)]
        for ident in erased if marking.kind == "erase" else ():
            self.marks[ident] = Mark(marking.seq, marking.at_ms)

    @staticmethod
    def names(marking, ident) -> bool:
        return blake2b(f"default/{ident}".encode(), digest_size=16).digest() in (*marking.people, *marking.others)

    def take(self, *messages):
        return self.stitcher.on_links(list(messages), 0)


def command(kind, ident, at_ms=T + 100):
    return Command("default", kind, ident, "", "ada", "asked", at_ms, f"{kind}-1")


def test_erasing_a_customer_deletes_its_rows_and_marks_people_apart_from_devices():
    world = World(rules())
    world.take(link(ANN, PHONE, T), link(BEN, TV, T))
    effects = world.take(command("erase", PHONE))

    assert set(effects.erased) == {ANN, PHONE}
    assert set(world.nodes.rows) == {BEN, TV}
    (marking,) = effects.marks
    assert (len(marking.people), len(marking.others), marking.kind) == (1, 2, "erase")
    (change,) = effects.changes
    assert (change.change, change.identifiers, change.founder, change.seq) == ("erased", [], "", marking.seq)


def test_a_customer_that_shares_a_component_is_resolved_without_the_erased_one():
    world = World(rules(firebreak_above=5))
    before = [link(ANN, PHONE, T), link(BEN, PHONE, T + 10), link(BEN, TV, T + 11), link(ANN, TV, T + 12)]
    world.take(*before)
    effects = world.take(command("erase", ANN))
    left = set(world.nodes.rows)
    policy = IdentityPolicy(world.rules)
    expected = resolve([one for one in before if not {one.anchor, one.other} & set(effects.erased)], policy)

    assert ANN in effects.erased
    assert BEN in left
    for ident in left:
        founder = expected.founder_of.get(ident, ident)
        assert world.stitcher.profile_of(ident) == profile_id("default", founder), ident
    assert all(edge.peer not in effects.erased for node in world.nodes.rows.values() for edge in node.edges)


def test_links_from_before_the_erasure_have_no_effect_and_later_ones_start_clean():
    world = World(rules())
    world.take(link(ANN, PHONE, T))
    world.take(command("erase", ANN))
    assert world.take(link(ANN, PHONE, T + 100)).assignments == {}
    assert world.nodes.rows == {}
    effects = world.take(link(ANN, PHONE, T, last_seen_ms=T + 200, count=9, anchor_first_ms=T))

    assert effects.assignments.keys() == {ANN} or effects.assignments.keys() == {PHONE}
    (edge,) = world.nodes.rows[PHONE].edges
    assert (edge.first_seen_ms, edge.last_seen_ms) == (T + 101, T + 200)
    untouched = link(BEN, TV, T)
    assert newer_part(untouched, world.marks) is untouched
    of_another = newer_part(link(BEN, PHONE, T, last_seen_ms=T + 200, anchor_first_ms=T), world.marks)
    assert (of_another.first_seen_ms, of_another.anchor_first_ms) == (T + 101, T)
    later = link(ANN, PHONE, T + 300, anchor_first_ms=T + 300)
    assert newer_part(later, world.marks) is later


def test_an_assignment_of_the_same_batch_follows_the_end_of_the_former_one():
    world = World(rules())
    effects = world.take(link(ANN, PHONE, T), command("erase", ANN), link(ANN, PHONE, T + 300))

    assert {ANN, PHONE} == set(effects.erased)
    assert effects.assignments


def test_opting_out_and_in_marks_the_customer_and_changes_no_row():
    world = World(rules())
    world.take(link(ANN, PHONE, T))
    rows = dict(world.nodes.rows)
    out, back = world.take(command("opt_out", PHONE)), world.take(command("opt_in", "user_id:unknown"))

    assert [one.changes[0].change for one in (out, back)] == ["opted_out", "opted_in"]
    assert [len(one.marks[0].people) for one in (out, back)] == [1, 1]
    assert rows == world.nodes.rows


@pytest.mark.parametrize("at_ms", [T, T + 1])
def test_a_foreign_row_loses_links_and_contests_with_the_erased(at_ms):
    marks = Known({ANN: Mark(3, T), BEN: Mark(admission_seq=1)})
    edges = (
        Edge(ANN, at_ms, at_ms + 5, 1, "s", "e"), Edge(BEN, T, T, 1, "s", "e"), Edge("user_id:c", T, T, 1, "s", "e"),
    )  # fmt: skip
    state = IdentifierState(contested=[ANN, BEN], weaker=[ANN, BEN])
    node = Node("", PHONE, edges, Head(1, T, PHONE, {}), state)
    cleaned = cleaned_node("default", node, marks)

    assert [edge.peer for edge in cleaned.edges] == [edge.peer for edge in edges[at_ms == T :]]
    assert cleaned.state == IdentifierState(contested=[ANN, BEN], weaker=[BEN])
    assert remaining_contests("default", cleaned, marks) == [BEN]
    stateless = Node("", PHONE, (Edge(ANN, T, T, 1, "s", "e"),), None)
    assert cleaned_node("default", stateless, marks) == Node("", PHONE, (), None)
    plain = Node("", PHONE, edges[1:], None)
    assert cleaned_node("default", plain, marks) is plain
    assert remaining_contests("default", plain, marks) is None
    decided = Node("", PHONE, (Edge(ANN, FOREVER, -1, 0, "", ""),), None, IdentifierState(weaker=[ANN]))
    assert cleaned_node("default", decided, marks) == Node("", PHONE, (), None, None)


def test_a_sweep_publishes_the_contests_that_remain_and_resolves_the_row():
    world = World(rules())
    world.marks[ANN] = Mark(3, T)
    world.nodes.put(PHONE, Node("", PHONE, (), Head(1, T, PHONE, {"device_id": 1}), IdentifierState(contested=[ANN])))
    world.nodes.put(TV, Node("", TV, (), Head(1, T, TV, {"device_id": 1})))
    effects = world.stitcher.clean([PHONE, TV, BEN], command("erase", ""))

    assert effects.assignments[PHONE].contested == []
    assert world.nodes.rows[PHONE].state is None
    assert TV not in effects.assignments
