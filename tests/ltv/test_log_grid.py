"""Sums over amounts, taken over a grid of their logarithms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbdataops.ltv import GammaGamma
from nbdataops.ltv.spend.log_grid import on_grid, worth_a_grid
from nbdataops.ltv.spend.value_sums import log_likelihood, value_sums


def shop(size: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.geometric(0.3, size)
    mean = rng.gamma(6.25 * x, 1 / (rng.gamma(3.74, 1 / 15.44, size) * x))
    return pd.DataFrame({"x": x, "spend": np.maximum(mean.round(2), 0.01)})


@given(
    st.floats(-30, 30),
    st.sampled_from([0.0, 1e-9, 0.3, 4.0]),
    st.integers(0, 2**32 - 1),
    st.sampled_from([np.exp, lambda u: np.log1p(np.exp(u)), lambda u: np.log1p(np.exp(-u)), np.ones_like]),
)
@settings(max_examples=60, deadline=None)
def test_sums_of_smooth_functions_are_those_over_all_amounts(
    middle: float, spread: float, seed: int, f: Callable[[np.ndarray], np.ndarray]
) -> None:
    rng = np.random.default_rng(seed)
    u = middle + spread * rng.standard_normal(2000)
    w = rng.poisson(1.0, 2000) + 0.25
    nodes, (ones, weighted) = on_grid(u, (None, w))
    assert ones @ f(nodes) == pytest.approx(f(u).sum(), rel=1e-12)
    assert weighted @ f(nodes) == pytest.approx(w @ f(u), rel=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "theta", [(6.25, 3.74, 15.44), (0.1, 0.1, 1e-3), (100.0, 30.0, 1e6), (5.0, 4.0, 1e-8)]
)
def test_the_likelihood_of_many_customers_is_the_sum_over_few_at_a_time(
    theta: tuple[float, float, float], weighted: bool
) -> None:
    customers = shop(40_000)
    x, spend = customers["x"].to_numpy(float), customers["spend"].to_numpy()
    w = np.random.default_rng(1).poisson(1.0, len(x)) * 0.5 if weighted else np.ones(len(x))
    at = np.array(theta)
    whole = value_sums(x, spend, w if weighted else None)
    assert len(whole.weight) < len(x) / 2
    few = [value_sums(*(a[i : i + 1000] for a in (x, spend, w))) for i in range(0, len(x), 1000)]
    assert all(len(part.weight) == np.count_nonzero(w[i * 1000 :][:1000]) for i, part in enumerate(few))
    parts = [log_likelihood(at, part) for part in few]
    value, gradient = log_likelihood(at, whole)
    assert value == pytest.approx(sum(v for v, _ in parts), rel=1e-13)
    assert whole.total == sum(part.total for part in few)
    terms = np.abs([g for _, g in parts]).sum(axis=0)
    np.testing.assert_allclose(gradient, sum(g for _, g in parts), atol=1e-11 * terms.max(), rtol=1e-11)


def test_a_grid_is_only_used_where_it_is_smaller() -> None:
    assert not worth_a_grid(np.zeros(0))
    assert not worth_a_grid(np.linspace(0, 10, 1000))
    assert worth_a_grid(np.linspace(0, 1, 2000))
    assert not worth_a_grid(np.linspace(-700, 700, 100_000))


def test_a_fit_of_many_customers_finds_what_their_model_was() -> None:
    customers = shop(400_000)
    model = GammaGamma().fit(customers)
    errors = model.fit_result_.standard_errors
    for name, truth in {"p": 6.25, "q": 3.74, "gamma": 15.44}.items():
        assert abs(model.fit_result_.parameters[name] - truth) < 4 * errors[name]
