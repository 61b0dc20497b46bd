import math
from typing import Any

import msgspec
import pytest

from pipeline.profile.apply import apply_touch
from pipeline.profile.booking import Plan
from pipeline.profile.filter import Condition, Filter
from pipeline.profile.ledger import Ledger
from pipeline.score.fit import grade
from pipeline.score.rules import FitRule, Grades, ScoreGroup, ScoreRule, ScoreRules
from pipeline.score.scorer import Scores
from tests.property.profile_histories import START_MS, touch

VIEW = ScoreRule(name="view", points=10, filter=Filter(events=("View",)))
LARGE = FitRule(name="large", points=60, where=(Condition(field="traits.employees", gte=250),), group="company")
NEAR = FitRule(name="near", points=30, where=(Condition(field="traits.country", one_of=("DE", "AT")),), group="company")
STUDENT = FitRule(name="student", points=-40, where=(Condition(field="traits.student", eq=True),))
RULES = ScoreRules(
    scores=(VIEW,),
    fit=(LARGE, NEAR, STUDENT),
    groups=(ScoreGroup(name="company", max_points=80),),
    grades=Grades(letters=(75, 50, 25), digits=(30, 20, 10)),
)
SCORER = Scores(RULES)


def ledger(views: int = 0, **traits: Any) -> Ledger:
    made = Ledger()
    apply_touch(Plan((), SCORER.counted), made, touch(0, 0, name="Stated", traits=traits))
    for number in range(views):
        apply_touch(Plan((), SCORER.counted), made, touch(number + 1, 0))
    return made


def test_fit_is_read_from_traits_with_contributions_that_sum_to_it() -> None:
    ledgers = [ledger(views=2, employees=300, country="DE"), ledger(student=True)]
    scores = {score.name: score for score in SCORER.read(ledgers, START_MS)}
    assert scores["fit"].value == 80 - 40
    assert [(c.rule, c.group, c.points) for c in scores["fit"].contributions] == [
        ("large", "company", 60.0), ("near", "company", 30.0), ("student", "", -40.0), ("cap", "company", -10.0),
    ]  # fmt: skip
    assert math.fsum(c.points for c in scores["fit"].contributions) == scores["fit"].value
    assert SCORER.values(ledgers, START_MS) == {"engagement": 20.0, "fit": 40.0}


def test_a_trait_that_changes_takes_its_points_along() -> None:
    older, newer = ledger(country="DE"), Ledger()
    apply_touch(Plan((), ()), newer, touch(9, 9, traits={"country": "FR"}))
    assert SCORER.values([older], START_MS)["fit"] == 30
    assert SCORER.values([older, newer], START_MS + 9)["fit"] == 0


def test_a_profile_without_traits_has_no_fit() -> None:
    assert SCORER.values([Ledger()], START_MS) == {"engagement": 0.0, "fit": 0.0}
    assert SCORER.trajectory("fit", [ledger(employees=999)], START_MS).outlook.value() == 60


@pytest.mark.parametrize(
    ("fit", "engagement", "expected"),
    [(75, 30, "A1"), (74.9, 29.9, "B2"), (25, 10, "C3"), (24, 0, "D4"), (-5, 99, "D1")],
)
def test_a_grade_combines_fit_and_engagement(fit: float, engagement: float, expected: str) -> None:
    assert RULES.grades is not None
    assert grade(RULES.grades, fit, engagement) == expected
    assert SCORER.grade({"fit": fit, "engagement": engagement}) == expected
    assert Scores(ScoreRules(scores=(VIEW,))).grade({"engagement": 1}) == ""


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: FitRule(name="x", points=0, where=LARGE.where), "gives 0 points"),
        (lambda: FitRule(name="x", points=1), "where of fit rule 'x' is missing"),
        (lambda: FitRule(name="x", points=1, where=(Condition(field="channel", eq="web"),)), "write traits."),
        (lambda: Grades(letters=(50, 50, 25)), "letters of grades are not in descending order"),
        (lambda: Grades(digits=(1, 2, 3)), "digits of grades are not in descending order"),
        (lambda: ScoreRules(scores=(VIEW,), fit=(FitRule(name="view", points=1, where=LARGE.where),)), "there twice"),
        (lambda: ScoreRules(fit=(LARGE,)), "declare it under groups"),
        (
            lambda: ScoreRules(scores=(VIEW,), fit=(msgspec.structs.replace(LARGE, score="engagement", group=""),)),
            "keep them apart",
        ),
        (lambda: ScoreRules(scores=(VIEW,), grades=Grades()), "no rule gives it points"),
    ],
)
def test_invalid_fit_rules_are_refused(made: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made()
