"""Customers drawn from the models themselves, and strategies for arbitrary ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from nbdataops.ltv import GammaGamma, ParetoNBD
from nbdataops.ltv.simulate import draw_summary

SPEND = GammaGamma.with_parameters(p=6.0, q=4.0, gamma=15.0)


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
    T = rng.integers(*ages, n, endpoint=True)
    ids = pd.Index(np.arange(1000, 1000 + n), name="customer_id")
    model = ParetoNBD.with_parameters(r=r, alpha=alpha, s=s, beta=beta)
    drawn = draw_summary(model, pd.Series(T, ids), rng, spend=SPEND)
    return drawn[["x", "t_x", "T", "spend"]].assign(t_x=np.ceil(drawn.t_x))


def equal_leaving_shop(n: int, *, leaving: float, seed: int = 1) -> pd.DataFrame:
    """Like pareto_shop, but everybody leaves at the same rate: s and beta lie on a ridge."""
    return pareto_shop(n, r=0.8, s=1e9, beta=1e9 / leaving, ages=(150, 300), seed=seed)


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
