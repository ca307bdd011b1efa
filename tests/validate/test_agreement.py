"""Lin's concordance and the limits of agreement, against figures worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbdataops.validate.agreement import concordance, limits_of_agreement


def test_concordance_of_a_shift_is_what_lins_formula_says() -> None:
    """cov = var = 2/3, gap 1: 2 * 2/3 / (2/3 + 2/3 + 1) = 4/7, though the correlation is 1."""
    assert float(concordance(np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 4.0]))) == pytest.approx(4 / 7)


def test_concordance_of_a_stretch_is_what_lins_formula_says() -> None:
    """means 2.5 and 5, var 1.25 and 5, cov 2.5: 5 / (1.25 + 5 + 6.25) = .4."""
    x = np.array([1.0, 2.0, 3.0, 4.0])
    assert float(concordance(x, 2 * x)) == pytest.approx(0.4)


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=3, max_size=9))
def test_concordance_is_symmetric_and_never_above_the_correlation(pairs: list[tuple[float, float]]) -> None:
    a, b = (np.array(column) for column in zip(*pairs, strict=True))
    if a.std() < 1e-3 or b.std() < 1e-3:
        return
    found = float(concordance(a, b))
    assert found == pytest.approx(float(concordance(b, a)))
    assert abs(found) <= abs(np.corrcoef(a, b)[0, 1]) + 1e-9


def test_two_equal_constants_have_no_concordance() -> None:
    assert np.isnan(concordance(np.ones(4), np.ones(4)))


def test_limits_of_agreement_are_the_mean_difference_and_two_standard_deviations() -> None:
    found = limits_of_agreement(np.array([1.0, 2.0, 3.0]), np.array([0.0, 2.0, 4.0]))
    assert (found.bias, found.lower, found.upper, found.mean) == pytest.approx((0.0, -1.96, 1.96, 2.0))
