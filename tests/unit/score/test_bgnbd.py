"""BG/NBD and gamma-gamma equal their published formulas and another package; series and quadrature agree."""

import math
from itertools import product

import pandas as pd
import pytest
from scipy.special import hyp2f1

from pipeline.score.bgnbd import BgNbd, _by_quadrature, _by_series, chance_alive, chance_of_purchase, expected_purchases
from pipeline.score.gamma_gamma import GammaGamma, expected_value
from tests.support.cdnow_sample import PUBLISHED_BGNBD, PUBLISHED_GAMMA_GAMMA, lifetimes_in_peace

CDNOW = BgNbd(**PUBLISHED_BGNBD)
SPEND = GammaGamma(**PUBLISHED_GAMMA_GAMMA)
CUSTOMERS = [
    (x, share * age if x else 0.0, age)
    for x, share, age in product((0, 1, 2, 5, 17, 60), (0.02, 0.5, 0.97, 1.0), (0.0, 1.0, 38.86, 400.0))
]
AHEAD = (0.1, 4.0, 39.0, 300.0)


def by_the_paper(model: BgNbd, x: int, recency: float, age: float, ahead: float) -> float:
    """Equation 10, term by term, with SciPy's hypergeometric function."""
    r, alpha, a, b = model.r, model.alpha, model.a, model.b
    z = ahead / (alpha + age + ahead)
    top = (a + b + x - 1) / (a - 1)
    top *= 1 - ((alpha + age) / (alpha + age + ahead)) ** (r + x) * hyp2f1(r + x, b + x, a + b + x - 1, z)
    gone = a / (b + x - 1) * ((alpha + age) / (alpha + recency)) ** (r + x) if x else 0.0
    return float(top / (1 + gone))


def test_expected_purchases_equal_the_published_equation() -> None:
    for customer, ahead in product(CUSTOMERS, AHEAD):
        result = expected_purchases(CDNOW, *customer, ahead)
        assert result == pytest.approx(by_the_paper(CDNOW, *customer, ahead), rel=1e-9), (customer, ahead)


def test_the_example_customer_of_the_authors_note_has_the_published_expectation() -> None:
    """Fader, Hardie, Lee: Implementing the BG/NBD Model ... in Excel, 2005: customer 1, the next 39 weeks."""
    assert expected_purchases(CDNOW, 2, 30.43, 38.86, 39.0) == pytest.approx(1.226, abs=0.0005)


def test_both_models_equal_lifetimes_on_a_grid() -> None:
    with lifetimes_in_peace() as lifetimes:
        buying = lifetimes.BetaGeoFitter()
        buying.params_ = pd.Series(PUBLISHED_BGNBD)
        spend = lifetimes.GammaGammaFitter()
        spend.params_ = pd.Series(PUBLISHED_GAMMA_GAMMA)
        for x, recency, age in CUSTOMERS:
            alive = float(buying.conditional_probability_alive(x, recency, age)[0])
            assert chance_alive(CDNOW, x, recency, age) == pytest.approx(alive, rel=1e-9, abs=1e-300)
            for ahead in AHEAD:
                shown = buying.conditional_expected_number_of_purchases_up_to_time(ahead, x, recency, age)
                ours = expected_purchases(CDNOW, x, recency, age, ahead)
                assert ours == pytest.approx(float(shown), rel=1e-8, abs=1e-300), (x, recency, age, ahead)
        for x, mean in product((1, 2, 9, 60), (0.5, 22.35, 400.0)):
            shown = spend.conditional_expected_average_profit(pd.Series([x]), pd.Series([mean]))
            assert expected_value(SPEND, x, x * mean) == pytest.approx(float(shown[0]), rel=1e-12)


def test_the_chance_of_a_purchase_is_that_of_a_simulated_gamma_rate() -> None:
    """P(no purchase | alive) is the mean of exp(-rate * ahead) over a gamma distributed rate, integrated here."""
    x, recency, age, ahead = 3, 20.0, 30.0, 10.0
    shape, scale = CDNOW.r + x, CDNOW.alpha + age
    step, none = 1e-5, 0.0
    for number in range(200_000):
        rate = (number + 0.5) * step
        density = math.exp((shape - 1) * math.log(rate) + shape * math.log(scale) - scale * rate - math.lgamma(shape))
        none += density * math.exp(-rate * ahead) * step
    expected = chance_alive(CDNOW, x, recency, age) * (1 - none)
    assert chance_of_purchase(CDNOW, x, recency, age, ahead) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("a", [1e-4, 0.3, 1.0, 1.0 + 1e-12, 2.0, 40.0, 1e6])
@pytest.mark.parametrize("b", [1e-4, 0.7, 3.0, 1e6])
def test_the_sum_and_the_integral_agree_also_where_the_published_form_divides_by_nothing(a: float, b: float) -> None:
    for shape, ratio in product((1e-4, 0.5, 3.0, 60.0), (1e-6, 0.3, 4.9)):
        result = _by_series(shape, ratio, a, b + 1)
        assert _by_quadrature(shape, ratio, a, b + 1) == pytest.approx(result, rel=1e-6), (shape, ratio)


def test_series_and_quadrature_agree_at_their_boundary() -> None:
    for x in (20, 5, 0):
        before, after = (expected_purchases(CDNOW, x, 0.9 * x, float(x), ahead) for ahead in (300.0, 300.0001))
        assert after == pytest.approx(before, rel=1e-5)
        assert after >= before


@pytest.mark.parametrize(
    "customer",
    [(0, 0, 0), (10**9, 0, 0), (10**9, 0, 10**9), (10**9, 10**9, 10**9), (1, 10**9, 10**9), (10**6, 1, 2)],
)
@pytest.mark.parametrize("ahead", [0, 1e-12, 30, 1e12])
@pytest.mark.parametrize("corner", list(product((1e-4, 1e9), repeat=4)))
def test_no_history_and_no_parameters_break_the_arithmetic(
    customer: tuple[int, int, int], ahead: float, corner: tuple[float, ...]
) -> None:
    for model in (CDNOW, BgNbd(**dict(zip(["r", "alpha", "a", "b"], corner, strict=True)))):
        expected = expected_purchases(model, *customer, ahead)
        assert math.isfinite(expected)
        assert expected >= 0
        assert 0 <= chance_alive(model, *customer) <= 1
        assert 0 <= chance_of_purchase(model, *customer, ahead) <= 1


def test_a_one_time_buyer_is_expected_to_spend_the_mean_of_all_customers() -> None:
    assert expected_value(SPEND, 0, 0.0) == pytest.approx(SPEND.p * SPEND.v / (SPEND.q - 1))
    assert expected_value(SPEND, 2, -50.0) == expected_value(SPEND, 2, 0.0) > 0


@pytest.mark.parametrize("wrong", [{"r": 0.0}, {"alpha": -1.0}, {"a": math.nan}, {"b": math.inf}])
def test_parameters_that_are_none_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"BG/NBD parameter {next(iter(wrong))}"):
        BgNbd(**(PUBLISHED_BGNBD | wrong))


@pytest.mark.parametrize("wrong", [{"p": 0.0}, {"q": 1.0}, {"v": math.nan}])
def test_spend_without_a_mean_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"gamma-gamma parameter {next(iter(wrong))}"):
        GammaGamma(**(PUBLISHED_GAMMA_GAMMA | wrong))
