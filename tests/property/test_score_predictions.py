"""Predictions: within bounds for every history, monotonic, and equal all day and on every worker."""

from fractions import Fraction
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.event.duration import DAY_MS
from pipeline.profile.kinds.purchases import Purchases
from pipeline.profile.rfm import RfmEdges
from pipeline.score.bgnbd import BgNbd, chance_alive, chance_of_purchase, expected_purchases
from pipeline.score.gamma_gamma import GammaGamma, expected_value
from pipeline.score.prediction import (
    Calibration,
    PredictionModel,
    decode_model,
    encode_model,
    predict,
    prediction_due_ms,
    with_version,
)

SLACK = 1e-9
"""Relative: what rounding may add up to where two values are equal but for it."""
PARAMETERS = st.builds(
    BgNbd,
    r=st.floats(0.01, 20),
    alpha=st.floats(0.5, 2_000),
    a=st.floats(0.01, 50),
    b=st.floats(0.01, 50),
)
SPENDS = st.builds(GammaGamma, p=st.floats(0.01, 100), q=st.floats(1.01, 100), v=st.floats(1, 1e7))
EDGES = st.lists(st.integers(0, 10**6), min_size=4, max_size=4).map(sorted).map(tuple)


@st.composite
def customers(draw: st.DrawFn, most_days: int = 4_000) -> tuple[int, int, int]:
    """(x, recency, age) in days: no more repeat purchase days than days, the last of them on the recency day."""
    age = draw(st.integers(0, most_days))
    recency = draw(st.integers(0, age))
    return (draw(st.integers(1, recency)) if recency else 0), recency, age


@st.composite
def models(draw: st.DrawFn) -> PredictionModel:
    days_since: Any
    days_since, orders, total_minor = draw(EDGES), draw(EDGES), draw(EDGES)
    return with_version(
        PredictionModel(
            aggregate="purchases",
            currency="EUR",
            fitted_at_ms=draw(st.integers(0, 2**50)),
            horizon_days=draw(st.integers(1, 400)),
            purchases=draw(PARAMETERS),
            spend=draw(SPENDS),
            rfm=RfmEdges(days_since=days_since, orders=orders, total_minor=total_minor),
            calibration=Calibration(
                customers=1, repeat_buyers=1, first_day=1, as_of_day=1, value_correlation=0.0, notes=()
            ),
        )
    )


@st.composite
def facts(draw: st.DrawFn) -> Purchases:
    x, recency, _ = draw(customers())
    orders = draw(st.integers(x + 1, 10 * (x + 1)))
    first_day = draw(st.integers(0, 40_000))
    repeat_minor = draw(st.integers(-(10**9), 10**12)) if x else 0
    return Purchases(first_day, first_day + recency, x + 1, orders, draw(st.integers(-(10**9), 10**12)), repeat_minor)


@given(PARAMETERS, customers(), st.integers(0, 2_000))
def test_the_longer_the_silence_the_less_likely_alive_and_the_less_to_expect(
    model: BgNbd, customer: tuple[int, int, int], longer: int
) -> None:
    x, recency, age = customer
    now, later = (chance_alive(model, x, recency, at) for at in (age, age + longer))
    assert 0 <= later <= now <= 1
    now, later = (expected_purchases(model, x, recency, at, 30) for at in (age, age + longer))
    assert 0 <= later <= now * (1 + SLACK)
    now, later = (chance_of_purchase(model, x, recency, at, 30) for at in (age, age + longer))
    assert 0 <= later <= now * (1 + SLACK)


@given(PARAMETERS, customers(), st.integers(0, 4_000))
def test_the_later_the_last_purchase_the_more_likely_alive(
    model: BgNbd, customer: tuple[int, int, int], sooner: int
) -> None:
    x, recency, age = customer
    earlier = min(sooner, recency)
    assert chance_alive(model, x, earlier, age) <= chance_alive(model, x, recency, age)


@given(PARAMETERS, customers(), st.integers(0, 400), st.integers(0, 400))
def test_expected_purchases_rise_with_the_horizon_up_to_those_of_a_permanent_customer(
    model: BgNbd, customer: tuple[int, int, int], ahead: int, longer: int
) -> None:
    x, recency, age = customer
    near, far = (expected_purchases(model, *customer, days) for days in (ahead, ahead + longer))
    assert near <= far * (1 + SLACK)
    forever = (model.r + x) / (model.alpha + age) * (ahead + longer)
    assert far <= forever * chance_alive(model, x, recency, age) * (1 + SLACK)
    chance = chance_of_purchase(model, *customer, ahead + longer)
    assert chance <= min(1.0, far * (1 + SLACK))


@given(SPENDS, st.integers(0, 5_000), st.floats(0, 1e9))
@example(GammaGamma(p=1.0, q=2.0, v=1.0), 0, 1.0)
def test_the_expected_value_lies_between_the_customers_mean_and_that_of_all(
    spend: GammaGamma, x: int, spent: float
) -> None:
    everybody = spend.p * spend.v / (spend.q - 1)
    own = spent / x if x else everybody
    minimum, limit = min(own, everybody), max(own, everybody)
    assert minimum * (1 - SLACK) <= expected_value(spend, x, spent) <= limit * (1 + SLACK)


@given(models(), facts(), st.integers(-1_000, 5_000), st.integers(0, DAY_MS - 1))
def test_a_prediction_is_on_the_grid_within_bounds_and_the_same_all_day(
    model: PredictionModel, purchases: Purchases, days_later: int, into_the_day_ms: int
) -> None:
    day = max(0, purchases.last_day + days_later)
    result = predict(model, purchases, day * DAY_MS)
    for name in ("churn_risk", "purchase_probability", "expected_purchases"):
        assert (Fraction(result[name]) * 1024).denominator == 1
        assert result[name] >= 0
    assert result["churn_risk"] <= 1
    assert result["purchase_probability"] <= 1
    assert isinstance(result["expected_value_minor"], int)
    assert result["expected_value_minor"] >= 0
    assert len(str(result["rfm"])) == 3
    assert set(str(result["rfm"])) <= set("12345")
    assert predict(model, purchases, day * DAY_MS + into_the_day_ms) == result
    assert prediction_due_ms(day * DAY_MS + into_the_day_ms) == (day + 1) * DAY_MS


@given(models())
def test_a_model_survives_its_file(model: PredictionModel) -> None:
    assert decode_model(encode_model(model)) == model
