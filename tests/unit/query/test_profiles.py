"""Profiles from PROFILE's rows: which are current, in which order, at which moment, and along which merges."""

import msgspec
import pytest

from pipeline.profile.logic import ProfileLogic
from pipeline.profile.messages import Move, Touch
from pipeline.profile.row import Ownership, ProfileRow
from pipeline.query.profiles import (
    LATEST,
    RulesWatch,
    current_profile,
    decided_by_others,
    export_profiles,
    profile_rows,
    row_key,
)
from pipeline.rules.compiled import compiled
from pipeline.rules.load import load_rules
from pipeline.testing import build
from pipeline.testing.table import MemoryTable

DAY_MS = 86_400_000
START_MS = 1_772_000_000_000
SHIPPED = load_rules()
RULES = compiled(SHIPPED)


def touch(anchor: str, number: int) -> Touch:
    return build.touch(
        anchor, event_id=f"web/m{number}", timestamp_ms=START_MS + number * 1000, properties={"product": "Kettle"},
        traits={"name": "Ada"},
    )  # fmt: skip


@pytest.fixture
def rows() -> dict[str, ProfileRow]:
    """``c`` has a touch; ``b`` had two until its ledger moved to ``a``, which had one."""
    table: MemoryTable[ProfileRow] = MemoryTable()
    logic = ProfileLogic(RULES, table)
    logic.on_batch(
        [("a", touch("user_id:1", 1)), ("b", touch("anonymous_id:x", 2)), ("b", touch("anonymous_id:x", 3))], 0
    )
    logic.on_batch([("c", touch("email:c@shop.example", 9))], 0)
    move = Move("default", ["anonymous_id:x"], "b", "a", 7)
    carried = logic.on_batch([("b", move), ("a", move)], 0).forwards
    logic.on_batch(carried, 0)
    return dict(table.rows)


def test_only_profiles_that_hold_ledgers_are_exported(rows):
    views = list(export_profiles(sorted(rows.items()), RULES, LATEST))

    assert [(view["profile_id"], view["touches"]) for view in views] == [("a", 3), ("c", 1)]
    assert all(view["merged_into"] == "" for view in views)


def test_latest_reads_each_profile_at_its_own_newest_event_and_a_moment_reads_all_at_that(rows):
    at = START_MS + DAY_MS

    assert [view["as_of_ms"] for view in export_profiles(sorted(rows.items()), RULES, LATEST)] == [
        START_MS + 3000, START_MS + 9000,
    ]  # fmt: skip
    assert {view["as_of_ms"] for view in export_profiles(sorted(rows.items()), RULES, at)} == {at}


def test_rows_out_of_order_are_refused_because_exports_could_not_be_compared(rows):
    with pytest.raises(ValueError, match="out of order: b after c"):
        list(export_profiles([("c", rows["c"]), ("b", rows["b"])], RULES, LATEST))
    with pytest.raises(ValueError, match="out of order"):
        list(export_profiles([("c", rows["c"]), ("c", rows["c"])], RULES, LATEST))


def test_the_changelog_gives_the_same_rows_in_order_and_nothing_of_other_tables(rows):
    changelog = {row_key(name): msgspec.msgpack.encode(row) for name, row in reversed(rows.items())}
    changelog[b"other/a"] = b"\x90"

    result = list(profile_rows(changelog))

    assert [name for name, _ in result] == ["a", "b", "c"]
    assert list(export_profiles(result, RULES, LATEST)) == list(export_profiles(sorted(rows.items()), RULES, LATEST))


def test_an_old_id_leads_to_the_profile_that_took_over(rows):
    assert current_profile("b", rows.get) == ("a", rows["a"])
    assert current_profile("a", rows.get) == ("a", rows["a"])


def test_an_id_that_leads_nowhere_is_unknown(rows):
    assert current_profile("z", rows.get) is None
    assert current_profile("", rows.get) is None
    circle = {
        "x": ProfileRow("default", ownership=Ownership({"email:a": (1, "y")})),
        "y": ProfileRow("default", ownership=Ownership({"email:a": (2, "x")})),
        "waiting": ProfileRow("default", ownership=Ownership({"email:a": (3, "waiting")})),
    }
    assert current_profile("x", circle.get) is None
    assert current_profile("waiting", circle.get) is None


def test_profiles_that_were_decided_by_other_rules_are_noticed(rows):
    other = RULES._replace(fingerprint=RULES.fingerprint ^ 1)
    watched = RulesWatch(RULES), RulesWatch(other)
    for watch in watched:
        assert list(watch.watch(sorted(rows.items()))) == sorted(rows.items())
    assert [watch.others for watch in watched] == [0, 2]
    assert [decided_by_others(rows["c"], book) for book in (RULES, other)] == [False, True]
