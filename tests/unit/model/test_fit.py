"""Fitting finds the published estimates, and what simulated customers were made of; what it cannot find it says."""

import math
from collections.abc import Callable
from itertools import groupby
from random import Random
from typing import Any

import numpy as np
import pytest

from pipeline.model.errors import FitError
from pipeline.model.estimate import MIN_REPEAT_BUYERS, _maximise, fit_bgnbd, fit_gamma_gamma
from pipeline.model.export import Export
from pipeline.model.fit import Ask, currency_of, fit_model
from pipeline.model.holdout import correlation, evaluate
from pipeline.model.likelihood import Floats, bgnbd_likelihood, gamma_gamma_likelihood
from pipeline.profile.kinds.pairs import Pairs
from pipeline.profile.kinds.purchases import PURCHASES, purchases_of
from pipeline.profile.rfm import Summary, summary_of, until
from pipeline.score.bgnbd import chance_alive
from tests.acceptance import cdnow
from tests.support import simulated_shop
from tests.support.cdnow_sample import (
    CALIBRATION_DAY,
    PUBLISHED_BGNBD,
    PUBLISHED_GAMMA_GAMMA,
    PUBLISHED_LOG_LIKELIHOOD,
    WEEK_DAYS,
    published_customers,
    sample_customers,
)

START_DAY, DAYS = 20_000, 540


def nothing() -> None:
    """No bar."""


def cell_of(orders: list[tuple[int, int, str]]) -> Pairs:
    cell: Pairs = []
    for day, amount_minor, _ in orders:
        lifted = PURCHASES.lift(amount_minor, day * 86_400_000, "")
        cell = PURCHASES.add(cell, lifted) if cell else lifted
    return cell


def summary_on(history: Pairs, day: int) -> Summary | None:
    purchases = purchases_of(until(history, day))
    return None if purchases is None else summary_of(purchases, day)


@pytest.fixture(scope="module")
def sample() -> list[Summary]:
    """The calibration sample, from the purchase log through the kind and the summary that production uses."""
    log = sorted(cdnow.purchases(), key=lambda item: (item.customer, item.line))
    cells = {
        who: cell_of([(item.day_ms // 86_400_000, cdnow.cents(item), "USD") for item in own])
        for who, own in groupby(log, key=lambda item: item.customer)
    }
    result = [summary_on(cells[who], CALIBRATION_DAY) for who in sample_customers()]
    return [summary for summary in result if summary is not None]


@pytest.fixture(scope="module")
def shop() -> list[Pairs]:
    return [cell_of(orders) for orders in simulated_shop.shop(11, 4_000, START_DAY, DAYS).values()]


def test_the_summaries_of_the_sample_are_the_published_ones(sample: list[Summary]) -> None:
    published = published_customers()
    assert len(sample) == len(published) == 2_357
    for ours, theirs in zip(sample, published, strict=True):
        assert ours.frequency == theirs.frequency
        assert ours.recency_days / WEEK_DAYS == pytest.approx(theirs.recency, abs=0.00501)
        assert ours.age_days / WEEK_DAYS == pytest.approx(theirs.age, abs=0.00501)
        assert ours.monetary_minor / 100 == pytest.approx(theirs.monetary, abs=0.00501)


def test_bgnbd_on_the_sample_is_the_published_estimate(sample: list[Summary]) -> None:
    bg_nbd = fit_bgnbd(sample, nothing)
    weekly = {"r": bg_nbd.r, "alpha": bg_nbd.alpha / WEEK_DAYS, "a": bg_nbd.a, "b": bg_nbd.b}
    assert {name: round(value, 3) for name, value in weekly.items()} == PUBLISHED_BGNBD


def test_the_likelihood_at_the_published_estimate_is_the_published_one(sample: list[Summary]) -> None:
    rows = np.array([(s.frequency, s.recency_days / WEEK_DAYS, s.age_days / WEEK_DAYS) for s in sample])
    value, _ = bgnbd_likelihood(np.log(list(PUBLISHED_BGNBD.values())), rows, np.ones(len(rows)))
    assert value == pytest.approx(PUBLISHED_LOG_LIKELIHOOD, abs=0.05)


def test_gamma_gamma_on_the_sample_is_the_published_estimate_and_no_less_likely(sample: list[Summary]) -> None:
    """The note's spreadsheet stops at v = 15.44, a hundredth before the top; p and q agree as they are printed."""
    assert sum(summary.frequency > 0 for summary in sample) == 946
    gamma_gamma = fit_gamma_gamma(sample, nothing)
    assert (round(gamma_gamma.p, 2), round(gamma_gamma.q, 2)) == (
        PUBLISHED_GAMMA_GAMMA["p"],
        PUBLISHED_GAMMA_GAMMA["q"],
    )
    assert gamma_gamma.v / 100 == pytest.approx(PUBLISHED_GAMMA_GAMMA["v"], abs=0.01)

    rows = np.array([(s.frequency, s.monetary_minor) for s in sample if s.frequency])
    ours, theirs = (
        gamma_gamma_likelihood(np.log([p, q - 1, v]), rows, np.ones(len(rows)))[0]
        for p, q, v in ((gamma_gamma.p, gamma_gamma.q, gamma_gamma.v), (6.25, 3.74, 1_544.0))
    )
    assert ours >= theirs


@pytest.mark.parametrize(
    ("likelihood", "rows", "at"),
    [
        (bgnbd_likelihood, [(0, 0, 30), (0, 0, 0), (3, 12, 30), (40, 300, 301)], [-0.5, 3.0, -0.2, 0.9]),
        (gamma_gamma_likelihood, [(1, 12.5), (3, 80.0), (40, 31.0)], [1.8, 1.0, 2.7]),
    ],
)
def test_the_slope_is_that_of_the_likelihood(
    likelihood: Callable[..., tuple[float, Floats]], rows: Any, at: list[float]
) -> None:
    theta, table, weights = np.array(at), np.array(rows, dtype=np.float64), np.arange(1.0, len(rows) + 1)
    _, slope = likelihood(theta, table, weights)
    for place in range(len(at)):
        step = np.zeros(len(at))
        step[place] = 1e-6
        rise = likelihood(theta + step, table, weights)[0] - likelihood(theta - step, table, weights)[0]
        assert slope[place] == pytest.approx(rise / 2e-6, rel=1e-5, abs=1e-6)


def test_what_simulated_customers_are_made_of_is_found_again(shop: list[Pairs]) -> None:
    summaries = [summary for history in shop if (summary := summary_on(history, START_DAY + DAYS))]
    buying, spend = fit_bgnbd(summaries, nothing), fit_gamma_gamma(summaries, nothing)
    truth, money = simulated_shop.TRUTH, simulated_shop.SPEND
    assert buying.r / buying.alpha == pytest.approx(truth.r / truth.alpha, rel=0.1)
    assert buying.a / (buying.a + buying.b) == pytest.approx(truth.a / (truth.a + truth.b), rel=0.15)
    mean = money.p * money.v / (money.q - 1)
    assert spend.p * spend.v / (spend.q - 1) == pytest.approx(mean, rel=0.05)


def test_on_the_hold_out_the_model_beats_what_needs_no_model(shop: list[Pairs]) -> None:
    holdout = evaluate(shop, START_DAY + DAYS, 90, nothing)
    came = [
        sum(START_DAY + DAYS - 90 < day <= START_DAY + DAYS for day, _ in history)
        for history in shop
        if history[0][0] <= START_DAY + DAYS - 90
    ]
    assert (holdout.customers, holdout.purchases) == (len(came), sum(came))
    model = holdout.predictors.pop("model")
    assert model.total == pytest.approx(holdout.purchases, rel=0.1)
    assert holdout.spent_predicted_minor == pytest.approx(holdout.spent_minor, rel=0.15)
    for other in holdout.predictors.values():
        assert model.root_mean_square_error < other.root_mean_square_error
        assert model.correlation > other.correlation
    assert holdout.predictors["everyone_equal"].correlation == 0


def test_the_predictors_without_a_model_equal_their_definitions() -> None:
    """150 customers of three kinds, each kind the same: the errors are sums that fit on a line."""
    kinds = [[(0, 100), (40, 100), (80, 300)], [(0, 100), (95, 200)], [(50, 100), (60, 100), (85, 100), (98, 400)]]
    histories = [[[day, [amount, 1]] for day, amount in kind] for kind in kinds for _ in range(50)]
    holdout = evaluate(histories, 100, 10, nothing)
    assert (holdout.customers, holdout.purchases, holdout.spent_minor) == (150, 100, 50 * 600)
    # Known by day 90: x = 2 in 90 days, 0 in 90, 2 in 40. On days 81 to 90: none (80 is too old), none, one.
    # On days 91 to 100 came none, one, one.
    own, period, equal = (holdout.predictors[name] for name in ("own_rate", "last_period", "everyone_equal"))
    assert own.mean_absolute_error == pytest.approx((20 / 90 + 1 + 1 - 20 / 40) / 3)
    assert period.mean_absolute_error == pytest.approx((0 + 1 + 0) / 3)
    assert period.root_mean_square_error == pytest.approx((1 / 3) ** 0.5)
    assert period.total == 50
    assert equal.total == pytest.approx(150 * 10 * 4 / 220)


def test_equal_histories_make_equal_versions_whenever_they_are_fitted(shop: list[Pairs]) -> None:
    export = Export(START_DAY + DAYS, len(shop), {"EUR": shop[:1_500]})
    one, other = (fit_model(export, Ask("purchases", "EUR", 30, 0), at_ms, nothing) for at_ms in (1, 2))
    assert one.version == other.version
    assert one.fitted_at_ms != other.fitted_at_ms
    longer = fit_model(export, Ask("purchases", "EUR", 60, 0), 1, nothing)
    assert longer.version != one.version
    facts = one.calibration
    assert (facts.customers, facts.as_of_day, facts.first_day) == (1_500, START_DAY + DAYS, START_DAY)
    assert facts.notes == ()


def test_a_model_notes_the_limits_of_its_accuracy(shop: list[Pairs]) -> None:
    dependent = [[[day, [100 * len(history) ** 2, 1]] for day, _ in history] for history in shop[:1_500]]
    export = Export(START_DAY + DAYS, len(dependent), {"EUR": dependent})
    model = fit_model(export, Ask("purchases", "EUR", 30, 0), 1, nothing)
    assert model.calibration.value_correlation > 0.3
    assert "expected_value_minor is biased" in model.calibration.notes[0]
    assert model.calibration.notes[-1].startswith("v at the edge of the range that is searched")

    chance = Random(7)
    uneven = [[[day, [int(100 * chance.paretovariate(0.6)), 1]] for day, _ in history] for history in shop[:1_500]]
    export = Export(START_DAY + DAYS, len(uneven), {"EUR": uneven})
    model = fit_model(export, Ask("purchases", "EUR", 30, 0), 1, nothing)
    assert any("do not rely on expected_value_minor" in note for note in model.calibration.notes)


def test_a_model_less_accurate_than_a_simple_predictor_notes_it(shop: list[Pairs]) -> None:
    """A shop that closed 200 days before the end: silent customers stay silent."""
    closed_day = START_DAY + DAYS - 200
    histories = [left for history in shop if (left := until(history, closed_day))]
    export = Export(START_DAY + DAYS, len(histories), {"EUR": histories})
    model = fit_model(export, Ask("purchases", "EUR", 30, 60), 1, nothing)
    assert "on the hold-out last_period was closer than the model (root mean square error)" in model.calibration.notes


def test_a_shop_without_churn_is_fitted() -> None:
    chance, summaries = Random(3), []
    for _ in range(1_500):
        rate, days = chance.gammavariate(1.0, 1 / 20), [0.0]
        while days[-1] < 365:
            days.append(days[-1] + chance.expovariate(rate))
        x = len(days) - 2
        summaries.append(Summary(x, int(days[-2]), 365, 1_000 * x, x + 1, 1_000 * (x + 1)))
    bg_nbd = fit_bgnbd(summaries, nothing)
    assert (bg_nbd.r, bg_nbd.alpha) == (pytest.approx(1.0, rel=0.1), pytest.approx(20, rel=0.15))
    assert chance_alive(bg_nbd, 10, 200, 365) > 0.999


def test_a_likelihood_without_a_top_is_not_taken_for_one() -> None:
    table = np.ones((3, 2))
    with pytest.raises(FitError, match="no maximum of the likelihood was found"):
        _maximise(lambda *_: (math.nan, np.zeros(2)), table, 2, nothing)
    with pytest.raises(FitError, match="no maximum of the likelihood was found"):
        _maximise(lambda *_: (0.0, np.ones(2)), table, 2, nothing)


def test_too_few_repeat_buyers_are_reported_with_the_number_needed() -> None:
    once = [Summary(0, 0, 100, 0, 1, 500)] * 1_000
    twice = [Summary(1, 10 + number, 100, 500, 2, 1_000) for number in range(MIN_REPEAT_BUYERS)]
    with pytest.raises(FitError, match="99 repeat buyers: at least 100 are needed"):
        fit_bgnbd(once + twice[1:], nothing)
    free = [Summary(1, 10, 100, 0, 2, 500)] * 500
    with pytest.raises(FitError, match="99 repeat buyers with money above 0: at least 100 are needed"):
        fit_gamma_gamma(free + twice[1:], nothing)
    fit_bgnbd(once + twice, nothing)


def test_a_hold_out_longer_than_the_history_is_refused(shop: list[Pairs]) -> None:
    with pytest.raises(FitError, match="no customer bought before the hold-out of 600 days"):
        evaluate(shop, START_DAY + DAYS, 600, nothing)


def test_without_a_choice_the_currency_of_most_customers_is_fitted() -> None:
    some: list[Pairs] = [[[1, [5, 1]]]]
    assert currency_of(Export(1, 3, {"USD": some, "EUR": some * 2})) == "EUR"
    assert currency_of(Export(1, 2, {"USD": some, "EUR": some})) == "EUR"
    with pytest.raises(FitError, match="no customer has bought in GBP; the export has: USD"):
        fit_model(Export(1, 1, {"USD": some}), Ask("purchases", "GBP", 30, 0), 1, nothing)


def test_what_never_varies_is_correlated_with_nothing() -> None:
    assert correlation(np.ones(3), np.arange(3.0)) == 0
    assert correlation(np.arange(3.0), np.ones(3)) == 0
    assert correlation(np.array([]), np.array([])) == 0
    assert correlation(np.arange(3.0), -np.arange(3.0)) == pytest.approx(-1)
