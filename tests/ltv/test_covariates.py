"""Covariates of any kind: taken as what they are, or refused with what to do."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from nbdataops.ltv import LtvInputError, TwoPartBoosting, ZeroInflatedLognormal

N = 600
RNG = np.random.default_rng(0)
NORTH = np.arange(N) % 2 == 0
X = RNG.poisson(2.0, N)
RFM = pd.DataFrame({"x": X, "t_x": np.where(X > 0, 20.0, 0.0), "T": 30.0, "spend": np.where(X > 0, 9.0, 0.0)})
VALUE = pd.Series(np.where(RNG.random(N) < 0.6, RNG.gamma(4.0, 5.0, N) * np.where(NORTH, 4.0, 1.0), 0.0))
NAMES = np.where(NORTH, "north", "south")
KINDS: dict[str, Any] = {
    "text": NAMES,
    "object": pd.Series(NAMES, dtype=object),
    "string": pd.Series(NAMES, dtype="string"),
    "arrow": pd.Series(NAMES, dtype=pd.ArrowDtype(pa.string())),
    "category": pd.Categorical(NAMES),
    "category of numbers": pd.Categorical(np.where(NORTH, 7, 3)),
    "category of intervals": pd.cut(np.where(NORTH, 1.0, 5.0), [0, 2, 6]),
    "mixed names": pd.Series(["north" if north else 3 for north in NORTH], dtype=object),
    "bool": NORTH,
    "nullable bool": pd.Series(NORTH, dtype="boolean"),
    "int": NORTH.astype(np.int8),
    "nullable int": pd.Series(NORTH, dtype="boolean").astype("Int64"),
    "float": NORTH * 0.5,
}
WITH_GAPS = {
    "object": lambda c: c.where(np.arange(N) % 3 > 0, None),
    "string": lambda c: c.mask(np.arange(N) % 3 == 0),
    "nullable int": lambda c: c.mask(np.arange(N) % 3 == 0),
    "nullable bool": lambda c: c.mask(np.arange(N) % 3 == 0),
    "float": lambda c: np.where(np.arange(N) % 3 > 0, c, np.nan),
}
ONES = ("bool", "nullable bool", "int", "nullable int", "float")
"""Kinds that are numbers, which a linear model takes too."""


def trees(**more: Any) -> TwoPartBoosting:
    return TwoPartBoosting(train_horizon=13, covariates=["region"], rounds=20, **more)


def linear() -> ZeroInflatedLognormal:
    return ZeroInflatedLognormal(train_horizon=13, covariates=["region"])


@pytest.mark.parametrize("kind", KINDS)
def test_trees_learn_from_a_covariate_of_any_kind(kind: str) -> None:
    rfm = RFM.assign(region=KINDS[kind])
    value = trees().fit(rfm, VALUE).lifetime_value(rfm, 13)
    assert value[NORTH].mean() > 2.5 * value[~NORTH].mean()


@pytest.mark.parametrize("kind", WITH_GAPS)
def test_trees_take_missing_values_and_learn_from_the_rest(kind: str) -> None:
    rfm = RFM.assign(region=WITH_GAPS[kind](KINDS[kind]))
    known = np.arange(N) % 3 > 0
    value = trees().fit(rfm, VALUE).lifetime_value(rfm, 13)
    assert np.isfinite(value).all()
    assert value[NORTH & known].mean() > 2.5 * value[~NORTH & known].mean()
    assert value[NORTH & ~known].mean() < 1.5 * value[~NORTH & ~known].mean()


@pytest.mark.parametrize("kind", KINDS)
def test_a_linear_model_takes_numbers_and_says_what_to_do_with_names(kind: str) -> None:
    rfm = RFM.assign(region=KINDS[kind])
    if kind in ONES:
        value = linear().fit(rfm, VALUE).lifetime_value(rfm, 13)
        assert value[NORTH].mean() > 2.5 * value[~NORTH].mean()
        return
    with pytest.raises(LtvInputError, match="covariate 'region' holds") as caught:
        linear().fit(rfm, VALUE)
    assert "get_dummies" in caught.value.todo


@pytest.mark.parametrize("kind", ["nullable int", "nullable bool", "float"])
def test_a_linear_model_refuses_missing_numbers_and_says_where(kind: str) -> None:
    with pytest.raises(LtvInputError, match=f"'region' is missing in {N // 3} rows of {N}"):
        linear().fit(RFM.assign(region=WITH_GAPS[kind](KINDS[kind])), VALUE)


def test_a_category_that_the_fit_has_not_seen_is_taken_for_missing() -> None:
    model = trees().fit(RFM.assign(region=WITH_GAPS["object"](KINDS["object"])), VALUE)
    unseen = model.lifetime_value(RFM.assign(region="west"), 13)
    missing = model.lifetime_value(RFM.assign(region=pd.Series([None] * N, dtype=object)), 13)
    pd.testing.assert_series_equal(unseen, missing)


def test_the_order_of_categories_means_nothing() -> None:
    model = trees().fit(RFM.assign(region=NAMES), VALUE)
    one = model.lifetime_value(RFM.assign(region=NAMES), 13)
    other = model.lifetime_value(RFM.assign(region=pd.Categorical(NAMES, ["south", "east", "north"])), 13)
    pd.testing.assert_series_equal(one, other)
    few = RFM.assign(region=NAMES).iloc[:3]
    pd.testing.assert_series_equal(model.lifetime_value(few, 13), one.iloc[:3])


@pytest.mark.parametrize("make", [trees, linear])
@pytest.mark.parametrize(
    ("region", "what", "todo"),
    [
        (np.where(np.arange(N) == 5, np.inf, 1.0), "infinite in 1 row .*5", "division by zero"),
        (np.full(N, np.datetime64("2024-01-01", "us")), "holds datetime64", ""),
        (np.full(N, np.timedelta64(1, "D")), "holds timedelta64", ""),
        (np.full(N, 1j), "holds complex", ""),
        (pd.Series([[1, 2]] * N), "holds object", ""),
        (pd.Series([date(2024, 1, 1)] * N), "holds object", ""),
    ],
)
def test_what_is_neither_number_nor_name_is_refused(make: Any, region: Any, what: str, todo: str) -> None:
    with pytest.raises(LtvInputError, match=f"'region' (is|{what[:5]}).*{what[6:12]}") as caught:
        make().fit(RFM.assign(region=region), VALUE)
    assert todo in caught.value.todo


def test_names_of_single_customers_are_no_covariate() -> None:
    with pytest.raises(LtvInputError, match=f"'region' has {N} categories") as caught:
        trees().fit(RFM.assign(region=[f"customer {i}" for i in range(N)]), VALUE)
    assert "rare" in caught.value.todo


def test_numbers_where_the_fit_saw_names_are_refused() -> None:
    model = trees().fit(RFM.assign(region=NAMES), VALUE)
    for verb in (model.predict, model.probability_of_purchase, lambda d: model.expected_transactions(d, 13)):
        with pytest.raises(LtvInputError, match=r"holds numbers, and held names|no transactions"):
            verb(RFM.assign(region=1.0))
    other = trees().fit(RFM.assign(region=1.0 * NORTH), VALUE)
    with pytest.raises(LtvInputError, match="holds names, and held numbers"):
        other.predict(RFM.assign(region=NAMES))
    refitted = other.fit(RFM.assign(region=NAMES), VALUE)
    assert np.isfinite(refitted.predict(RFM.assign(region=NAMES))).all()


@pytest.mark.parametrize("cls", [TwoPartBoosting, ZeroInflatedLognormal])
@pytest.mark.parametrize(
    ("covariates", "what"),
    [
        ("region", "covariates is the text 'region'"),
        (["rate"], "'rate' has the name of a feature"),
        (["spend"], "'spend' has the name of a feature"),
        (["log_rate"], "'log_rate' has the name of a feature"),
        (["region", "region"], "named twice"),
        (["regoin"], "no column 'regoin'"),
        (["transactions"], "labels would predict themselves"),
    ],
)
def test_covariates_are_named_once_and_for_what_they_are(cls: type, covariates: Any, what: str) -> None:
    rfm = RFM.assign(region=1.0 * NORTH, rate=1.0, log_rate=1.0, transactions=1)
    with pytest.raises(LtvInputError, match=what):
        cls(train_horizon=13, covariates=covariates).fit(rfm, VALUE)


def test_a_covariate_of_nothing_but_missing_values_does_no_harm() -> None:
    for nothing in (np.full(N, np.nan), pd.Series([None] * N, dtype=object), pd.Categorical([None] * N)):
        rfm = RFM.assign(region=nothing)
        without = TwoPartBoosting(train_horizon=13, rounds=20).fit(RFM, VALUE).predict(RFM)
        np.testing.assert_allclose(trees().fit(rfm, VALUE).predict(rfm), without, rtol=1e-6)


def test_refits_see_the_categories_of_their_own_resample() -> None:
    """A rare category may be missing from a resample; it is predicted all the same."""
    rare = np.where(np.arange(N) == 3, "islands", NAMES)
    model = trees(refits=3).fit(RFM.assign(region=rare), VALUE)
    answer = model.lifetime_value(RFM.assign(region=rare), 13, interval=0.9)
    assert np.isfinite(answer).all(axis=None)
