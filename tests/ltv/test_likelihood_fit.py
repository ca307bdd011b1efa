from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

from nbdataops.errors import StageError
from nbdataops.ltv import BGNBD, GammaGamma, NotConvergedError, ParetoNBD
from nbdataops.ltv.fit.likelihood_fit import CONVERGED, maximise

from .shops import equal_leaving_shop, pareto_shop


def bowl(theta: np.ndarray) -> tuple[float, np.ndarray]:
    """A log-likelihood with its peak at (2, 30)."""
    off = np.log(theta) - np.log([2.0, 30.0])
    return float(-100 * (off**2).sum()), -200 * off / theta


def test_an_interior_peak_is_found_with_its_errors() -> None:
    result, _ = maximise(bowl, ("one", "two"), [(1.0, 1.0), (50.0, 50.0)], 100.0)
    assert result.parameters == pytest.approx({"one": 2.0, "two": 30.0})
    assert result.converged
    assert result.identified
    assert result.gradient_norm < CONVERGED
    assert result.starts == 2
    assert result.condition_number == pytest.approx(1)
    # the information in the logarithm is 200
    assert result.standard_errors == pytest.approx(
        {"one": 2 / np.sqrt(200), "two": 30 / np.sqrt(200)}, rel=1e-5
    )


def test_a_warm_start_far_from_the_new_peak_still_finds_it() -> None:
    def elsewhere(theta: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = bowl(theta / 1000)
        return value, gradient / 1000

    warm = maximise(bowl, ("one", "two"), [(1.0, 1.0)], 100.0)[1]
    result, _ = maximise(elsewhere, ("one", "two"), [(1.0, 1.0)], 100.0, warm)
    assert result.parameters == pytest.approx({"one": 2000.0, "two": 30_000.0})
    assert result.converged


def test_a_ridge_is_a_result_that_names_its_parameters() -> None:
    def ridge(theta: np.ndarray) -> tuple[float, np.ndarray]:
        off = np.log(theta[0] * theta[1])
        return float(-100 * off**2), -200 * off / theta

    result, _ = maximise(ridge, ("one", "two"), [(3.0, 1.0)], 100.0)
    assert result.converged
    assert not result.identified
    assert "one, two" in result.reason


def test_a_likelihood_without_a_peak_stops_at_the_limit_and_says_which() -> None:
    def rising(theta: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = bowl(np.array([theta[0], 30.0]))
        return value + float(np.log(theta[1])), np.array([gradient[0], 1 / theta[1]])

    result, _ = maximise(rising, ("one", "two"), [(1.0, 1.0)], 100.0)
    assert result.converged
    assert not result.identified
    assert "two ran to its upper limit" in result.reason


def test_a_likelihood_that_is_never_finite_raises() -> None:
    with pytest.raises(NotConvergedError, match="not finite"):
        maximise(lambda theta: (float("nan"), np.full(1, np.nan)), ("one",), [(1.0,)], 1.0)


def test_a_likelihood_with_a_wrong_gradient_raises_rather_than_answers() -> None:
    with pytest.raises(NotConvergedError, match="gradient"):
        maximise(lambda theta: (bowl(theta)[0], -bowl(theta)[1]), ("one", "two"), [(1.0, 1.0)], 100.0)


def test_everybody_leaving_at_one_rate_is_a_ridge_of_pareto_nbd_and_not_of_bg_nbd() -> None:
    shop = equal_leaving_shop(1000, leaving=0.01)
    pareto = ParetoNBD().fit(shop)
    assert pareto.fit_result_.converged
    assert not pareto.fit_result_.identified
    assert "s" in pareto.fit_result_.reason
    # the ratio is determined although its parts are not, and so is the forecast
    assert pareto.s_ / pareto.beta_ == pytest.approx(0.01, rel=0.2)
    assert np.isfinite(pareto.expected_transactions(shop, 50)).all()
    assert BGNBD().fit(shop).fit_result_.identified


def test_a_warm_start_on_a_ridge_finds_the_same_likelihood() -> None:
    shop = equal_leaving_shop(600, leaving=0.01)
    weights = np.random.default_rng(2).poisson(1, len(shop))
    cold = ParetoNBD().fit(shop, sample_weight=weights)
    warm = ParetoNBD(warm_start=True).fit(shop).fit(shop, sample_weight=weights)
    assert warm.fit_result_.log_likelihood == pytest.approx(cold.fit_result_.log_likelihood, abs=1e-3)


@pytest.mark.parametrize("cls", [BGNBD, ParetoNBD])
def test_customers_who_never_came_back_determine_nothing(cls: type[BGNBD] | type[ParetoNBD]) -> None:
    once = pd.DataFrame({"x": 0, "t_x": 0.0, "T": np.arange(1.0, 51.0)})
    model = cls().fit(once)
    assert not model.fit_result_.identified
    assert model.expected_transactions(once, 39).sum() < 1e-3


def test_spend_that_never_varies_determines_its_mean_only() -> None:
    same = pd.DataFrame({"x": [1, 2, 3, 4] * 10, "spend": 10.0})
    model = GammaGamma().fit(same)
    assert not model.fit_result_.identified
    assert "p ran to its upper limit" in model.fit_result_.reason
    np.testing.assert_allclose(model.expected_spend(same), 10.0, rtol=1e-3)


def test_small_samples_end_in_a_verdict_not_in_a_failure() -> None:
    shop = pareto_shop(40, seed=5)
    rng = np.random.default_rng(0)
    verdicts = []
    for _ in range(12):
        weights = rng.poisson(1, len(shop))
        for cls in (BGNBD, GammaGamma):
            result = cls().fit(shop, sample_weight=weights).fit_result_
            assert result.converged
            verdicts.append(result.identified)
    assert not all(verdicts)


def test_the_error_is_one_of_ours_and_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(NotConvergedError("what", todo="do")))
    assert isinstance(error, StageError)
    assert isinstance(error, RuntimeError)
    assert error.todo == "do"
