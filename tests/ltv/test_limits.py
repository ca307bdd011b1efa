"""Models at the ends of their parameters are simpler ones, which can be written down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaln, gammaln

from nbdataops.ltv import (
    BGBB,
    BGCNBD,
    BGNBD,
    MBGCNBD,
    MBGNBD,
    GammaGamma,
    LogSpend,
    ParetoNBD,
    ShiftedBetaGeometric,
    rfm_cells,
)

from .shops import pareto_shop, summaries

TINY, HUGE = 1e-13, 1e13
shapes = st.sampled_from([0.01, 0.3, 0.9999, 1.0, 2.5, 40.0])
NOBODY_LEAVES: dict[str, Callable[..., Any]] = {
    "BG/NBD, a to 0": lambda r, alpha: BGNBD.with_parameters(r=r, alpha=alpha, a=TINY, b=2.0),
    "MBG/NBD, a to 0": lambda r, alpha: MBGNBD.with_parameters(r=r, alpha=alpha, a=TINY, b=2.0),
    "BG/NBD, b to infinity": lambda r, alpha: BGNBD.with_parameters(r=r, alpha=alpha, a=0.5, b=1e20),
    "Pareto/NBD, s to 0": lambda r, alpha: ParetoNBD.with_parameters(r=r, alpha=alpha, s=TINY, beta=20.0),
    "Pareto/NBD, beta to infinity": lambda r, alpha: ParetoNBD.with_parameters(
        r=r, alpha=alpha, s=0.6, beta=1e20
    ),
}


def by_row(model: Any, rfm: pd.DataFrame) -> np.ndarray:
    """The log-likelihood of every customer."""
    return np.array([model.score(rfm.iloc[[i]]) for i in range(len(rfm))])


@pytest.mark.parametrize("limit", NOBODY_LEAVES)
@settings(max_examples=15, deadline=None)
@given(r=shapes, alpha=shapes, data=st.data())
def test_where_nobody_leaves_purchases_are_negative_binomial(
    limit: str, r: float, alpha: float, data: st.DataObject
) -> None:
    rfm = data.draw(summaries(most=200))
    # any silence of somebody who comes often speaks for having left, however rare that is
    rfm = rfm[(rfm["x"] <= 200) & (rfm["t_x"] == rfm["T"])]
    if rfm.empty:
        return
    model = NOBODY_LEAVES[limit](r, alpha)
    x, T = rfm["x"], rfm["T"]
    exact = gammaln(r + x) - gammaln(r) - x * np.log(alpha + T) - r * np.log1p(T / alpha)
    np.testing.assert_allclose(by_row(model, rfm), exact, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(model.probability_alive(rfm), 1.0, rtol=1e-9)
    np.testing.assert_allclose(model.expected_transactions(rfm, 30.0), 30 * (r + x) / (alpha + T), rtol=1e-8)


@pytest.mark.parametrize(("cls", "plain"), [(BGCNBD, BGNBD), (MBGCNBD, MBGNBD)])
@settings(max_examples=20, deadline=None)
@given(rfm=summaries(), r=shapes, alpha=shapes, a=shapes, b=shapes)
def test_one_tick_a_purchase_is_the_irregular_model(
    cls: type, plain: type, rfm: pd.DataFrame, r: float, alpha: float, a: float, b: float
) -> None:
    theta = {"r": r, "alpha": alpha, "a": a, "b": b}
    one, other = cls.with_parameters(k=1, **theta), plain.with_parameters(**theta)
    assert one.score(rfm) == pytest.approx(other.score(rfm), rel=1e-14)
    pd.testing.assert_series_equal(one.probability_alive(rfm), other.probability_alive(rfm), rtol=1e-13)
    pd.testing.assert_series_equal(
        one.expected_transactions(rfm, 39.0), other.expected_transactions(rfm, 39.0), rtol=1e-12
    )


@settings(max_examples=20, deadline=None)
@given(rfm=summaries(most=200), r=shapes, alpha=shapes)
def test_everybody_leaving_at_one_rate_is_the_end_of_the_ridge(
    rfm: pd.DataFrame, r: float, alpha: float
) -> None:
    """Pareto/NBD with s and beta going to infinity together: exponential lifetimes."""
    from scipy.integrate import quad

    leaving = 0.01
    model = ParetoNBD.with_parameters(r=r, alpha=alpha, s=1e9, beta=1e9 / leaving)
    rows = rfm[rfm["x"] <= 7].drop_duplicates().iloc[:3]
    for i in range(len(rows)):
        x, t_x, T = rows.iloc[i]

        def of_time(u: float, x: float = x, T: float = T) -> float:
            """Likelihood of the purchases and of leaving at u, over that of the purchases if still there at T."""
            return leaving * np.exp(-leaving * u - (r + x) * np.log((alpha + u) / (alpha + T)) + leaving * T)

        left = quad(of_time, t_x, T, epsabs=0, epsrel=1e-10, limit=200)[0] if t_x < T else 0.0
        row = rows.iloc[[i]]
        assert model.probability_alive(row).iloc[0] == pytest.approx(1 / (1 + left), rel=1e-5)
        stays = -np.expm1(-leaving * 30) / leaving
        expected = (r + x) / (alpha + T) * stays / (1 + left)
        assert model.expected_transactions(row, 30.0).iloc[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("cls", [BGNBD, MBGNBD, ParetoNBD, BGBB])
def test_discounting_next_to_nothing_is_discounting_nothing(cls: type) -> None:
    parameters = dict(zip(cls.parameter_names, (0.5, 6.0, 0.8, 2.4), strict=True))
    model = cls.with_parameters(**parameters)
    spend = GammaGamma.with_parameters(p=6.0, q=4.0, gamma=15.0)
    frame = pd.DataFrame({"x": [0, 3, 30], "t_x": [0.0, 20.0, 39.0], "T": 39.0, "spend": [0.0, 12.0, 20.0]})
    plain = model.lifetime_value(frame, 52, spend=spend)
    for rate in (1e-15, 1e-12, 1e-9):
        near = model.lifetime_value(frame, 52, spend=spend, discount_rate=rate)
        np.testing.assert_allclose(near, plain, rtol=1e-9 + 52 * rate)
        assert (near <= plain * (1 + 1e-12)).all()


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_customers_of_bg_bb_who_never_leave_are_beta_binomial(share: float) -> None:
    alpha, beta = 3 * share, 3 * (1 - share)
    model = BGBB.with_parameters(alpha=alpha, beta=beta, gamma=TINY, delta=2.0)
    histories = pd.DataFrame([(0, 0, 7), (2, 5, 7), (7, 7, 7), (300, 400, 400)], columns=["x", "t_x", "T"])
    x, T = histories["x"], histories["T"]
    exact = betaln(alpha + x, beta + T - x) - betaln(alpha, beta)
    np.testing.assert_allclose(by_row(model, histories), exact, rtol=1e-9, atol=1e-9)
    each = (alpha + x) / (alpha + beta + T)
    np.testing.assert_allclose(model.expected_transactions(histories, 50), 50 * each, rtol=1e-9)


def test_contracts_that_all_end_at_one_rate_are_geometric() -> None:
    rate = 0.07
    model = ShiftedBetaGeometric.with_parameters(alpha=HUGE * rate, beta=HUGE * (1 - rate))
    t = np.array([0, 1, 7, 60, 2000])
    np.testing.assert_allclose(model.survival(t), (1 - rate) ** t, rtol=1e-7)
    np.testing.assert_allclose(model.retention_rate([1, 900]), 1 - rate, rtol=1e-9)
    contracts = pd.DataFrame({"T": [9, 60, 2000], "churned": [True, False, False]})
    exact = [8 * np.log1p(-rate) + np.log(rate), 60 * np.log1p(-rate), 2000 * np.log1p(-rate)]
    np.testing.assert_allclose(by_row(model, contracts), exact, rtol=1e-9)
    forever = model.lifetime_value(contracts, np.inf, discount_rate=0.01)
    kept = (1 - rate) / 1.01
    np.testing.assert_allclose(forever, [0.0, kept / (1 - kept), kept / (1 - kept)], rtol=1e-8)


@settings(max_examples=30, deadline=None)
@given(q=st.sampled_from([1.5, 4.0, 30.0]), x=st.sampled_from([1, 7, 5000]), spend=st.floats(0.01, 1e4))
def test_gamma_gamma_believes_customers_who_are_steady_and_the_crowd_where_all_are_alike(
    q: float, x: int, spend: float
) -> None:
    known = pd.DataFrame({"x": [x], "spend": [spend]})
    steady = GammaGamma.with_parameters(p=1e12, q=q, gamma=15.0 / 1e12)
    assert steady.expected_spend(known).iloc[0] == pytest.approx(spend, rel=1e-8)
    alike = GammaGamma.with_parameters(p=2.0, q=1e14, gamma=12.0 * 1e14 / 2.0)
    assert alike.expected_spend(known).iloc[0] == pytest.approx(12.0, rel=1e-6)


def test_a_regression_of_spend_without_noise_of_one_kind_believes_the_other() -> None:
    rng = np.random.default_rng(2)
    x = rng.integers(1, 9, 400)
    own = np.exp(2 + 0.5 * np.log1p(x) + rng.normal(0, 0.4, 400))
    steady = pd.DataFrame({"x": x, "spend": own})  # no noise within a customer: everybody's mean is exact
    model = LogSpend().fit(steady)
    np.testing.assert_allclose(model.expected_spend(steady), steady["spend"], rtol=0.02)


@pytest.mark.parametrize("cls", [BGNBD, MBGNBD, ParetoNBD])
def test_the_likelihood_is_finite_and_flat_at_the_ends_of_its_range(cls: type) -> None:
    """Where a search may look: each parameter a factor of e^12 from typical ones, all four at once."""
    shop = pareto_shop(300)
    cells = rfm_cells(shop)
    model = cls()
    middle = np.array(model._starts(cells, cells.counts())[0])
    for corner in np.ndindex(2, 2, 2, 2):
        theta = middle * np.exp(12.0 * (2 * np.array(corner) - 1))
        value, gradient = model._log_likelihood(theta, cells, cells.counts())
        assert np.isfinite(value), theta
        assert np.isfinite(gradient).all(), theta
