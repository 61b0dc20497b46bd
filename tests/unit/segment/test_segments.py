"""Segments over ledgers: values of names, rejected conditions, membership and due times."""

from collections.abc import Sequence
from typing import Any

import pytest

from pipeline.condition.due import FOREVER
from pipeline.event.duration import DAY_MS, HOUR_MS
from pipeline.profile.apply import apply_touch
from pipeline.profile.booking import Plan
from pipeline.profile.filter import Filter
from pipeline.profile.ledger import Ledger
from pipeline.profile.messages import Touch
from pipeline.profile.rules import AggregateRule, AggregateRules
from pipeline.score.keys import given_key, taken_key
from pipeline.score.rules import ScoreRule, ScoreRules
from pipeline.score.scorer import Scores
from pipeline.segment import segments as module
from pipeline.segment.facts import Facts
from pipeline.segment.rules import SegmentRule, SegmentRules
from pipeline.segment.segments import SegmentError, Segments, segment_errors
from pipeline.segment.vocabulary import Vocabulary
from pipeline.testing import build

START_MS = 1_772_000_000_000 - 1_772_000_000_000 % DAY_MS
BUY = Filter(events=("buy",))
AGGREGATES = AggregateRules(
    aggregates=(
        AggregateRule(name="orders", filter=BUY, windows=("24h", "30d", "lifetime")),
        AggregateRule(name="visits", windows=("1h",)),
        AggregateRule(name="spent", kind="sum", field="amount", filter=BUY, windows=("30d", "lifetime")),
        AggregateRule(name="basket", kind="quantiles", field="properties.total", windows=("30d", "lifetime")),
        AggregateRule(name="last_buy", kind="last", field="timestamp_ms", filter=BUY, windows=("30d", "lifetime")),
        AggregateRule(name="first_buy", kind="first", field="timestamp_ms", filter=BUY),
        AggregateRule(name="sizes", kind="unique", field="properties.size"),
        AggregateRule(name="size", kind="last", field="properties.size", windows=("7d",)),
    )
)
SCORES = ScoreRules(
    scores=(
        ScoreRule(name="look", points=10, filter=Filter(events=("look",)), half_life_ms=DAY_MS),
        ScoreRule(name="buy", points=50, filter=BUY, half_life_ms=30 * DAY_MS),
        ScoreRule(name="leave", points=-30, filter=Filter(events=("leave",)), half_life_ms=DAY_MS),
        ScoreRule(name="join", points=20, filter=Filter(events=("join",)), half_life_ms=0),
        ScoreRule(name="like", points=1, filter=Filter(events=("like",)), score="taste"),
    )
)
PLAN = Plan(AGGREGATES.aggregates, Scores(SCORES).counted)
NUMBER = 0


def touch(at_ms: int, name: str = "look", **more: Any) -> Touch:
    global NUMBER  # noqa: PLW0603 - event ids must differ, and nothing else about them matters
    NUMBER += 1
    return build.touch(**{"event_id": f"web/{NUMBER:04d}", "timestamp_ms": at_ms, "name": name} | more)


def ledger(*touches: Touch) -> Ledger:
    result = Ledger()
    for item in touches:
        apply_touch(PLAN, result, item)
    return result


def bought(at_ms: int, minor: int, currency: str = "EUR", **more: Any) -> Touch:
    return touch(at_ms, "buy", amount_minor=minor, currency=currency, **more)


def segments(**when: str) -> Segments:
    return Segments(
        SegmentRules(segments=tuple(SegmentRule(name=name, when=text) for name, text in when.items())),
        AGGREGATES, SCORES, identifier_types=("user_id", "email"),
    )  # fmt: skip


def states(made: Segments, ledgers: Sequence[Ledger], as_of_ms: int) -> dict[str, tuple[bool, int]]:
    """Returns the segment states without the watch bits."""
    return {name: (current.inside, current.due_ms) for name, current in made.evaluate(ledgers, as_of_ms).items()}


def turned(made: Segments, *keys: str) -> tuple[list[str], list[str]]:
    """Returns the segments that a profile may enter, and those it may leave, by bookings under these keys."""
    waiting = made.watch_bits
    thresholds = waiting.bits_of_keys(keys)
    enter = [name for name in made.names if thresholds & waiting.all_bits(name) & ~waiting.while_inside(name)]
    return sorted(enter), sorted(name for name in made.names if thresholds & waiting.while_inside(name))


def standing(when: str, ledgers: list[Ledger], as_of_ms: int) -> tuple[bool, int]:
    return segments(tried=when).evaluate(ledgers, as_of_ms)["tried"][:2]


def holds(when: str, *ledgers: Ledger, as_of_ms: int = START_MS + HOUR_MS) -> bool:
    return standing(when, list(ledgers), as_of_ms)[0]


def test_money_is_written_in_units_and_compared_in_minor_ones():
    one, other = ledger(bought(START_MS, 49_999)), ledger(bought(START_MS, 1, anchor="email:a"))
    assert not holds("spent.EUR over 30 d >= 500", one)
    assert holds("spent.EUR over 30 d >= 500", one, other)
    assert holds("spent.EUR in [499.99, 3]", one)
    assert holds("spent.JPY = 0", one)
    assert holds("spent.JPY >= 7", ledger(bought(START_MS, 7, "JPY")))


def test_a_window_is_left_bucket_by_bucket_at_known_moments():
    history = [ledger(bought(START_MS + DAY_MS, 100)), ledger(bought(START_MS + DAY_MS + 5, 100))]
    history.append(ledger(bought(START_MS + 3 * DAY_MS + 7, 100)))
    now = START_MS + 3 * DAY_MS + 7
    assert standing("orders over 30 d >= 3", history, now) == (True, START_MS + 31 * DAY_MS)
    assert standing("orders over 30 d >= 1", history, now) == (True, START_MS + 33 * DAY_MS)
    assert standing("orders over 30 d > 3", history, now) == (False, FOREVER)
    assert standing("orders over 30 d = 1", history, now) == (False, START_MS + 31 * DAY_MS)
    assert standing("orders over 30 d is known", history, now) == (True, FOREVER)
    assert standing("orders >= 3", history, now) == (True, FOREVER)
    assert standing("orders over 14 d >= 3", history, now) == (True, START_MS + 15 * DAY_MS)
    assert standing("spent.EUR over 30 d < 2.5", history, now) == (False, START_MS + 31 * DAY_MS)


def test_a_sum_can_rise_as_a_refund_leaves_its_window():
    back, paid = ledger(bought(START_MS, -500)), ledger(bought(START_MS + DAY_MS, 800))
    now = START_MS + DAY_MS
    assert standing("spent.EUR over 30 d >= 8", [back, paid], now) == (False, START_MS + 30 * DAY_MS)


def test_values_of_other_kinds_follow_their_windows_too():
    first, last = {"size": "S", "total": 10}, {"size": "L", "total": 30}
    result = [ledger(touch(START_MS, properties=first), touch(START_MS + DAY_MS, properties=last))]
    now = START_MS + DAY_MS
    assert standing('size over 7 d = "L"', result, now) == (True, now + 7 * DAY_MS)
    assert standing("basket.p50 over 30 d < 15", result, now) == (True, START_MS + 30 * DAY_MS)
    assert standing("basket.p90 over 30 d > 15", [], now) == (False, FOREVER)
    assert standing('sizes contains "S"', result, now) == (True, FOREVER)
    assert holds("sizes.inner is unknown", *result, as_of_ms=now)
    assert holds("size over 7 d is unknown", ledger())


def test_buckets_of_one_moment_leave_together_whichever_ledgers_hold_them():
    result = [ledger(touch(START_MS, properties={"total": total})) for total in (10, 30)]
    assert standing("basket.p50 over 30 d > 5", result, START_MS) == (True, START_MS + 30 * DAY_MS)


def test_what_was_booked_before_there_was_a_window_is_in_none():
    before = (
        AggregateRule(name="orders", filter=BUY),
        AggregateRule(name="size", kind="last", field="properties.size"),
    )
    plan, result = Plan(before, ()), Ledger()
    apply_touch(plan, result, touch(START_MS, "buy", properties={"size": "S"}))
    assert standing("orders over 30 d = 0 and orders = 1", [result], START_MS) == (True, FOREVER)
    assert standing("size over 7 d is unknown", [result], START_MS) == (True, FOREVER)


def test_how_long_ago_something_was_is_compared_with_durations():
    result = [ledger(bought(START_MS, 100), touch(START_MS + DAY_MS))]
    now = START_MS + DAY_MS
    assert standing("last_buy > 31 d", result, now) == (False, START_MS + 31 * DAY_MS + 1)
    assert standing("last_buy >= 31 d", result, now) == (False, START_MS + 31 * DAY_MS)
    assert standing("first_buy <= 12 h", result, now) == (False, FOREVER)
    assert standing("last_buy over 30 d < 12 d", result, now) == (True, START_MS + 12 * DAY_MS)
    assert standing("last_buy over 30 d < 40 d", result, now) == (True, START_MS + 30 * DAY_MS)
    assert standing("last_buy is unknown", [ledger()], now) == (True, FOREVER)
    assert standing("last_touch > 31 d", result, now) == (False, START_MS + 32 * DAY_MS + 1)
    assert standing("first_touch in [2 d, 3 d]", result, now) == (False, START_MS + 2 * DAY_MS)
    assert standing("last_touch > 31 d", [], now) == (False, FOREVER)


def test_first_and_last_touch_contain_channel_and_campaign():
    shop = touch(START_MS, channel="pos", context={"campaign": {"name": "spring"}})
    result = ledger(shop, touch(START_MS + 1))
    assert holds('first_touch.channel = "pos" and first_touch.campaign = "spring"', result)
    assert holds('last_touch.channel = "web" and last_touch.campaign = ""', result)
    assert holds("last_touch.channel is unknown")


def test_traits_are_the_newest_and_may_be_nested():
    old = ledger(touch(START_MS, traits={"plan": "gold", "address": {"city": "Graz"}, "tags": ["b2b"]}))
    new = ledger(touch(START_MS + 1, traits={"plan": None, "vip": True}))
    assert holds('traits.plan = "gold" and traits.address.city = "Graz"', old)
    assert holds("traits.plan is unknown and traits.vip", old, new)
    assert holds("traits.plan is unknown", new, old)
    assert holds('traits.tags contains "b2b"', old)
    assert holds("traits.plan.city is unknown and traits.nothing is unknown", old)


def test_consent_is_true_false_or_unknown_and_a_denied_purpose_denies_its_channels():
    yes = ledger(touch(START_MS, context={"consent": {"ads": {"email": True}}}))
    no = ledger(touch(START_MS, context={"consent": {"ads": False}}))
    assert holds("consent.ads/email = true and consent.ads is unknown", yes)
    assert holds("consent.ads/email = false and not consent.ads", yes, no)
    assert holds("consent.ads/sms = false", no)
    assert holds("consent.post is unknown and consent.post != true", yes)


def test_an_identifier_is_the_one_seen_last():
    result = ledger(
        touch(START_MS, identifiers=["user_id:1", "email:old@x.org"]),
        touch(START_MS + 1, identifiers=["user_id:1", "email:new@x.org"]),
    )
    assert holds('identifier.email = "new@x.org" and identifier.email contains "@x.org"', result)
    assert holds("identifier.email is unknown and identifier.user_id is known", ledger(touch(START_MS)))


def test_a_score_falls_below_a_mark_at_a_boundary_of_its_buckets_and_not_before():
    result, now = [ledger(bought(START_MS, 100))], START_MS + 1
    current, due_ms = standing("score.engagement >= 25", result, now)
    assert current
    assert due_ms % DAY_MS == 0
    assert START_MS + 25 * DAY_MS < due_ms <= START_MS + 30 * DAY_MS
    assert standing("score.engagement > 60", result, now) == (False, FOREVER)
    assert standing("score.engagement >= -1", result, now) == (True, FOREVER)
    assert standing("score.engagement = 50", result, now) == (True, START_MS + DAY_MS)
    assert standing("score.engagement is known", result, now) == (True, FOREVER)
    assert standing("score.taste > 1", result, now) == (False, FOREVER)
    tasted = [ledger(touch(START_MS, "like"), bought(START_MS, 100))]
    assert standing("score.taste > 1", tasted, now) == (False, START_MS + HOUR_MS)


def test_a_score_rises_as_lost_points_fade():
    result, now = [ledger(touch(START_MS, "join"), touch(START_MS, "leave"))], START_MS + 1
    current, due_ms = standing("score.engagement >= 10", result, now)
    assert not current
    assert START_MS + DAY_MS < due_ms <= START_MS + 2 * DAY_MS
    assert standing("score.engagement > 21", result, now) == (False, FOREVER)
    assert standing("score.engagement < -40", result, now) == (False, FOREVER)


def test_a_score_that_does_not_fade_is_never_due():
    result, now = [ledger(touch(START_MS, "join"))], START_MS + 1
    assert standing("score.engagement >= 20", result, now) == (True, FOREVER)
    mixed = [ledger(touch(START_MS, "join"), touch(START_MS, "leave"))]
    assert standing("score.engagement > -20", mixed, now) == (True, FOREVER)


def test_a_score_is_due_when_an_occurrence_is_so_old_that_it_counts_no_more():
    """Dropping an occurrence is a step: 2,000 points with a half-life of 14 days are worth 23 when dropped."""
    slow = ScoreRules(
        scores=(ScoreRule(name="look", points=2000, filter=Filter(events=("look",)), half_life_ms=14 * DAY_MS),)
    )
    plan, result = Plan((), Scores(slow).counted), Ledger()
    apply_touch(plan, result, touch(START_MS))
    made = Segments(SegmentRules(segments=(SegmentRule(name="a", when="score.engagement >= 19"),)), AGGREGATES, slow)
    now = START_MS + 93 * DAY_MS
    assert states(made, [result], now) == {"a": (True, START_MS + 94 * DAY_MS)}
    assert states(made, [result], START_MS + 94 * DAY_MS) == {"a": (False, FOREVER)}
    anchors = [Ledger(), Ledger(), Ledger()]
    for anchor, day in zip(anchors, (1, 0, 2), strict=True):
        apply_touch(plan, anchor, touch(START_MS + day * DAY_MS))
    several = Segments(SegmentRules(segments=(SegmentRule(name="a", when="score.engagement >= 60"),)), AGGREGATES, slow)
    assert states(several, anchors, now) == {"a": (True, START_MS + 94 * DAY_MS)}
    apply_touch(plan, result, touch(START_MS + 60 * DAY_MS))
    _, due_ms, _ = made.evaluate([result], START_MS + 95 * DAY_MS)["a"]
    assert due_ms <= START_MS + 154 * DAY_MS


def test_segments_are_evaluated_after_those_they_read():
    made = segments(top="segment.middle and segment.base", middle="not segment.base", base="orders >= 1")
    assert made.names == ("base", "middle", "top")
    result = [ledger(bought(START_MS, 1))]
    assert list(made.evaluate(result, START_MS)) == ["base", "middle", "top"]
    assert {name: current for name, (current, _, _) in made.evaluate(result, START_MS).items()} == {
        "base": True, "middle": False, "top": False,
    }  # fmt: skip
    assert made.holds("base", result, START_MS)
    assert states(segments(a="segment.b = false", b="last_touch > 1 d"), result, START_MS)["a"] == (
        True, START_MS + DAY_MS + 1,
    )  # fmt: skip


def test_only_what_a_change_affects_is_evaluated():
    made = segments(
        buyers="orders >= 1", warm="score.engagement >= 40", silent="last_touch > 9 d", named="traits.name is known",
        reachable="consent.ads and identifier.email is known", best="segment.buyers and segment.warm",
    )  # fmt: skip

    def affected(*keys: str) -> tuple[set[str], set[str]]:
        enter, leave = turned(made, *keys)
        return set(enter), set(leave)

    assert affected("count:orders") == ({"buyers", "best"}, set())
    assert affected(given_key("engagement"), "sum:spent") == ({"best"}, set())
    assert made.watch_bits.mask_of_bits(made.watch_bits.score_bits) == made.mask_of(["warm"])
    assert affected(taken_key("engagement")) == (set(), {"warm", "best"})
    assert affected("touch") == (set(), {"silent"})
    assert affected("traits", "consent") == ({"named", "reachable"}, {"named", "reachable"})
    assert affected("identifiers") == ({"reachable"}, {"reachable"})
    assert affected("count:visits", "taste") == (set(), set())
    assert made.evaluate([], START_MS, 0) == {}
    assert set(made.evaluate([], START_MS)) == set(made.names)
    assert made.mask_of(["buyers", "unheard_of"]) == made.mask_of(["buyers"])


def test_which_way_a_booking_can_turn_a_condition_follows_its_signs():
    made = segments(
        few="orders < 3", quiet="not score.engagement >= 40", seen="last_touch <= 9 d", exactly="orders = 2",
        known="orders is known", base="orders >= 1", upon="not segment.base", equal="segment.base = true",
        either="orders >= 5 or orders < 2",
    )  # fmt: skip

    def affected(key: str) -> tuple[list[str], list[str]]:
        return turned(made, key)

    assert affected("count:orders") == (
        ["base", "either", "equal", "exactly", "known"], ["either", "equal", "exactly", "few", "upon"],
    )  # fmt: skip
    assert affected(given_key("engagement")) == ([], ["quiet"])
    assert affected(taken_key("engagement")) == (["quiet"], [])
    assert affected("touch") == (["seen"], [])


def test_the_lists_of_masks_are_bounded(monkeypatch):
    monkeypatch.setattr(module, "_MAX_MASKS", 2)
    made = segments(a="orders >= 1", b="orders >= 2", c="orders >= 3")
    for mask in (1, 2, 3, 4, 5, 1):
        assert len(made.evaluate([], START_MS, mask)) == mask.bit_count()


WRONG = [
    ("ordrs >= 1", 0, "there is no ordrs", "did you mean orders?"),
    ("visits >= 1", 0, "visits is not kept for a lifetime", "visits over one of 1 h"),
    ("visits over 24 h >= 1", 0, "visits is not kept in buckets that 1 d could be read from", "it is kept over 1 h"),
    ("first_buy over 5 d > 1 d", 0, "first_buy is not kept in buckets", "it is kept for a lifetime only"),
    ("orders over 91 d >= 1", 0, "no window is 91 d long", "from 1 min to 90 d"),
    ("orders over 5 s >= 1", 0, "no window is 5 s long", "from 1 min to 90 d"),
    ("orders over 1500 ms >= 1", 0, "finer than windows", "whole minutes"),
    ("orders.total >= 1", 0, "orders is a number and has no total", "write orders"),
    ("spent >= 1", 0, "spent is money", "write spent.EUR"),
    ("spent.eur >= 1", 0, "eur is not a currency", "write EUR"),
    ("spent.points >= 1", 0, "points is not a currency", "such as EUR"),
    ("last_buy.x > 1 d", 0, "last_buy is a span of time and has no x", "write last_buy"),
    ("spent.EUR.x >= 1", 0, "spent is a number and has no x", "write spent"),
    ("spent.EUR >= 1.234", 13, "1.234 EUR is no amount", "round it"),
    ("spent.EUR >= '5'", 13, "a number and cannot be compared with a text", "without quotes"),
    ("basket >= 1", 0, "basket has the parts p50, p90, p99", "write basket.p50"),
    ("basket.p95 >= 1", 0, "basket has the parts p50, p90, p99", "write basket.p50"),
    ("last_buy >= 31", 12, "a span of time", "write a unit, as in 31 d"),
    ("score.engagment >= 1", 0, "there is no score engagment", "did you mean engagement?"),
    ("score >= 1", 0, "score needs the name of a score", "engagement or taste"),
    ("score.taste over 5 d >= 1", 0, "score.taste is not kept over windows", "score.taste without over 5 d"),
    ("score.taste >= 'x'", 15, "a number and cannot be compared with a text", "without quotes"),
    ("traits = 1", 0, "traits needs the name of a trait", "traits.plan"),
    ("consent", 0, "consent needs the name of a purpose", "consent.marketing/email"),
    ("identifier is known", 0, "identifier needs the name of a type", "identifier.email"),
    ("identifier.phone is known", 0, "there is no identifier type phone", "email or user_id"),
    ("identifier.email.x is known", 0, "there is no identifier type email.x", "did you mean email?"),
    ("first_touch.page = 'x'", 0, "first_touch has no page", "campaign or channel"),
    ("segment", 0, "segment needs the name of a segment", "write tried"),
    ("segment.other", 0, "there is no segment other", "write tried"),
    ("segment.tried = 1", 16, "true or false and cannot be compared with a number", "= true"),
]  # fmt: skip


@pytest.mark.parametrize(("when", "position", "message", "instead"), WRONG, ids=[case[0] for case in WRONG])
def test_what_means_nothing_under_the_rules_is_refused_at_its_place(when, position, message, instead):
    with pytest.raises(SegmentError, match="segment 'tried': ") as caught:
        segments(tried=when)
    error = caught.value.error
    assert (error.position, message in error.message, instead in error.instead) == (position, True, True), error


def test_every_type_of_identifier_is_taken_where_none_is_declared():
    assert Vocabulary(AGGREGATES, SCORES).resolve(("identifier", "anything"), None).kind == "text"


def test_a_vocabulary_without_segments_evaluates_every_membership_as_false():
    vocabulary = Vocabulary(AGGREGATES, SCORES, segments=("a",))
    assert vocabulary.resolve(("segment", "a"), None).read(Facts([], START_MS)) is False


def test_every_segment_with_a_mistake_is_reported_and_cycles_are_named():
    rules = SegmentRules(
        segments=(
            SegmentRule(name="a", when="orders >= 1"), SegmentRule(name="b", when="nothing"),
            SegmentRule(name="c", when="segment.d"),
        )
    )  # fmt: skip
    assert [(error.place, error.error.position) for error in segment_errors(rules, AGGREGATES, SCORES)] == [
        (1, 0), (2, 0),
    ]  # fmt: skip
    with pytest.raises(SegmentError, match="'b': segments name each other in a circle: b -> c -> d -> b; leave one"):
        segments(a="segment.b", b="not segment.c", c="segment.d and orders >= 1", d="segment.b or segment.d")
    with pytest.raises(SegmentError, match="in a circle: a -> a"):
        segments(a="not segment.a")


def test_rules_that_cannot_be_are_refused_where_they_are_made():
    with pytest.raises(ValueError, match="write = for equality"):
        SegmentRule(name="a", when="orders == 1")
    with pytest.raises(ValueError, match="'a' is there twice"):
        SegmentRules(segments=(SegmentRule(name="a", when="x"), SegmentRule(name="a", when="y")))
