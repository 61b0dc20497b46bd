"""Turns in a team: the quota method computed by hand, and one tally for every set of available members."""

from collections import Counter
from collections.abc import Callable

from pipeline.route.quota import next_by_quota
from pipeline.route.state import TeamRow
from pipeline.route.teams import MAX_TALLIES, take_turn
from pipeline.testing.table import MemoryTable

WEIGHTS = {"ann": 3, "bob": 1, "cyn": 1}


def turns(weights: dict[str, int], count: int, choose: Callable[..., str] = next_by_quota) -> str:
    given = dict.fromkeys(weights, 0)
    order = ""
    for _ in range(count):
        name = choose(weights, given)
        given[name] += 1
        order += name[0]
    return order


def next_by_jefferson(weights: dict[str, int], given: dict[str, int]) -> str:
    """The same choice without the quota: among all members."""
    return min(weights, key=lambda name: (-weights[name] / (given[name] + 1), name))


def furthest(weights: dict[str, int], order: str) -> float:
    """Returns the largest distance, in leads, of any member from their exact share at any moment."""
    whole = sum(weights.values())
    return max(
        abs(order[:size].count(name[0]) - weight * size / whole)
        for size in range(1, len(order) + 1)
        for name, weight in weights.items()
    )


def test_the_largest_weight_for_one_more_is_next_and_ties_go_by_name() -> None:
    assert turns({"bob": 1, "ann": 1}, 4) == "abab"
    assert turns({"ann": 3, "bob": 2}, 5) == "abaab"
    assert turns({"zoe": 2, "ann": 1}, 3) == "zaz"


def test_no_member_exceeds_their_quota_although_a_divisor_method_would() -> None:
    weights = {"ann": 90, "bob": 4, "cyn": 3, "dan": 2, "eve": 1}
    order = turns(weights, 100)
    assert furthest(weights, order) < 1
    assert Counter(order) == {"a": 90, "b": 4, "c": 3, "d": 2, "e": 1}
    assert furthest(weights, turns(weights, 100, next_by_jefferson)) > 2


def test_a_set_of_people_goes_on_where_it_stopped() -> None:
    table: MemoryTable[TeamRow] = MemoryTable()
    without = {"ann": 3, "cyn": 1}
    got: Counter[str] = Counter()
    for _ in range(5):  # bob comes and goes: one lead with him, one without
        got[take_turn(table, "north", WEIGHTS).rep] += 1
        take_turn(table, "north", without)
    assert got == WEIGHTS
    first, second = table.rows["north"].tallies
    assert (first.weights, second.weights) == (without, WEIGHTS)


def test_a_changed_weight_is_another_set_and_teams_have_nothing_in_common() -> None:
    table: MemoryTable[TeamRow] = MemoryTable()
    for _ in range(3):
        assert take_turn(table, "north", {"ann": 5, "bob": 1}).rep == "ann"
    turn = take_turn(table, "north", {"bob": 5, "ann": 1})
    assert turn == ("bob", 5, 6)
    assert take_turn(table, "south", {"bob": 5, "ann": 1}).rep == "bob"


def test_the_set_not_used_for_longest_is_forgotten() -> None:
    table: MemoryTable[TeamRow] = MemoryTable()
    for number in range(MAX_TALLIES + 1):
        take_turn(table, "north", {"ann": 1, f"rep{number}": 1})
        take_turn(table, "north", {"ann": 1, "rep0": 1})
    kept = [tally.weights for tally in table.rows["north"].tallies]
    assert len(kept) == MAX_TALLIES
    assert {"ann": 1, "rep0": 1} in kept
    assert {"ann": 1, "rep1": 1} not in kept
