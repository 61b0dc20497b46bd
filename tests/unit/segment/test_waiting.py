"""Which standings a booking can turn, and which it need not even ask."""

from pipeline.condition.due import FOREVER
from pipeline.event.duration import HOUR_MS
from pipeline.score.keys import given_key
from pipeline.segment.segments import Segments
from tests.unit.segment import test_operand as carts
from tests.unit.segment.test_segments import START_MS, ledger, segments


def asked(made: Segments, waits: int, *keys: str) -> bool:
    return made.waiting.mask(made.waiting.marks(keys) & waits) == 1


def test_who_is_kept_out_by_one_part_is_asked_again_only_when_that_may_turn():
    made = segments(both="orders >= 1 and score.engagement >= 1 and last_touch <= 9 d")
    (held,) = made.evaluate([ledger()], START_MS).values()
    assert held.waits == made.waiting.outside("both", 0, FOREVER)
    assert asked(made, held.waits, "count:orders")
    assert not asked(made, held.waits, given_key("engagement"), "touch", "traits")


def test_who_waits_for_a_score_to_reach_a_mark_is_not_asked_at_every_point():
    made = segments(
        warm="score.engagement >= 40", hot="score.engagement > 70 and orders >= 1", cold="score.engagement < 5"
    )
    waiting = made.waiting
    assert waiting.score_marks == {"engagement": {40.0, 70.0}}
    assert waiting.mask(waiting.scored) == made.mask_of(["warm", "hot"])
    assert waiting.mask(waiting.marks([given_key("engagement")])) == made.mask_of(["cold"])


def test_who_has_an_open_cart_is_asked_when_it_is_due_and_not_when_it_changes():
    made = carts.segments('cart.status = "abandoned"')
    (empty,) = made.evaluate([], START_MS).values()
    assert asked(made, empty.waits, "cart")
    filled = [carts.ledger(carts.added(START_MS, "p1", 5.0))]
    (still_open,) = made.evaluate(filled, START_MS).values()
    assert START_MS < still_open.due_ms < FOREVER
    assert not asked(made, still_open.waits, "cart")
    (abandoned,) = made.evaluate(filled, START_MS + 48 * HOUR_MS).values()
    assert abandoned.inside
    assert asked(made, abandoned.waits, "cart")


def test_other_questions_about_a_cart_are_asked_at_every_change():
    for when in ('cart.status != "abandoned"', 'cart.status = "open"', "cart.items >= 2"):
        made = carts.segments(when)
        filled = [carts.ledger(carts.added(START_MS, "p1", 5.0))]
        (held,) = made.evaluate(filled, START_MS).values()
        assert asked(made, held.waits, "cart"), when
