"""The average of BG/NBD against the hypergeometric function in 60 digits."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

from nbdataops.ltv.attrition.beta_mean import mean_purchases_until_leaving

CASES = [
    # shape, c, a, b
    (0.24, 5.0, 0.79, 2.4),
    (0.24, 1e-6, 0.79, 2.4),
    (0.24, 500.0, 0.79, 2.4),
    (2.24, 3.0, 1.5, 5.0),
    (132.3, 0.05, 0.8, 135.0),
    (133.3, 0.05, 0.8, 136.0),
    (1500.0, 0.2, 0.8, 1503.0),
    (3.0, 1.0, 30.0, 2.0),
    (0.3, 0.7, 0.011, 10.0),
    (0.5, 2.0, 0.3, 0.2),
]


@pytest.mark.parametrize(("shape", "c", "a", "b"), CASES)
def test_it_agrees_with_the_closed_form(shape: float, c: float, a: float, b: float) -> None:
    ours = mean_purchases_until_leaving(np.array([shape]), np.array([c]), a, np.array([b]))[0]
    with mp.workdps(60):
        r, c_, a_, b_ = (mp.mpf(v) for v in (shape, c, a, b))
        inside = mp.hyp2f1(r, a_ - 1, a_ + b_ - 1, -c_)  # the closed form after Pfaff's transformation
        exact = (a_ + b_ - 1) / (a_ - 1) * (1 - inside)
        assert abs(mp.mpf(float(ours)) / exact - 1) < 1e-10


@pytest.mark.parametrize("shape", [0.3, 40.0])
def test_it_is_smooth_where_the_closed_form_divides_by_zero(shape: float) -> None:
    def at(a: float, b: float) -> float:
        return float(mean_purchases_until_leaving(np.array([shape]), np.array([2.0]), a, np.array([b]))[0])

    assert at(1.0, 2.0) == pytest.approx((at(1 - 1e-5, 2.0) + at(1 + 1e-5, 2.0)) / 2, rel=1e-8)
    assert at(0.4, 0.6) == pytest.approx((at(0.4, 0.6 - 1e-5) + at(0.4, 0.6 + 1e-5)) / 2, rel=1e-8)


def test_nobody_leaves_when_the_leaving_probability_is_next_to_nothing() -> None:
    bought = mean_purchases_until_leaving(np.array([5.0]), np.array([0.4]), 1e-6, np.array([1e6]))[0]
    assert bought == pytest.approx(5.0 * 0.4, rel=1e-6)  # the rate times the time


def test_fifty_thousand_purchases_overflow_nothing() -> None:
    bought = mean_purchases_until_leaving(np.array([5e4]), np.array([0.1, 50.0]), 0.8, np.array([5e4]))
    assert np.isfinite(bought).all()
    assert 0 < bought[0] < bought[1]
