"""The segment states that a booking can change, and those it need not evaluate."""

from pipeline.condition.due import FOREVER
from pipeline.event.duration import HOUR_MS
from pipeline.score.keys import given_key
from pipeline.segment.segments import Segments
from tests.unit.segment import test_operand as carts
from tests.unit.segment.test_segments import START_MS, ledger, segments


def evaluates(made: Segments, waits: int, *keys: str) -> bool:
    return made.watch_bits.mask_of_bits(made.watch_bits.bits_of_keys(keys) & waits) == 1


def test_a_profile_that_one_part_excludes_is_evaluated_only_when_that_part_may_change():
    made = segments(both="orders >= 1 and score.engagement >= 1 and last_touch <= 9 d")
    (standing,) = made.evaluate([ledger()], START_MS).values()
    assert standing.watch_bits == made.watch_bits.while_outside("both", 0, FOREVER)
    assert evaluates(made, standing.watch_bits, "count:orders")
    assert not evaluates(made, standing.watch_bits, given_key("engagement"), "touch", "traits")


def test_a_part_that_waits_for_a_score_is_not_evaluated_at_every_point():
    made = segments(
        warm="score.engagement >= 40", hot="score.engagement > 70 and orders >= 1", cold="score.engagement < 5"
    )
    waiting = made.watch_bits
    assert waiting.score_thresholds == {"engagement": {40.0, 70.0}}
    assert waiting.mask_of_bits(waiting.score_bits) == made.mask_of(["warm", "hot"])
    assert waiting.mask_of_bits(waiting.bits_of_keys([given_key("engagement")])) == made.mask_of(["cold"])


def test_an_open_cart_is_evaluated_when_it_is_due_and_not_when_it_changes():
    made = carts.segments('cart.status = "abandoned"')
    (empty,) = made.evaluate([], START_MS).values()
    assert evaluates(made, empty.watch_bits, "cart")
    filled = [carts.ledger(carts.added(START_MS, "p1", 5.0))]
    (still_open,) = made.evaluate(filled, START_MS).values()
    assert START_MS < still_open.due_ms < FOREVER
    assert not evaluates(made, still_open.watch_bits, "cart")
    (abandoned,) = made.evaluate(filled, START_MS + 48 * HOUR_MS).values()
    assert abandoned.inside
    assert evaluates(made, abandoned.watch_bits, "cart")


def test_other_conditions_on_a_cart_are_evaluated_at_every_change():
    for when in ('cart.status != "abandoned"', 'cart.status = "open"', "cart.items >= 2"):
        made = carts.segments(when)
        filled = [carts.ledger(carts.added(START_MS, "p1", 5.0))]
        (standing,) = made.evaluate(filled, START_MS).values()
        assert evaluates(made, standing.watch_bits, "cart"), when


def test_the_first_touch_turns_or_dates_every_segment_that_reads_the_last_touch():
    made = segments(
        dormant="last_touch > 31 d",
        awake="not segment.dormant and orders >= 1",
        here="last_touch is known",
        bought="orders >= 1",
        young="first_touch <= 9 d",
    )
    assert made.watch_bits.first_touch_mask == made.mask_of(["dormant", "awake", "here"])
    (empty,) = made.evaluate([], START_MS, made.mask_of(["young"])).values()
    assert made.watch_bits.mask_of_bits(made.watch_bits.bits_of_keys(["touch"]) & empty.watch_bits) == made.mask_of(
        ["young"]
    )
