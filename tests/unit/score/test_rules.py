import itertools

import pytest

from pipeline.event.duration import DAY_MS, HOUR_MS
from pipeline.profile.booking import Plan
from pipeline.profile.filter import Filter
from pipeline.profile.ledger import Ledger
from pipeline.profile.messages import Touch
from pipeline.profile.ports import Contribution
from pipeline.profile.row import FOREVER
from pipeline.score.decay import weights
from pipeline.score.rules import ScoreGroup, ScoreRule, ScoreRules
from pipeline.score.scorer import CAP, Scores
from tests.property.profile_histories import START_MS, folded, touch

HOUR0 = START_MS - START_MS % DAY_MS


def opens(*hours: int, name: str = "Open") -> list[Touch]:
    return [touch(n, HOUR0 - START_MS + hour * HOUR_MS, name=name) for n, hour in enumerate(hours)]


def read(rules: ScoreRules, history: list[Touch], as_of_ms: int) -> tuple[float, tuple[Contribution, ...]]:
    scorer = Scores(rules)
    ledger: Ledger = folded(Plan((), scorer.counted), history)
    score = scorer.read_one("engagement", [ledger], as_of_ms)
    return score.value, score.contributions


def one(**rule: object) -> ScoreRules:
    given = {"name": "open", "points": 8, "filter": Filter(events=("Open",)), "half_life_ms": DAY_MS} | rule
    return ScoreRules(scores=(ScoreRule(**given),))  # type: ignore[arg-type]


def test_points_halve_with_every_half_life() -> None:
    assert [read(one(), opens(0), HOUR0 + days * DAY_MS)[0] for days in range(4)] == [8, 4, 2, 1]


def test_points_count_in_full_within_the_hour_they_were_given_in() -> None:
    assert read(one(), opens(0), HOUR0 + HOUR_MS - 1)[0] == 8
    assert 7.7 < read(one(), opens(0), HOUR0 + HOUR_MS)[0] < 8


def test_a_half_life_above_two_weeks_ages_by_the_day() -> None:
    rules = one(half_life_ms=30 * DAY_MS)
    assert read(rules, opens(23), HOUR0 + DAY_MS - 1)[0] == 8
    assert read(rules, opens(0), HOUR0 + 30 * DAY_MS)[0] == 4


def test_points_without_a_half_life_never_fade() -> None:
    assert read(one(half_life_ms=0), opens(0, 1), HOUR0 + 5000 * DAY_MS)[0] == 16


def test_of_more_occurrences_than_the_cap_the_newest_count() -> None:
    rules = one(max_occurrences=2)
    value, (contribution,) = read(rules, opens(0, 24, 24, 48), HOUR0 + 48 * HOUR_MS)
    assert (value, contribution.occurrences) == (8 + 4, 4)
    assert read(one(max_occurrences=3, half_life_ms=0), opens(0, 1, 2, 3), HOUR0 + DAY_MS)[0] == 24
    assert read(one(max_occurrences=9), opens(0, 24), HOUR0 + 24 * HOUR_MS)[0] == 12
    assert read(rules, opens(0), HOUR0 + 94 * DAY_MS)[0] == 0
    assert read(one(max_occurrences=1, half_life_ms=20 * DAY_MS), opens(0, 1), HOUR0)[0] == 8


@pytest.mark.parametrize(("half_life_d", "counts_for_d"), [(14, 94), (60, 400), (61, 4900), (180, 4900), (730, 4900)])
def test_an_occurrence_counts_until_less_than_a_hundredth_of_its_points_is_left(half_life_d: int, counts_for_d: int):
    rules = one(points=200, half_life_ms=half_life_d * DAY_MS)
    week0_ms = HOUR0 - HOUR0 % (7 * DAY_MS)  # the age of a week is that of its first day
    history = opens((week0_ms - HOUR0) // HOUR_MS)
    at_the_end = read(rules, history, week0_ms + counts_for_d * DAY_MS - 1)[0]
    assert read(rules, history, week0_ms + counts_for_d * DAY_MS)[0] == 0
    assert at_the_end < 0.01 * 200
    if half_life_d in {14, 60, 730}:
        assert at_the_end > 0.009 * 200


def test_a_score_with_a_long_half_life_goes_on_fading_when_its_days_are_gone() -> None:
    rules = one(points=200, half_life_ms=180 * DAY_MS)
    by_age = {days: read(rules, opens(0), HOUR0 + days * DAY_MS)[0] for days in (180, 399, 400, 407, 720, 1080)}
    assert round(by_age[399], 1) == 43.0
    for days, value in by_age.items():
        continuous = 200 * 2 ** (-days / 180)
        assert continuous * 2 ** (-6 / 180) - 0.001 <= value <= continuous + 0.001


def test_long_silence_of_many_days_falls_step_by_step_and_never_rises() -> None:
    rules = one(half_life_ms=90 * DAY_MS)
    history = opens(*range(0, 24 * 40, 17))
    values = [read(rules, history, HOUR0 + days * DAY_MS)[0] for days in range(40, 900)]
    assert values == sorted(values, reverse=True)
    assert all(later >= earlier * 2 ** (-7 / 90) - 0.1 for earlier, later in itertools.pairwise(values))


def test_a_half_life_that_occurrences_are_not_kept_for_is_refused() -> None:
    with pytest.raises(ValueError, match="write 730 d or less, or 0 for points that never fade"):
        one(half_life_ms=731 * DAY_MS)


def test_a_rule_adds_no_more_than_its_cap_and_a_negative_one_takes_no_more() -> None:
    assert read(one(max_points=10), opens(0, 0, 0), HOUR0)[0] == 10
    assert read(one(max_points=10, points=-8), opens(0, 0, 0), HOUR0)[0] == -10


def test_a_groups_cap_is_a_contribution_of_its_own() -> None:
    rules = ScoreRules(
        scores=(
            ScoreRule(name="open", points=8, filter=Filter(events=("Open",)), group="mail"),
            ScoreRule(name="any", points=5, group="mail"),
        ),
        groups=(ScoreGroup(name="mail", max_points=10),),
    )
    value, contributions = read(rules, opens(0), HOUR0)
    assert value == 10
    assert contributions == (
        Contribution("open", "mail", 8.0, 1),
        Contribution("any", "mail", 5.0, 1),
        Contribution(CAP, "mail", -3.0, 0),
    )


def test_a_changed_half_life_reads_what_was_counted_before() -> None:
    hourly, daily = Scores(one()), Scores(one(half_life_ms=20 * DAY_MS))
    ledger = folded(Plan((), hourly.counted), opens(0))
    Plan((), daily.counted).book(ledger, opens(0)[0])
    assert daily.values([ledger], HOUR0) == {"engagement": 16.0}


def test_weights_never_rise_with_age() -> None:
    for half_life_ms in (HOUR_MS, 7 * DAY_MS):
        table = weights(half_life_ms, "hours")
        assert list(table) == sorted(table, reverse=True)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"points": 0}, "gives 0 points"),
        ({"max_occurrences": -1}, "caps are written as positive"),
        ({"max_points": -1}, "caps are written as positive"),
        ({"half_life_ms": HOUR_MS - 1}, "below an hour"),
        ({"group": "nowhere"}, "declare it under groups"),
        ({"name": ""}, "has no name"),
    ],
)
def test_an_invalid_rule_is_refused(rule: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        one(**rule)


def test_a_group_needs_a_cap_and_a_name_of_its_own() -> None:
    with pytest.raises(ValueError, match="max_points above 0"):
        ScoreGroup(name="g", max_points=0)
    with pytest.raises(ValueError, match="there twice"):
        ScoreRules(groups=(ScoreGroup(name="g", max_points=1), ScoreGroup(name="g", max_points=2)))


def test_a_score_of_rules_that_never_fade_never_falls_below_a_mark() -> None:
    scorer = Scores(one(half_life_ms=0))
    ledger = folded(Plan((), scorer.counted), opens(0, 1, 2))
    assert scorer.trajectory("engagement", [ledger], HOUR0).due_ms((10,)) == FOREVER


@pytest.mark.parametrize(("half_life_ms", "days"), [(60 * DAY_MS, 399), (365 * DAY_MS, 4890), (730 * DAY_MS, 4890)])
def test_occurrences_that_are_forgotten_at_their_age_are_due_then(half_life_ms: int, days: int) -> None:
    scorer = Scores(one(half_life_ms=half_life_ms, points=100_000))
    ledger = folded(Plan((), scorer.counted), opens(0))
    trajectory = scorer.trajectory("engagement", [ledger], HOUR0 + days * DAY_MS)
    due_ms = trajectory.due_ms((1,))
    assert trajectory.outlook.value() > 1
    assert scorer.values([ledger], due_ms - 1)["engagement"] > 1
    assert scorer.values([ledger], due_ms)["engagement"] == 0
