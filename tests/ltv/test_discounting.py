"""The present value of a stream known by its running total."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import mpmath as mp
import numpy as np
import pandas as pd
import pytest

from nbdataops.ltv import BGBB, BGCNBD, BGNBD, MBGCNBD, MBGNBD, LtvInputError, ParetoNBD
from nbdataops.ltv.attrition.discounting import discounted, require_discount_rate
from nbdataops.ltv.attrition.latent_attrition import LatentAttrition
from nbdataops.ltv.reference.quantities import FixedSpend

CUSTOMERS = pd.DataFrame(
    {"x": [0, 2, 7, 26, 10], "t_x": [0.0, 30.43, 35.0, 30.86, 20.0], "T": [39.0, 38.86, 39.0, 31.0, 39.0]}
)
CONTINUOUS: list[LatentAttrition] = [
    BGNBD.with_parameters(r=0.243, alpha=4.414, a=0.793, b=2.426),
    MBGNBD.with_parameters(r=0.525, alpha=6.183, a=0.891, b=1.614),
    BGCNBD.with_parameters(k=2, r=0.359, alpha=1.129, a=0.523, b=2.785),
    MBGCNBD.with_parameters(k=3, r=1.329, alpha=2.813, a=0.425, b=0.790),
    ParetoNBD.with_parameters(r=0.553, alpha=10.578, s=0.606, beta=11.669),
]
every_model = pytest.mark.parametrize("model", CONTINUOUS, ids=lambda m: type(m).__name__)


def present(model: LatentAttrition, horizon: float, rate: float) -> np.ndarray:
    """Discounted expected transactions."""
    value = model.lifetime_value(CUSTOMERS, horizon, spend=FixedSpend(), discount_rate=rate)
    assert isinstance(value, pd.Series)
    return value.to_numpy()


@cache
def legendre(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on (-1, 1)."""
    return np.polynomial.legendre.leggauss(n)


# ------------------------------------------------------------------ known streams
@pytest.mark.parametrize("force", [1e-5, 0.0027, 0.1, 3.0])
@pytest.mark.parametrize("horizon", [0.5, 39.0, 5000.0, math.inf])
def test_a_steady_stream_is_an_annuity(force: float, horizon: float) -> None:
    found = discounted(lambda t: np.array([2.5 * t]), horizon, force)
    assert found[0] == pytest.approx(-2.5 * math.expm1(-force * horizon) / force, rel=1e-9)


@pytest.mark.parametrize("force", [1e-5, 0.0027, 0.1, 3.0])
@pytest.mark.parametrize("horizon", [0.5, 39.0, math.inf])
@pytest.mark.parametrize("rate", [1e-4, 0.05, 40.0, 2000.0])
def test_a_stream_that_dies_out_in_an_hour_or_in_years(force: float, horizon: float, rate: float) -> None:
    """1 - exp(-rate t) discounts to rate / (rate + force), cut at the horizon."""
    found = discounted(lambda t: np.array([-math.expm1(-rate * t)]), horizon, force)
    both = rate + force
    assert found[0] == pytest.approx(-rate / both * math.expm1(-both * horizon), rel=1e-9)


@pytest.mark.parametrize("force", [1e-5, 0.0027, 0.1])
@pytest.mark.parametrize("power", [0.05, 0.4, 0.95])
def test_a_stream_that_starts_infinitely_steep(force: float, power: float) -> None:
    """t^p discounts to Gamma(1 + p) / force^p."""
    found = discounted(lambda t: np.array([t**power]), math.inf, force)
    assert found[0] == pytest.approx(math.gamma(1 + power) / force**power, rel=1e-9)


@pytest.mark.parametrize("force", [1e-4, 0.0027, 0.1])
def test_a_stream_that_thins_out_but_never_ends(force: float) -> None:
    """log(1 + t / b) discounts to exp(b force) E1(b force): the Pareto / NBD at s = 1."""
    found = discounted(lambda t: np.array([math.log1p(t / 11.0)]), math.inf, force)
    with mp.workdps(30):
        exact = mp.exp(11 * mp.mpf(force)) * mp.e1(11 * mp.mpf(force))
    assert found[0] == pytest.approx(float(exact), rel=1e-9)


# ------------------------------------------------------------------ models
@every_model
@pytest.mark.parametrize("horizon", [1.0, 500.0])
def test_without_a_discount_it_is_the_expectation(model: LatentAttrition, horizon: float) -> None:
    expected = model.expected_transactions(CUSTOMERS, horizon)
    np.testing.assert_array_equal(present(model, horizon, 0.0), expected)
    np.testing.assert_allclose(present(model, horizon, 1e-11), expected, rtol=1e-8)


@every_model
def test_a_higher_discount_is_worth_less_and_a_longer_horizon_more(model: LatentAttrition) -> None:
    by_rate = np.array([present(model, math.inf, rate) for rate in (0.001, 0.1, 1.0)])
    by_horizon = np.array([present(model, horizon, 0.1) for horizon in (2.0, 20.0, math.inf)])
    assert (np.diff(by_rate, axis=0) < 0).all()
    assert (np.diff(by_horizon, axis=0) > 0).all()
    assert (by_rate > 0).all()
    assert (by_horizon > 0).all()


@every_model
def test_it_is_the_sum_over_small_steps(model: LatentAttrition) -> None:
    """What is expected within a step lies between its value at the start and at the end of the step."""
    force, steps = 0.02, np.linspace(0, 26.0, 105)
    expected = np.array([model.expected_transactions(CUSTOMERS, t) for t in steps])
    within = np.diff(expected, axis=0)
    worth = np.exp(-force * steps)
    found = present(model, 26.0, math.expm1(force))
    assert (found <= (within * worth[:-1, None]).sum(axis=0)).all()
    assert (found >= (within * worth[1:, None]).sum(axis=0)).all()


@pytest.mark.parametrize("first_chance", [0, 1])
@pytest.mark.parametrize(("x", "t_x", "T"), [(0, 0.0, 39.0), (2, 30.43, 38.86), (26, 30.86, 31.0)])
@pytest.mark.parametrize("force", [0.0027, 0.1])
def test_dert_of_bg_and_mbg_nbd_is_the_integral_over_customers(
    first_chance: int, x: int, t_x: float, T: float, force: float
) -> None:
    """Who buys at the rate l and leaves with probability p at a purchase is worth l / (force + l p) for good."""
    r, alpha, a, b = 0.6, 6.0, 0.9, 2.0
    model = (MBGNBD if first_chance else BGNBD).with_parameters(r=r, alpha=alpha, a=a, b=b)
    customer = pd.DataFrame({"x": [x], "t_x": [t_x], "T": [T]})
    stayed = b + x + first_chance
    nodes, weights = legendre(400)
    # substitutions that take the ends of both densities away: l = u^(1/r), p = v^(1/a)
    top = (60 + 4 * (r + x)) / (alpha + T)
    u, weight_u = 0.5 * (nodes + 1) * top**r, 0.5 * weights * top**r
    v, weight_v = 0.5 * (nodes + 1), 0.5 * weights
    rate, p = u ** (1 / r), v ** (1 / a)
    of_rate = weight_u * rate**x * np.exp(-(alpha + T) * rate)
    of_p = weight_v * (1 - p) ** (stayed - 1)
    worth = rate[:, None] / (force + np.outer(rate, p))
    mean = of_rate @ worth @ of_p / (of_rate.sum() * of_p.sum())
    exact = mean * model.probability_alive(customer).iloc[0]
    found = model.lifetime_value(
        customer, math.inf, spend=FixedSpend(), discount_rate=math.expm1(force)
    ).iloc[0]
    assert found == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize(
    ("model", "forever"),
    [
        (
            ParetoNBD.with_parameters(r=0.553, alpha=10.578, s=4.0, beta=30.0),
            lambda c: (0.553 + c.x) / (10.578 + c["T"]) * (30.0 + c["T"]) / 3.0,
        ),
        (
            BGNBD.with_parameters(r=0.6, alpha=6.0, a=4.0, b=2.0),
            lambda c: (4.0 + 2.0 + c.x - 1) / 3.0,
        ),
        (
            MBGNBD.with_parameters(r=0.6, alpha=6.0, a=4.0, b=2.0),
            lambda c: (4.0 + 2.0 + c.x + 1 - 1) / 3.0,
        ),
    ],
    ids=["ParetoNBD", "BGNBD", "MBGNBD"],
)
def test_dert_tends_to_all_purchases_that_will_ever_come(
    model: LatentAttrition, forever: Callable[[pd.DataFrame], pd.Series]
) -> None:
    """As the discount goes to zero, where that limit is finite: s > 1, a > 1."""
    limit = forever(CUSTOMERS) * model.probability_alive(CUSTOMERS)
    far = np.abs(present(model, math.inf, 1e-4) / limit - 1)
    near = np.abs(present(model, math.inf, 1e-9) / limit - 1)
    assert (far > 1e-6).all()
    assert (near < 5e-3 * far).all()


def test_dert_of_bg_bb_tends_to_all_purchases_that_will_ever_come() -> None:
    model = BGBB.with_parameters(alpha=1.2, beta=0.75, gamma=6.0, delta=2.8)
    donors = pd.DataFrame({"x": [0, 3, 6], "t_x": [0, 5, 6], "T": [6, 6, 6]})
    # E[occasions still there] of who is there: sum of B(gamma, delta + T + j) / B(gamma, delta + T)
    limit = (1.2 + donors.x) / (1.2 + 0.75 + 6) * (2.8 + 6) / (6.0 - 1) * model.probability_alive(donors)
    far, near = (
        limit - model.lifetime_value(donors, math.inf, spend=FixedSpend(), discount_rate=rate)
        for rate in (0.02, 0.002)
    )
    assert (near > 0).all()
    np.testing.assert_allclose(far / near, 10, rtol=0.1)  # nearly linear in the rate


# ------------------------------------------------------------------ what is refused
def test_an_infinite_horizon_needs_a_discount() -> None:
    with pytest.raises(LtvInputError, match="infinite horizon") as caught:
        discounted(lambda t: np.array([t]), math.inf, 0.0)
    assert "discount_rate" in caught.value.todo


@pytest.mark.parametrize("rate", [-0.01, math.nan, math.inf, True, "0.1", None])
def test_a_rate_that_is_none_is_refused(rate: object) -> None:
    with pytest.raises(LtvInputError, match="discount_rate is"):
        require_discount_rate(rate)


def test_a_rate_is_effective_and_its_force_continuous() -> None:
    assert require_discount_rate(0.1) == pytest.approx(math.log(1.1))
    assert require_discount_rate(np.float64(0.0)) == 0.0
