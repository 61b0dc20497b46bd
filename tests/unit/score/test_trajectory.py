"""The computed moments at which a fading score crosses a threshold."""

from pipeline.event.duration import DAY_MS, HOUR_MS
from pipeline.profile.booking import Plan
from pipeline.profile.filter import Filter
from pipeline.score.rules import ScoreGroup, ScoreRule, ScoreRules
from pipeline.score.scorer import Scores
from tests.property.profile_histories import START_MS, folded, touch

HOUR0 = START_MS - START_MS % DAY_MS


def scorer(*, max_points: int = 0, lasting: int = 0) -> Scores:
    look = Filter(events=("Look",))
    rules = [ScoreRule(name="look", points=8, filter=look, half_life_ms=DAY_MS, max_points=max_points, group="g")]
    if lasting:
        rules.append(ScoreRule(name="kept", points=lasting, filter=look, half_life_ms=0))
    return Scores(ScoreRules(scores=tuple(rules), groups=(ScoreGroup(name="g", max_points=20),)))


def due_hours(scores: Scores, looks: int, threshold: float) -> int:
    history = [touch(number, HOUR0 - START_MS, name="Look") for number in range(looks)]
    trajectory = scores.trajectory("engagement", [folded(Plan((), scores.counted), history)], HOUR0)
    return (trajectory.due_ms((threshold,)) - HOUR0) // HOUR_MS


def test_a_share_halves_to_the_threshold_and_a_cap_holds_it_first() -> None:
    assert due_hours(scorer(), 1, 4) == 24
    assert due_hours(scorer(), 5, 20) == 24  # 40 points under a cap of 20
    assert due_hours(scorer(), 5, 10) == 48
    assert due_hours(scorer(max_points=10), 5, 5) == 72


def test_points_that_do_not_decay_keep_a_score_up() -> None:
    assert due_hours(scorer(lasting=-3), 1, 1) == 24
    assert due_hours(scorer(lasting=3), 1, 2) > 1_000_000
