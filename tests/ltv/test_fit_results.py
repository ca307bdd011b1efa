"""What `fit_result_` says holds for every model fitted by maximum likelihood."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import gammaln
from scipy.stats import norm

from nbdataops.ltv import MBGCNBD, LtvInputError, NotConvergedError
from nbdataops.ltv.fit.intervals import standard_deviation
from nbdataops.ltv.fit.likelihood_fit import CONVERGED
from nbdataops.ltv.fit.likelihood_model import LikelihoodModel
from nbdataops.ltv.fit.objective import Objective
from nbdataops.ltv.spend import log_spend
from nbdataops.ltv.spend.gamma_gamma import _expected

from .every_estimator import CASES, estimators, fitted

LIKELIHOODS = sorted(name for name, cls in estimators().items() if issubclass(cls, LikelihoodModel))
every_model = pytest.mark.parametrize("name", LIKELIHOODS)

pytestmark = pytest.mark.filterwarnings("error")


def objective(name: str) -> Objective:
    """The likelihood in the units of the data: LogSpend searches in standardised columns, but does not tell."""
    found: Objective = fitted(name).fit_result_._peak.objective
    if name != "LogSpend":
        return found
    rows = CASES[name].data()
    rows = rows[rows["x"] > 0]
    x = rows["x"].to_numpy(float)
    design = np.column_stack([np.ones(len(x)), np.log1p(x)])
    evaluate = partial(
        log_spend._log_likelihood, y=np.log(rows["spend"]), design=design, x=x, w=np.ones(len(x))
    )
    return Objective(evaluate, found.names, float(len(x)), ("intercept", "slope"))


def estimates(name: str) -> np.ndarray:
    return np.array(list(fitted(name).fit_result_.parameters.values()))


def test_every_likelihood_model_is_looked_at() -> None:
    assert len(LIKELIHOODS) == 10


@every_model
def test_the_log_likelihood_is_that_of_the_estimates(name: str) -> None:
    model, rows = fitted(name), CASES[name].data()
    constant = 0.0
    if name.endswith("CNBD"):  # the density of the times between purchases, which no parameter changes
        constant = (model.k_ - 1) * rows["litt"].sum() - gammaln(model.k_) * rows["x"].sum()
    value = objective(name).evaluate(estimates(name))[0]
    assert value + constant == pytest.approx(model.fit_result_.log_likelihood, rel=1e-12)


@every_model
def test_no_point_nearby_or_far_is_better(name: str) -> None:
    """The gradient may vanish at a saddle or be wrong: the value cannot be."""
    search, rng = objective(name), np.random.default_rng(1)
    at = search.u(estimates(name))
    best = search(at)[0]
    spread = np.sqrt(np.diag(fitted(name).fit_result_.covariance))
    for scale in (0.1, 1.0, 10.0):
        for _ in range(20):
            assert search(at + scale * spread * rng.standard_normal(len(at)))[0] > best


@every_model
def test_the_gradient_norm_is_that_of_differences_of_the_likelihood(name: str) -> None:
    result, search = fitted(name).fit_result_, objective(name)
    assert result.gradient_norm <= CONVERGED
    at = search.u(estimates(name))
    steps = np.eye(len(at)) * 1e-4
    slopes = [(search(at + step)[0] - search(at - step)[0]) / 2e-4 for step in steps]
    assert np.abs(slopes).max() < 1e-5


@every_model
def test_standard_errors_are_from_the_curvature_of_the_likelihood(name: str) -> None:
    result, search = fitted(name).fit_result_, objective(name)
    at, h = search.u(estimates(name)), 1e-3
    size = len(at)
    hessian = np.empty((size, size))
    for i in range(size):
        for j in range(size):  # of values alone, not of the gradient
            corners = 0.0
            for one in (1, -1):
                for two in (1, -1):
                    shift = np.zeros(size)
                    shift[i] += one * h
                    shift[j] += two * h
                    corners += one * two * search(at + shift)[0]
            hessian[i, j] = corners / (4 * h * h)
    covariance = np.linalg.inv(hessian) / search.total_weight
    np.testing.assert_allclose(np.diag(result.covariance), np.diag(covariance), rtol=5e-3)
    errors = np.sqrt(np.diag(covariance)) * search.slope(estimates(name))
    np.testing.assert_allclose(list(result.standard_errors.values()), errors, rtol=5e-3)


@every_model
def test_the_verdict_of_a_clear_peak_is_complete(name: str) -> None:
    result = fitted(name).fit_result_
    assert result.converged
    assert result.identified
    assert "clear peak" in result.reason
    assert 1 <= result.condition_number < 1e8
    assert result.starts >= 1
    assert result.iterations >= result.starts
    assert list(result.parameters) == list(fitted(name).parameter_names)
    np.testing.assert_allclose(result.covariance, result.covariance.T, rtol=1e-6, atol=1e-12)
    assert np.linalg.eigvalsh(result.covariance)[0] > 0
    real = fitted(name).real_parameters
    assert result.is_log == tuple(parameter not in real for parameter in result.parameters)


@every_model
def test_narrow_profile_intervals_are_those_of_the_standard_errors(name: str) -> None:
    """Close to the peak every likelihood is a parabola in the search's coordinates."""
    result, level = fitted(name).fit_result_, 0.02
    ends = result.profile_intervals(level)
    assert list(ends.index) == list(result.parameters)
    z = norm.ppf((1 + level) / 2)
    for j, (parameter, value) in enumerate(result.parameters.items()):
        deviation = np.sqrt(result.covariance[j, j])
        half = (ends.loc[parameter, "upper"] - ends.loc[parameter, "lower"]) / 2
        slope = value if result.is_log[j] else 1.0
        assert half == pytest.approx(z * deviation * slope, rel=0.02)
        assert ends.loc[parameter, "lower"] < value < ends.loc[parameter, "upper"]


@every_model
def test_what_is_pickled_keeps_every_number_but_the_profile(name: str) -> None:
    result = fitted(name).fit_result_
    again = pickle.loads(pickle.dumps(result))
    assert again == result
    np.testing.assert_array_equal(again.covariance, result.covariance)
    with pytest.raises(LtvInputError, match="no longer holds its data"):
        again.profile_intervals()


def test_a_result_keeps_the_likelihood_it_was_found_with() -> None:
    """A model that is fitted again with another regularity does not bend the profile of the fit before."""
    rows = CASES["MBGCNBD"].data()
    model = MBGCNBD(k=2).fit(rows)
    first, before = model.fit_result_, model.fit_result_.profile_intervals(0.9)
    model.set_params(k=4).fit(rows)
    pd.testing.assert_frame_equal(first.profile_intervals(0.9), before)


def _alike(frame: pd.DataFrame) -> pd.DataFrame:
    """Everybody does what the first repeater did."""
    repeater = frame[frame["x"] > 0].iloc[[0]] if "x" in frame.columns else frame.iloc[[0]]
    return pd.concat([repeater] * 60).set_axis(frame.index[:60])


@every_model
def test_customers_who_are_all_alike_have_no_intervals(name: str) -> None:
    """Neither a crash nor a number that looks fine, whatever the model."""
    case = CASES[name]
    rows = _alike(case.data())
    labels = case.labels()
    model = case.make()
    y = None if labels is None else pd.DataFrame({"value": 10.0}, index=rows.index)
    try:
        model.fit(rows, y)
    except (NotConvergedError, LtvInputError) as error:
        refusal = error
        assert refusal.todo
        return
    result = model.fit_result_
    assert not result.identified
    assert "ran to its" in result.reason or "determine" in result.reason
    ends = result.profile_intervals(0.9)
    inside = pd.Series(result.parameters)
    assert ((ends["lower"] <= inside) | ends["lower"].isna()).all()
    assert ((ends["upper"] >= inside) | ends["upper"].isna()).all()
    no_end = ~np.isfinite(ends["upper"]) | ~np.isfinite(ends["lower"]) | (ends["lower"] == 0)
    assert no_end.any()


INTERVALS: dict[str, Callable[[Any, pd.DataFrame], pd.DataFrame]] = {
    "GammaGamma": lambda m, d: m.expected_spend(d, interval=0.9),
    "LogSpend": lambda m, d: m.expected_spend(d, interval=0.9),
    "ShiftedBetaGeometric": lambda m, d: m.expected_periods(d, 4, interval=0.9),
    "ZeroInflatedLognormal": lambda m, d: m.lifetime_value(d, 4, interval=0.9),
}


@every_model
def test_intervals_of_predictions_are_nan_exactly_where_the_fit_says_so(name: str) -> None:
    """With almost no weight nothing is identified, although the estimates stay what they were."""
    case = CASES[name]
    rows, labels = case.data(), case.labels()
    model = case.make(**({"ridge": 1e-14} if name == "ZeroInflatedLognormal" else {}))
    model.fit(rows, labels, sample_weight=np.full(len(rows), 1e-12))
    assert not model.fit_result_.identified
    ask = INTERVALS.get(name, lambda m, d: m.expected_transactions(d, 4, interval=0.9))
    vague, sure = ask(model, rows), ask(fitted(name), rows)
    assert vague.iloc[:, 0].notna().all()
    assert vague[["lower", "upper"]].isna().all(axis=None)
    assert sure.notna().all(axis=None)
    assert (sure["lower"] <= sure["upper"]).all()


def test_an_expectation_that_is_infinite_close_by_has_no_interval() -> None:
    """Gamma-Gamma's population mean ends at q = 1: a deviation that looked past it would be far too small."""
    fit = fitted("GammaGamma").fit_result_
    near = replace(fit, parameters={**fit.parameters, "q": 1.00005})
    x, spend = np.array([0.0, 5.0]), np.array([0.0, 20.0])
    deviation = standard_deviation(lambda theta: _expected(theta, x, spend), near)
    assert np.isnan(deviation[0])
    assert 0 < deviation[1] < 1
    assert (standard_deviation(lambda theta: np.zeros(2), near) == 0).all()  # at its limit for certain
