from typing import Any

import msgspec

from pipeline.event.duration import DAY_MS, HOUR_MS
from pipeline.identity.messages import Move
from pipeline.identity.profile_id import profile_id
from pipeline.profile.ledger import Ledger
from pipeline.profile.logic import ProfileLogic
from pipeline.profile.messages import Carry, Touch
from pipeline.profile.records import FirstOrLastTouch, Windows
from pipeline.profile.row import ProfileRow
from pipeline.profile.rules import AggregateRule, AggregateRules
from pipeline.profile.view import profile_view
from pipeline.score.rules import ScoreRules
from pipeline.testing.table import MemoryTable
from pipeline.trigger.compile import compile_rules
from pipeline.trigger.rules import TriggerRules
from tests.property.profile_histories import EVERY_KIND, SCORES, START_MS, touch

RULES = compile_rules(AggregateRules(aggregates=EVERY_KIND), SCORES, TriggerRules())
A, B = "user_id:a", "anonymous_id:b"
PA, PB = profile_id("default", A), profile_id("default", B)


def stage() -> tuple[ProfileLogic, MemoryTable[ProfileRow]]:
    table: MemoryTable[ProfileRow] = MemoryTable()
    return ProfileLogic(RULES, table), table


def move(seq: int, source: str, target: str, anchor: str = B) -> Move:
    return Move("default", [anchor], source, target, seq)


def test_a_batch_publishes_each_profile_it_changed_once() -> None:
    logic, table = stage()
    effects = logic.on_batch([(PA, touch(n, n, A)) for n in range(5)] + [(PB, touch(9, 9, B))], 0)
    assert [(u.profile_id, u.version) for u in effects.updates] == [(PA, 1), (PB, 1)]
    assert table.rows[PA].anchors[A].touches == 5
    assert logic.evaluate([PA, "never-heard-of"], 0).updates[0].version == 2


def test_an_update_has_the_fields_of_the_schema() -> None:
    logic, _ = stage()
    first = touch(1, 0, A, context={"campaign": {"name": "spring"}, "consent": {"ads": False}}, traits={"plan": "pro"})
    second = touch(2, HOUR_MS, A, name="", type="page", identifiers=[A, B], context={"campaign": "x", "consent": 1})
    bought = touch(3, HOUR_MS + 1, A, name="Buy", amount_minor=500, currency="EUR")
    (update,) = logic.on_batch([(PA, first), (PA, second), (PA, bought)], 0).updates
    assert update.identifiers == [B, A]
    assert (update.traits, update.consent) == ('{"plan":"pro"}', '{"ads":false}')
    assert update.first_touch == FirstOrLastTouch(
        timestamp_ms=START_MS, channel="web", name="View", campaign="spring", event_id="shop/000001",
    )  # fmt: skip
    assert update.last_touch.name == "Buy"
    assert update.aggregates["a_count"] == Windows(
        last_1h=2, last_24h=3, last_7d=3, last_30d=3, last_90d=3, lifetime=3,
    )  # fmt: skip
    assert update.aggregates["money.EUR"].last_1h == 500
    assert set(update.scores) == {"engagement", "worth"}
    assert (update.first_seen_ms, update.last_seen_ms) == (START_MS, START_MS + HOUR_MS + 1)


def test_a_move_carries_the_ledger_over_and_leaves_a_merged_profile_behind() -> None:
    logic, table = stage()
    logic.on_batch([(PB, touch(1, 0, B))], 0)
    effects = logic.on_batch([(PB, move(1, PB, PA)), (PA, move(1, PB, PA))], 0)
    ((to, carry),) = effects.forwards
    assert (to, [*carry.ledgers], carry.seq) == (PA, [B], 1)
    assert [(u.profile_id, u.status, u.merged_into) for u in effects.updates] == [(PB, "merged", PA)]
    (update,) = logic.on_batch([(to, carry)], 0).updates
    assert (update.profile_id, update.status) == (PA, "active")
    assert table.rows[PB].published.status == "merged"
    assert logic.evaluate([PB], 0).updates == []


def test_a_move_without_a_ledger_sends_nothing() -> None:
    logic, _ = stage()
    effects = logic.on_batch([(PB, move(1, PB, PA))], 0)
    assert (effects.forwards, effects.updates) == ([], [])


def test_a_late_touch_follows_the_pointer_with_its_seq() -> None:
    logic, _ = stage()
    effects = logic.on_batch([(PB, move(7, PB, PA)), (PB, touch(1, 0, B))], 0)
    ((to, forwarded),) = effects.forwards
    assert isinstance(forwarded, Touch)
    assert (to, forwarded.seq) == (PA, 7)


def test_a_forwarded_touch_that_overtakes_its_move_is_booked_and_sets_the_owner() -> None:
    logic, table = stage()
    logic.on_batch([(PA, move(1, PA, PB)), (PA, touch(1, 0, B, seq=2))], 0)
    assert table.rows[PA].ownership.pointers[B] == (2, PA)
    assert logic.on_batch([(PA, move(1, PA, PB))], 0).forwards == []
    assert table.rows[PA].anchors[B].touches == 1


def test_a_carry_for_an_anchor_that_moved_on_is_forwarded_with_the_higher_seq() -> None:
    logic, _ = stage()
    logic.on_batch([(PB, touch(1, 0, B))], 0)
    ((_, carry),) = logic.on_batch([(PB, move(1, PB, PA))], 0).forwards
    ((to, further),) = logic.on_batch([(PA, move(2, PA, "elsewhere")), (PA, carry)], 0).forwards
    assert isinstance(further, Carry)
    assert (to, further.target, further.seq) == ("elsewhere", "elsewhere", 2)


def test_a_profile_without_ledgers_names_the_owner_of_the_last_one_until_one_returns() -> None:
    logic, table = stage()
    logic.on_batch([(PA, touch(1, 0, A)), (PA, touch(2, 0, B))], 0)
    ((_, carry),) = logic.on_batch([(PA, move(2, PA, PB, A))], 0).forwards
    (update,) = logic.on_batch([(PA, move(3, PA, PB)), (PA, move(4, PB, PA, A))], 0).updates
    assert (update.status, update.merged_into) == ("merged", PB)
    back = msgspec.structs.replace(carry, seq=4, target=PA)
    (update,) = logic.on_batch([(PA, back)], 0).updates
    assert (update.status, update.merged_into) == ("active", "")
    assert table.rows[PA].anchors[A].touches == 1


def test_a_profile_that_forwards_a_ledger_publishes_its_target() -> None:
    logic, table = stage()
    logic.on_batch([(PB, touch(1, 0, B))], 0)
    ((_, carry),) = logic.on_batch([(PB, move(1, PB, PA))], 0).forwards
    on = move(2, PA, "elsewhere")
    (update,) = logic.on_batch([(PA, on), (PA, carry)], 0).updates
    assert (update.profile_id, update.status, update.merged_into) == (PA, "merged", "elsewhere")
    assert logic.evaluate([PA], 0).updates == []
    assert (table.rows[PA].current_id(PA), table.rows[PB].current_id(PB)) == ("elsewhere", PA)


def test_a_merge_and_a_split_restore_the_profiles_to_the_last_digit() -> None:
    logic, table = stage()
    for n in range(40):
        anchor = (A, B)[n % 2]
        logic.on_batch(
            [(profile_id("default", anchor), touch(n, n * 7 * HOUR_MS, anchor, name=("View", "Buy", "Open")[n % 3]))], 0
        )
    as_of_ms = START_MS + 20 * DAY_MS

    def views() -> list[dict[str, Any]]:
        return [profile_view(p, table.rows[p], RULES, as_of_ms) for p in (PA, PB)]

    before = views()
    for seq, (source, target) in enumerate([(PB, PA), (PA, PB)], start=1):
        moved = move(seq, source, target)
        forwards = logic.on_batch([(source, moved), (target, moved)], 0).forwards
        logic.on_batch(forwards, 0)
        assert (views() == before) is (seq == 2)


def test_the_view_is_read_at_the_newest_touch_at_the_earliest() -> None:
    logic, table = stage()
    logic.on_batch([(PA, touch(1, 0, A, context={"page": {"referrer": "https://r"}}, traits={"city": "Ulm"}))], 0)
    view = profile_view(PA, table.rows[PA], RULES, 0)
    assert view["as_of_ms"] == START_MS
    assert view["first_touch"]["referrer"] == "https://r"
    assert view["traits"]["city"] == {
        "value": "Ulm", "timestamp_ms": START_MS, "event_id": "shop/000001", "channel": "web",
    }  # fmt: skip
    assert view["scores"][0]["contributions"][0]["rule"] == "view"
    assert msgspec.json.decode(msgspec.json.encode(view)) == view


def test_the_view_of_a_merged_profile_names_its_current_id() -> None:
    logic, table = stage()
    logic.on_batch([(PB, move(1, PB, PA))], 0)
    view = profile_view(PB, table.rows[PB], RULES, START_MS)
    assert (view["merged_into"], view["anchors"], view["first_touch"]) == (PA, [], None)


def test_a_profile_without_touches_keeps_its_id_after_another_anchor_left_it() -> None:
    logic, table = stage()
    logic.on_batch([(PA, move(1, PA, "elsewhere", B))], 0)
    assert table.rows[PA].current_id(PA) == ""


def test_a_profile_without_a_touch_that_was_merged_and_split_off_again_is_its_own() -> None:
    logic, table = stage()
    logic.on_batch([(PB, move(1, PB, PA))], 0)
    assert table.rows[PB].current_id(PB) == PA
    logic.on_batch([(PB, move(2, PA, PB))], 0)
    assert table.rows[PB].current_id(PB) == ""


def test_without_rules_a_profile_is_still_kept() -> None:
    table: MemoryTable[ProfileRow] = MemoryTable()
    bare = compile_rules(AggregateRules(), ScoreRules(), TriggerRules())
    (update,) = ProfileLogic(bare, table).on_batch([(PA, touch(1, 0, A))], 0).updates
    assert (update.aggregates, update.scores) == ({}, {})


def test_a_profile_without_a_touch_publishes_that_there_was_none() -> None:
    logic, table = stage()
    table.put(PA, ProfileRow("default", anchors={A: Ledger()}))
    (update,) = logic.evaluate([PA], START_MS).updates
    assert update.first_touch == update.last_touch
    assert (update.first_seen_ms, update.first_touch.event_id) == (0, "")


def test_a_window_added_to_a_rule_later_counts_from_then_on() -> None:
    table: MemoryTable[ProfileRow] = MemoryTable()
    for number, windows in enumerate([("lifetime",), ("lifetime", "24h", "30d")]):
        aggregates = AggregateRules(aggregates=(AggregateRule(name="n", windows=windows),))
        logic = ProfileLogic(compile_rules(aggregates, ScoreRules(), TriggerRules()), table)
        (before,) = logic.evaluate([PA], 0).updates or [None]
        (update,) = logic.on_batch([(PA, touch(number, number, A))], 0).updates
        result = update.aggregates["n"]
        assert (result.lifetime, result.last_24h, result.last_30d) == (number + 1, number, number)
        assert before is None or before.aggregates["n"].last_24h == 0
