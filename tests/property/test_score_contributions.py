"""Contributions sum exactly to scores, and scores do not depend on arrival order or division into ledgers."""

import math
import random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pipeline.event.duration import DAY_MS, HOUR_MS
from pipeline.profile.booking import Plan
from pipeline.profile.filter import Filter
from pipeline.profile.ledger import Ledger, decode_ledger, encode_ledger, merge
from pipeline.profile.messages import Touch
from pipeline.profile.row import FOREVER
from pipeline.score.rules import ScoreRule
from pipeline.score.scorer import Scores
from tests.property.profile_histories import ANCHORS, SCORES, START_MS, folded, histories

LONG = (
    ScoreRule(
        name="loyal", points=17, filter=Filter(events=("Buy", "Open")), half_life_ms=150 * DAY_MS, group="browse"
    ),
    ScoreRule(name="known", points=9, filter=Filter(channels=("pos",)), half_life_ms=90 * DAY_MS, max_occurrences=3),
    ScoreRule(name="grudge", points=-30, filter=Filter(events=("Leave",)), half_life_ms=365 * DAY_MS, max_points=70),
)
"""Half-lives with occurrences that are also counted by the week."""
MAX_EVALUATIONS = 12
SCORER = Scores(msgspec.structs.replace(SCORES, scores=(*SCORES.scores, *LONG)))
PLAN = Plan((), SCORER.counted)
LATER = st.one_of(st.integers(0, 150 * DAY_MS), st.integers(300 * DAY_MS, 1_200 * DAY_MS))


def apart(history: list[Touch]) -> list[Ledger]:
    return [folded(PLAN, [t for t in history if t.anchor == anchor]) for anchor in ANCHORS]


def newest(history: list[Touch]) -> int:
    return max((t.timestamp_ms for t in history), default=START_MS)


@given(histories(), LATER, st.randoms(use_true_random=False))
def test_contributions_sum_exactly_to_the_score_in_any_order(
    history: list[Touch], later_ms: int, chance: random.Random
) -> None:
    ledgers, as_of_ms = apart(history), newest(history) + later_ms
    values = SCORER.values(ledgers, as_of_ms)
    for score in SCORER.read(ledgers, as_of_ms):
        points = [contribution.points for contribution in score.contributions]
        chance.shuffle(points)
        assert sum(points) == math.fsum(points) == score.value == values[score.name]


@given(histories(), LATER)
def test_a_score_is_the_same_over_many_ledgers_and_over_their_merge(history: list[Touch], later_ms: int) -> None:
    as_of_ms = newest(history) + later_ms
    whole = Ledger()
    for part in apart(history):
        whole = merge(whole, decode_ledger(encode_ledger(part)))
    assert SCORER.read(apart(history), as_of_ms) == SCORER.read([whole], as_of_ms)
    assert SCORER.read(apart(history)[::-1], as_of_ms) == SCORER.read([whole], as_of_ms)


@given(histories(), LATER, LATER)
def test_without_negative_rules_a_score_only_falls_as_time_passes(history: list[Touch], one: int, other: int) -> None:
    ledgers = apart([t for t in history if t.name != "Leave"])
    start_ms = newest(history)
    sooner, later = sorted((start_ms + one, start_ms + other))
    for name in SCORER.names():
        assert SCORER.values(ledgers, later)[name] <= SCORER.values(ledgers, sooner)[name]


@given(histories(), LATER, st.floats(1, 120), st.lists(st.integers(0, 2 * DAY_MS), max_size=4))
def test_an_outlook_never_promises_too_much(history: list[Touch], later_ms: int, mark: float, waits: list[int]) -> None:
    ledgers, as_of_ms = apart(history), newest(history) + later_ms
    for name in SCORER.names():
        trajectory = SCORER.trajectory(name, ledgers, as_of_ms)
        outlook, value, due_ms = trajectory.outlook, trajectory.outlook.value(), trajectory.due_ms((mark,))
        assert value == SCORER.values(ledgers, as_of_ms)[name]
        for wait_ms in [*waits, min(due_ms - as_of_ms - 1, 2_000 * DAY_MS)]:
            then = SCORER.values(ledgers, as_of_ms + wait_ms)[name]
            if as_of_ms + wait_ms < due_ms:
                assert (then >= mark) is (value >= mark)
            if outlook.headroom(mark) > 0:
                assert then < mark


@given(histories(), LATER, st.floats(1, 120))
def test_a_crossing_is_computed_and_not_polled(history: list[Touch], later_ms: int, mark: float) -> None:
    """Without negative rules: where gains and losses nearly cancel out, a score stays close to a threshold for days."""
    ledgers, at_ms = apart([t for t in history if t.name != "Leave"]), newest(history) + later_ms
    is_above = SCORER.values(ledgers, at_ms)["engagement"] >= mark
    for _ in range(MAX_EVALUATIONS):
        at_ms = SCORER.trajectory("engagement", ledgers, at_ms).due_ms((mark,))
        if at_ms >= FOREVER or (SCORER.values(ledgers, at_ms)["engagement"] >= mark) is not is_above:
            return
    raise AssertionError(at_ms)


@given(histories(limit=12), st.floats(1, 120), st.integers(0, 3 * HOUR_MS))
def test_a_mark_out_of_reach_stays_so_until_enough_points_are_given(
    history: list[Touch], mark: float, gap_ms: int
) -> None:
    seen = history[: len(history) // 2]
    before = SCORER.trajectory("engagement", apart(seen), newest(history)).outlook
    headroom = before.headroom(mark)
    ledgers, given_ = apart(seen), 0
    for touch in history[len(history) // 2 :]:
        ledger = ledgers[ANCHORS.index(touch.anchor)]
        given_ += PLAN.book(ledger, touch)[0]
        if given_ < headroom:
            assert SCORER.values(ledgers, newest(history) + gap_ms)["engagement"] < mark
