"""What the comparisons of a run call a difference."""

from struct import pack

import msgspec
import pytest

from pipeline.chaos.check_offsets import Commit, commit_of
from pipeline.chaos.check_outcome import check_actions, check_profiles
from pipeline.chaos.comparison import MAX_SHOWN, comparison
from pipeline.chaos.outcome import Outcome, open_leads
from pipeline.chaos.soak import BOUNDS, check_trends, trend_of

MEMORY, _, FILES = BOUNDS


def action(name: str, revision: int = 1, kind: str = "lead", owner: str = "user_id:ada") -> dict[str, object]:
    return {"action_id": name, "revision": revision, "kind": kind, "trigger": "hot", "identifiers": [owner]}


def outcome(*actions: dict[str, object]) -> Outcome:
    return Outcome({}, list(actions), {"user_id:ada": "p1", "email:ada@example.org": "p1"})


def test_all_differences_are_counted_and_the_first_are_shown():
    result = comparison("numbers", 3, map(str, range(40)))
    assert result.differences == 40
    assert result.shown == [str(number) for number in range(MAX_SHOWN)]


def test_missing_extra_and_different_profiles_are_named_with_their_fields():
    line = msgspec.json.encode
    result = check_profiles(
        {"a": line({"points": 1}), "b": line({"points": 2})}, {"b": line({"points": 3}), "c": line({"points": 4})}
    )
    assert result.shown == [
        "missing: profile c", "too many: profile a", "different: profile b: points: Kafka 2, simulate 3",
    ]  # fmt: skip


def test_one_revision_twice_is_doubled():
    result = check_actions(outcome(action("x"), action("x")), outcome(action("x")))
    assert result.shown == ["doubled: action x revision 1: 2 times"]


def test_a_lead_that_one_side_does_not_have_is_a_difference():
    assert check_actions(outcome(), outcome(action("x"))).shown == ["missing: lead of p1 by hot, 1 times"]
    assert check_actions(outcome(action("x")), outcome()).shown == ["too many: lead of p1 by hot, 1 times"]


def test_a_lead_and_its_duplicate_are_as_good_as_one_lead():
    twice = outcome(action("x"), action("y", owner="email:ada@example.org"), action("y", 2, "duplicate_of"))
    assert check_actions(twice, outcome(action("x"))).differences == 0
    assert open_leads(twice.actions, twice.owners) == {("p1", "hot"): 1}


def test_a_committed_offset_is_read_as_kafka_writes_it():
    key = pack(">h", 1) + pack(">h", 5) + b"chaos" + pack(">h", 2) + b"t1" + pack(">i", 3)
    value = pack(">h", 3) + pack(">q", 77) + b"the rest"
    assert commit_of(key, value) == Commit("chaos", "t1", 3, 77)
    assert commit_of(key, None) is None
    assert commit_of(pack(">h", 2) + key[2:], value) is None


@pytest.mark.parametrize(("last", "rises"), [(100, False), (116, False), (117, True)])
def test_a_quantity_rises_when_its_last_quarter_is_above_the_bound(last, rises):
    trend = trend_of(FILES, [8] * 6 + [100] * 12 + [last] * 6)
    assert trend.quarters == [8, 100, 100, last]
    assert trend.rises is rises
    assert check_trends([trend]).differences == rises


def test_what_fills_in_the_first_quarter_does_not_rise():
    assert not trend_of(MEMORY, [1 << 20] * 6 + [1 << 30] * 18).rises
