"""Conditions on predictions of the deployed model."""

from pathlib import Path

import pytest

from pipeline.condition.due import FOREVER
from pipeline.event.duration import DAY_MS
from pipeline.profile.apply import apply_touch
from pipeline.profile.booking import Plan
from pipeline.profile.ledger import Ledger
from pipeline.profile.rules import AggregateRule, AggregateRules
from pipeline.rules.load import check_rules
from pipeline.rules.model_file import save_model
from pipeline.score.forecast import Forecaster
from pipeline.score.rules import ScoreRules
from pipeline.segment.rules import SegmentRule, SegmentRules
from pipeline.segment.segments import Segments
from tests.unit.model.test_file import MODEL
from tests.unit.segment.test_segments import bought

DAYS = (9_862, 9_900, 9_930)
BOUGHT = AggregateRule(name="purchases", kind="purchases", field="amount")


def segments(when: str) -> Segments:
    rules, aggregates = SegmentRules(segments=(SegmentRule(name="tried", when=when),)), (BOUGHT,)
    return Segments(rules, AggregateRules(aggregates=aggregates), ScoreRules(), forecast=Forecaster(MODEL))


def customer() -> list[Ledger]:
    ledger, plan = Ledger(), Plan((BOUGHT,), ())
    for day in DAYS:
        apply_touch(plan, ledger, bought(day * DAY_MS + 5_000, 2_000, "USD"))
    return [ledger]


def test_a_prediction_is_due_every_midnight_and_changes_on_the_day_of_the_model():
    requested, at_ms, looks = segments("prediction.churn_risk >= 0.5"), DAYS[-1] * DAY_MS + 5_000, 0
    forecast, ledgers = Forecaster(MODEL), customer()
    inside, due_ms, _ = requested.evaluate(ledgers, at_ms)["tried"]
    while not inside:
        assert due_ms == (at_ms // DAY_MS + 1) * DAY_MS
        assert forecast.numbers(ledgers, due_ms - 1)["churn_risk"] < 0.5
        at_ms, looks = due_ms, looks + 1
        inside, due_ms, _ = requested.evaluate(ledgers, at_ms)["tried"]
    assert forecast.numbers(ledgers, at_ms)["churn_risk"] >= 0.5
    assert looks > 30


def test_a_profile_without_orders_has_no_prediction_and_no_due_time():
    result = segments("prediction.expected_value_minor >= 0")
    assert result.evaluate([], 0)["tried"][:2] == (False, FOREVER)
    assert result.evaluate(customer(), DAYS[-1] * DAY_MS + 5_000)["tried"].inside


def test_an_order_evaluates_the_condition_again():
    waiting = segments("prediction.expected_purchases > 1").watch_bits
    assert waiting.bits_of_keys([BOUGHT.key])
    assert not waiting.bits_of_keys(["traits", "touch"])


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ("prediction.churn > 0.5", "nothing predicts churn; did you mean churn_risk?"),
        ("prediction > 0.5", "prediction needs the name of what is predicted"),
        ("prediction.rfm.x > 0.5", "prediction.rfm is a number and has no x"),
    ],
)
def test_what_is_not_predicted_is_refused(tmp_path: Path, when: str, message: str):
    save_model(tmp_path / "model.json", MODEL)
    (tmp_path / "segments.yaml").write_text(f"segments: [{{name: leaving, when: {when}}}]\n", encoding="utf-8")
    _, (problem,) = check_rules(tmp_path)
    assert message in str(problem)


def test_a_prediction_needs_a_model_beside_the_rules(tmp_path: Path):
    rules = "segments: [{name: leaving, when: prediction.churn_risk > 0.5}]\n"
    (tmp_path / "segments.yaml").write_text(rules, encoding="utf-8")
    _, (problem,) = check_rules(tmp_path)
    assert str(problem).startswith(str(tmp_path / "segments.yaml"))
    assert "there is no model to predict by; put model.json, as written by stitchline model fit" in str(problem)
    save_model(tmp_path / "model.json", MODEL)
    assert check_rules(tmp_path)[1] == []
