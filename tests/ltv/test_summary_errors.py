"""Summaries that cannot be: each a clear error, for every model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from nbdataops.errors import UsageError
from nbdataops.ltv import BGNBD, GammaGamma, LtvInputError, ParetoNBD, rfm_cells

GOOD = pd.DataFrame(
    {"x": [0, 2, 1], "t_x": [0.0, 3.0, 5.0], "T": [5.0, 6.0, 5.0], "spend": [0.0, 9.0, 4.0]},
    index=["a", "b", "c"],
)
COUNTING = (BGNBD, ParetoNBD)
ALL = (BGNBD, ParetoNBD, GammaGamma)

WRONG: list[tuple[str, Callable[[pd.DataFrame], object], str, str]] = [
    ("column missing", lambda d: d.rename(columns={"t_x": "t_y"}), "no column 't_x'", "did you mean 't_y'"),
    ("column twice", lambda d: d[["x", "x", "t_x", "T"]], "2 columns named 'x'", "keep one"),
    ("negative", lambda d: d.assign(x=[0, -2, 1]), r"x is negative in 1 row of 3 \('b'\)", "returns"),
    (
        "missing",
        lambda d: d.assign(T=[5.0, np.nan, np.nan]),
        r"T is missing in 2 rows of 3 \('b', 'c'\)",
        "drop",
    ),
    ("infinite", lambda d: d.assign(T=[5.0, np.inf, 5.0]), "T is infinite", "division by zero"),
    (
        "recency above age",
        lambda d: d.assign(t_x=[0.0, 6.5, 5.0]),
        r"t_x is later than T .*\('b'\)",
        "one unit",
    ),
    (
        "recency without repeat",
        lambda d: d.assign(t_x=[1.0, 3.0, 5.0]),
        "t_x is not 0 although x is 0",
        "repeat",
    ),
    ("fraction of a transaction", lambda d: d.assign(x=[0, 2.5, 1]), "x is no whole number", "counts"),
    ("text", lambda d: d.assign(x=["0", "2", "1"]), "not numbers", "convert"),
    ("truth values", lambda d: d.assign(x=[False, True, True]), "not numbers", "convert"),
    ("an array", lambda d: d.to_numpy(), "neither a pandas DataFrame nor", "columns x, t_x, T"),
]


@pytest.mark.parametrize("cls", COUNTING)
@pytest.mark.parametrize(
    ("spoil", "what", "todo"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG]
)
def test_an_impossible_summary_is_refused(cls, spoil, what: str, todo: str) -> None:
    with pytest.raises(LtvInputError, match=what) as caught:
        cls().fit(spoil(GOOD))
    assert todo in caught.value.todo
    assert isinstance(caught.value, UsageError)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize(
    ("weights", "what"),
    [
        ([0, 0, 0], "all sample weights are zero"),
        ([1, -1, 1], "negative"),
        ([1, np.nan, 1], "missing or infinite"),
        ([1, np.inf, 1], "missing or infinite"),
        ([1, 1], "2 values for 3 rows"),
        (["1", "1", "1"], "not numbers"),
        (pd.Series([1, 1, 1], index=["a", "c", "b"]), "another index"),
        (pd.Series([1, 1, 1]), "another index"),
    ],
)
def test_impossible_weights_are_refused(cls, weights: object, what: str) -> None:
    with pytest.raises(LtvInputError, match=what):
        cls().fit(GOOD, sample_weight=weights)


@pytest.mark.parametrize("cls", ALL)
def test_an_empty_summary_is_refused(cls) -> None:
    with pytest.raises(LtvInputError, match="no rows"):
        cls().fit(GOOD.iloc[:0])


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda d: d.rename(columns={"spend": "Spend"}), "no column 'spend'"),
        (lambda d: d.assign(spend=[0.0, -9.0, 4.0]), "spend is negative"),
        (lambda d: d.assign(spend=[0.0, np.nan, 4.0]), "spend is missing"),
        (lambda d: d.assign(spend=[0.0, np.inf, 4.0]), "spend is infinite"),
        (lambda d: d.assign(x=[0, 2.5, 1]), "x is no whole number"),
    ],
)
def test_an_impossible_spend_is_refused(spoil, what: str) -> None:
    with pytest.raises(LtvInputError, match=what):
        GammaGamma().fit(spoil(GOOD))
    with pytest.raises(LtvInputError, match=what):
        GammaGamma.with_parameters(p=6.0, q=4.0, gamma=15.0).expected_spend(spoil(GOOD))


@pytest.mark.parametrize("horizon", [-1, np.nan, np.inf, "39", True, None])
def test_an_impossible_horizon_is_refused(horizon: object) -> None:
    model = BGNBD.with_parameters(r=0.243, alpha=4.414, a=0.793, b=2.426)
    with pytest.raises(LtvInputError, match="horizon"):
        model.expected_transactions(GOOD, horizon)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("parameters", "what"),
    [
        ({"r": 1, "alpha": 1, "a": 1}, "'b' is missing"),
        ({"r": 1, "alpha": 1, "a": 1, "b": 0}, "b is 0"),
        ({"r": 1, "alpha": float("nan"), "a": 1, "b": 1}, "alpha is nan"),
        ({"r": 1, "alpha": 1, "a": 1, "beta": 1}, "no parameter 'beta'"),
    ],
)
def test_impossible_parameters_are_refused(parameters: dict[str, float], what: str) -> None:
    with pytest.raises(LtvInputError, match=what):
        BGNBD.with_parameters(**parameters)


def test_an_impossible_count_is_refused() -> None:
    model = BGNBD.with_parameters(r=0.243, alpha=4.414, a=0.793, b=2.426)
    for n in (-1, 1.5, True):
        with pytest.raises(LtvInputError, match="n is"):
            model.probability_of_transactions(n, 30)  # type: ignore[arg-type]


def test_integers_and_nullable_columns_are_numbers() -> None:
    nullable = GOOD.convert_dtypes()
    assert len(rfm_cells(nullable)) == 3
    with pytest.raises(LtvInputError, match="x is missing"):
        rfm_cells(nullable.assign(x=pd.array([0, None, 1], dtype="Int64")))


def test_cells_count_customers_once_each() -> None:
    cells = rfm_cells(pd.concat([GOOD, GOOD, GOOD.iloc[:1]]))
    assert len(cells) == 3
    assert sorted(cells.counts()) == [2, 2, 3]
    assert cells.counts(np.arange(7)).sum() == 21
