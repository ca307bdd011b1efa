"""Renewals ahead, in closed form, against the plain sum that they stand for."""

from __future__ import annotations

import math
import warnings

import mpmath
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbdataops.ltv import BGBB, LtvInputError, ShiftedBetaGeometric, contracts_from_survivors
from nbdataops.ltv.contractual.expected_renewals import expected_renewals

SHAPES = st.sampled_from([1e-3, 0.05, 0.657, 1.0, 3.0, 40.0, 500.0])


def one_by_one(a: float, b: float, horizon: int, force: float) -> float:
    worth, parts = 1.0, []
    for j in range(horizon):
        worth *= (b + j) / (a + b + j) * math.exp(-force)
        parts.append(worth)
    return math.fsum(parts)


@given(
    SHAPES, SHAPES, st.sampled_from([0, 1, 7, 100, 101, 350, 5000]), st.sampled_from([0.0, 1e-4, 0.02, 0.7])
)
def test_any_horizon_is_the_sum_over_its_occasions(a: float, b: float, horizon: int, force: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (found,) = expected_renewals(a, np.array([b]), horizon, force)

    assert found == pytest.approx(one_by_one(a, b, horizon, force), rel=1e-9)


@pytest.mark.parametrize(("a", "b"), [(0.657, 8.783), (0.05, 0.2), (3.0, 1.0), (40.0, 500.0)])
@pytest.mark.parametrize("force", [1e-6, 1e-3, 0.1])
def test_for_good_it_is_the_hypergeometric_series(a: float, b: float, force: float) -> None:
    with mpmath.workdps(40):
        worth = mpmath.exp(-mpmath.mpf(force))
        expected = worth * b / (a + b) * mpmath.hyp2f1(1, b + 1, a + b + 1, worth)

    assert expected_renewals(a, np.array([b]), math.inf, force)[0] == pytest.approx(float(expected), rel=1e-9)


def test_for_good_without_a_discount_is_an_error_of_both_models() -> None:
    contracts = contracts_from_survivors([100, 63.1, 46.8, 38.2])
    donors = pd.DataFrame({"x": [2], "t_x": [4], "T": [6]})
    models = (
        (ShiftedBetaGeometric.with_parameters(alpha=0.7, beta=1.2), contracts),
        (BGBB.with_parameters(alpha=1.2, beta=0.75, gamma=0.66, delta=2.8), donors),
    )

    for model, data in models:
        with pytest.raises(LtvInputError, match="infinite"):
            model.expected_periods(data, math.inf) if data is contracts else model.expected_transactions(
                data, math.inf
            )
