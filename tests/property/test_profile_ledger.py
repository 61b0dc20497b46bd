"""A ledger is a commutative monoid, byte for byte, for each kind of aggregate."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.profile.booking import Plan
from pipeline.profile.journey.booking import journey_bookings
from pipeline.profile.journey.rules import JourneyRules
from pipeline.profile.kinds import KINDS
from pipeline.profile.ledger import Ledger, decode_ledger, encode_ledger, merge
from pipeline.profile.messages import Touch
from pipeline.score.scorer import Scores
from tests.property.profile_histories import (
    ATTRIBUTION,
    CARTS,
    EVERY_KIND,
    JOURNEYS,
    MONEY,
    PREFERENCES,
    SCORES,
    SURVEYS,
    aggregate,
    folded,
    histories,
)

WHOLE = Plan(EVERY_KIND, Scores(SCORES).counted, journey_bookings(JOURNEYS))
PARTS = {
    "timeline": JourneyRules(),
    "cart": JourneyRules(carts=CARTS),
    "attribution": JourneyRules(attribution=ATTRIBUTION),
    "surveys": JourneyRules(surveys=SURVEYS),
    "preferences": JourneyRules(preferences=PREFERENCES),
}
PLANS = (
    {kind: Plan((aggregate(kind),), ()) for kind in KINDS}
    | {name: Plan((), (), journey_bookings(rules)) for name, rules in PARTS.items()}
    | {"money": Plan((MONEY,), ()), "everything": WHOLE}
)


def fresh(plan: Plan, history: list[Touch]) -> Ledger:
    return decode_ledger(encode_ledger(folded(plan, history)))


def accepted(delivered: list[Touch]) -> list[Touch]:
    """What INTAKE lets through of events that are delivered again: each event id once."""
    return list({touch.event_id: touch for touch in reversed(delivered)}.values())


@pytest.mark.parametrize("kind", PLANS)
@settings(max_examples=60)
@given(data=st.data())
def test_a_fold_over_any_split_order_and_repetition_of_a_history_gives_the_same_bytes(
    kind: str, data: st.DataObject
) -> None:
    plan, history = PLANS[kind], data.draw(histories("user_id:a"))
    whole = encode_ledger(folded(plan, history))
    shuffled = data.draw(st.permutations(history))
    again = data.draw(st.lists(st.sampled_from(history))) if history else []
    cut = data.draw(st.integers(0, len(history)))
    assert encode_ledger(folded(plan, shuffled)) == whole
    assert encode_ledger(folded(plan, accepted([*shuffled, *again]))) == whole
    assert encode_ledger(merge(fresh(plan, shuffled[:cut]), fresh(plan, shuffled[cut:]))) == whole


@pytest.mark.parametrize("kind", PLANS)
@settings(max_examples=60)
@given(data=st.data())
def test_merging_is_commutative_and_associative_and_an_empty_ledger_is_neutral(kind: str, data: st.DataObject) -> None:
    plan, history = PLANS[kind], data.draw(histories("user_id:a"))
    parts: tuple[list[Touch], ...] = ([], [], [])
    for touch in history:
        parts[data.draw(st.integers(0, 2))].append(touch)

    def part(number: int) -> Ledger:
        return fresh(plan, parts[number])

    def same(one: Ledger, other: Ledger) -> None:
        assert encode_ledger(one) == encode_ledger(other)

    same(merge(part(0), part(1)), merge(part(1), part(0)))
    same(merge(merge(part(0), part(1)), part(2)), merge(part(0), merge(part(1), part(2))))
    same(merge(part(0), Ledger()), part(0))
    same(merge(Ledger(), part(0)), part(0))


@given(histories("user_id:a"))
def test_a_ledger_survives_its_encoding(history: list[Touch]) -> None:
    ledger = folded(WHOLE, history)
    assert decode_ledger(encode_ledger(ledger)) == ledger


@given(histories("user_id:a"))
def test_traits_of_one_event_id_have_one_winner_whatever_the_order(history: list[Touch]) -> None:
    for touch in history:
        touch.event_id, touch.timestamp_ms = "shop/1", 1_750_000_000_000
    values: list[Any] = [folded(WHOLE, order).traits for order in (history, history[::-1])]
    assert encode_ledger(Ledger(traits=values[0])) == encode_ledger(Ledger(traits=values[1]))
