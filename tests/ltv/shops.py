"""Customers drawn from the models themselves, and strategies for arbitrary ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import strategies as st


def pareto_shop(
    n: int,
    *,
    r: float = 0.6,
    alpha: float = 10.0,
    s: float = 0.6,
    beta: float = 12.0,
    ages: tuple[int, int] = (27, 40),
    seed: int = 1,
) -> pd.DataFrame:
    """n customers whose purchase and leaving rates are gamma distributed; times are whole units."""
    rng = np.random.default_rng(seed)
    T = rng.integers(*ages, n, endpoint=True).astype(float)
    alive = np.minimum(rng.exponential(1, n) / rng.gamma(s, 1 / beta, n), T)
    return _summary(rng, rng.gamma(r, 1 / alpha, n), alive, T)


def equal_leaving_shop(n: int, *, leaving: float, seed: int = 1) -> pd.DataFrame:
    """Like pareto_shop, but everybody leaves at the same rate: s and beta lie on a ridge."""
    rng = np.random.default_rng(seed)
    T = rng.integers(150, 300, n).astype(float)
    alive = np.minimum(rng.exponential(1 / leaving, n), T)
    return _summary(rng, rng.gamma(0.8, 0.1, n), alive, T)


def _summary(rng: np.random.Generator, rate: np.ndarray, alive: np.ndarray, T: np.ndarray) -> pd.DataFrame:
    x = rng.poisson(rate * alive)
    last = np.clip(np.ceil(alive * rng.beta(np.maximum(x, 1), 1)), 1, T)
    often = np.maximum(x, 1)
    value = rng.gamma(6.0 * often) / often * 15 / rng.gamma(4.0, size=len(x))
    frame = pd.DataFrame(
        {"x": x, "t_x": np.where(x > 0, last, 0.0), "T": T, "spend": np.where(x > 0, value, 0.0)}
    )
    return frame.set_index(pd.Index(np.arange(1000, 1000 + len(x)), name="customer_id"))


@st.composite
def summaries(draw: st.DrawFn, most: int = 50_000) -> pd.DataFrame:
    """A few customers of any kind that can exist: heavy ones, recency equal to age, age zero."""
    n = draw(st.integers(1, 12))
    rows = []
    for _ in range(n):
        T = draw(st.sampled_from([0.0, 1.0, 38.857142857142854, 200.0, 3000.0]))
        x = draw(st.sampled_from([0, 1, 2, 7, 132, 133, 1500, most])) if T else 0
        share = draw(st.sampled_from([1e-3, 0.2, 0.5, 0.999, 1.0]))
        rows.append((x, T * share if x else 0.0, T))
    return pd.DataFrame(rows, columns=["x", "t_x", "T"])
