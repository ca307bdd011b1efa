"""Profile-likelihood intervals: where the best fit of all other parameters is just refuted."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from nbdataops.ltv import BGNBD, LtvInputError, ParetoNBD, rfm_cells
from nbdataops.ltv.fit.likelihood_fit import maximise

from .shops import equal_leaving_shop, pareto_shop

CHI_SQUARE_90 = 2.705543454095404


def test_an_end_is_where_twice_the_loss_of_log_likelihood_is_the_chi_square_quantile(
    cdnow: pd.DataFrame,
) -> None:
    model = BGNBD().fit(cdnow)
    cells = rfm_cells(cdnow)
    ends = model.fit_result_.profile_intervals(0.9)
    best = np.array(list(model.fit_result_.parameters.values()))
    for j, name in enumerate(model.parameter_names):
        for side in ("lower", "upper"):
            fixed = ends.loc[name, side]

            def loss(others: np.ndarray, j: int = j, fixed: float = fixed) -> float:
                theta = np.insert(np.exp(others), j, fixed)
                return -model._log_likelihood(theta, cells, cells.counts())[0]

            found = minimize(
                loss,
                np.log(np.delete(best, j)),
                method="Nelder-Mead",
                options={"maxiter": 4000, "xatol": 1e-7, "fatol": 1e-7},
            )
            fallen = 2 * (found.fun + model.fit_result_.log_likelihood)
            assert fallen == pytest.approx(CHI_SQUARE_90, abs=2e-3)


def test_an_interval_holds_the_estimate_and_grows_with_its_level(cdnow: pd.DataFrame) -> None:
    result = ParetoNBD().fit(cdnow).fit_result_
    narrow, wide = result.profile_intervals(0.5), result.profile_intervals(0.99)
    estimate = pd.Series(result.parameters)
    assert (wide.lower < narrow.lower).all()
    assert (narrow.lower < estimate).all()
    assert (estimate < narrow.upper).all()
    assert (narrow.upper < wide.upper).all()


def test_with_many_customers_it_is_that_of_the_standard_errors() -> None:
    result = BGNBD().fit(pareto_shop(200_000)).fit_result_
    ends = result.profile_intervals(0.9)
    for name, error in result.standard_errors.items():
        half = 1.6448536 * error
        assert ends.loc[name, "upper"] - ends.loc[name, "lower"] == pytest.approx(2 * half, rel=0.02)


def test_on_a_ridge_the_side_without_an_end_is_infinite() -> None:
    result = ParetoNBD().fit(equal_leaving_shop(1000, leaving=0.01)).fit_result_
    ends = result.profile_intervals(0.9)
    assert not result.identified
    assert ends.loc["s", "upper"] == np.inf
    assert ends.loc["beta", "upper"] == np.inf
    assert 0 < ends.loc["r", "lower"] < ends.loc["r", "upper"] < np.inf


def test_a_parameter_alone_needs_no_others() -> None:
    def poisson(theta: np.ndarray) -> tuple[float, np.ndarray]:
        return float(30 * np.log(theta[0]) - 10 * theta[0]), np.array([30 / theta[0] - 10])

    ends = maximise(poisson, ("rate",), [(1.0,)], 10.0)[0].profile_intervals(0.9)
    for end in ends.loc["rate"]:
        assert 2 * (poisson(np.array([3.0]))[0] - poisson(np.array([end]))[0]) == pytest.approx(
            CHI_SQUARE_90, rel=1e-3
        )


def test_a_real_parameter_may_have_an_interval_over_zero() -> None:
    def normal(theta: np.ndarray) -> tuple[float, np.ndarray]:
        return float(-50 * (theta[0] - 0.01) ** 2), np.array([-100 * (theta[0] - 0.01)])

    ends = maximise(normal, ("mean",), [(1.0,)], 100.0, real=("mean",))[0].profile_intervals(0.9)
    np.testing.assert_allclose(ends.loc["mean"], [0.01 - 0.16448536, 0.01 + 0.16448536], rtol=1e-3)


@pytest.mark.parametrize("level", [0, 1, 90, -0.1, True, "0.9", None])
def test_a_level_outside_of_zero_and_one_is_refused(level: object, cdnow: pd.DataFrame) -> None:
    with pytest.raises(LtvInputError, match="level between 0 and 1"):
        BGNBD().fit(cdnow).fit_result_.profile_intervals(level)


def test_a_pickled_fit_keeps_its_numbers_and_says_that_its_data_are_gone(cdnow: pd.DataFrame) -> None:
    model = BGNBD().fit(cdnow)
    again = pickle.loads(pickle.dumps(model))
    assert again.fit_result_ == model.fit_result_
    pd.testing.assert_series_equal(
        again.expected_transactions(cdnow, 9), model.expected_transactions(cdnow, 9)
    )
    assert len(pickle.dumps(model)) < 5_000
    with pytest.raises(LtvInputError, match="no longer holds its data"):
        again.fit_result_.profile_intervals()
