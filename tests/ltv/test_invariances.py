"""What may not change an answer: the unit of time or money, the order of customers, who else is asked about."""

from __future__ import annotations

from math import comb
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbdataops.ltv import (
    BGBB,
    BGCNBD,
    BGNBD,
    MBGCNBD,
    MBGNBD,
    GammaGamma,
    ParetoNBD,
    ShiftedBetaGeometric,
    rfm_cells,
)
from nbdataops.ltv.spend.value_sums import log_likelihood as spend_log_likelihood
from nbdataops.ltv.spend.value_sums import value_sums

from .every_estimator import CASES, call, fitted
from .shops import pareto_shop, summaries

CONTINUOUS = (BGNBD, MBGNBD, ParetoNBD, BGCNBD, MBGCNBD)
every_model = pytest.mark.parametrize("cls", CONTINUOUS)
LIKELIHOODS = (
    *(cls.__name__ for cls in CONTINUOUS),
    "BGBB",
    "ShiftedBetaGeometric",
    "GammaGamma",
    "LogSpend",
)
TIMES = {"alpha", "beta"}
"""Parameters of the continuous models that are times."""

shapes = st.sampled_from([0.01, 0.3, 0.9999, 1.0, 2.5, 40.0])
scales = st.sampled_from([1e-3, 1 / 7, 30.4375, 86_400.0, 1e7])


@st.composite
def models(draw: st.DrawFn, cls: type) -> Any:
    """A model with any parameters."""
    parameters: dict[str, Any] = {name: draw(shapes) for name in cls.parameter_names}
    if cls in (BGCNBD, MBGCNBD):
        parameters["k"] = draw(st.integers(1, 6))
    return cls.with_parameters(**parameters)


def in_other_units(model: Any, c: float) -> Any:
    """The same customers' model where a time is c times the number."""
    theta = {name: getattr(model, f"{name}_") for name in model.parameter_names}
    changed = {name: value * c if name in TIMES else value for name, value in theta.items()}
    return type(model).with_parameters(**changed, **({"k": model.k_} if hasattr(model, "k_") else {}))


def log_likelihood(model: Any, rfm: pd.DataFrame) -> float:
    if getattr(model, "k_", 1) > 1:  # these customers have no litt, which a score would need
        cells = rfm_cells(rfm)
        return float(model._log_likelihood(model._theta(), cells, cells.counts())[0])
    return model.score(rfm) * len(rfm)


@every_model
@settings(max_examples=20, deadline=None)
@given(data=st.data(), rfm=summaries(), c=scales)
def test_another_unit_of_time_gives_the_same_customers(
    cls: type, data: st.DataObject, rfm: pd.DataFrame, c: float
) -> None:
    model = data.draw(models(cls))
    other, rescaled = in_other_units(model, c), rfm.assign(t_x=rfm["t_x"] * c, T=rfm["T"] * c)
    np.testing.assert_allclose(other.probability_alive(rescaled), model.probability_alive(rfm), rtol=1e-9)
    for horizon in (0.1, 39.0):
        np.testing.assert_allclose(
            other.expected_transactions(rescaled, horizon * c),
            model.expected_transactions(rfm, horizon),
            rtol=1e-8,
            atol=1e-290,
        )
    # the density of every tick of a purchase is per unit of time
    ticks = getattr(model, "k_", 1) * float(rfm["x"].sum())
    before, after = log_likelihood(model, rfm), log_likelihood(other, rescaled)
    assert after == pytest.approx(before - ticks * np.log(c), rel=1e-11, abs=1e-9)


@every_model
def test_a_fit_in_another_unit_finds_the_same_customers(cls: type) -> None:
    shop = pareto_shop(600, seed=4)
    c = 86_400 / 7
    # k = 2: what is fitted need not be true
    make = (lambda: cls(k=2)) if cls in (BGCNBD, MBGCNBD) else cls
    model, other = make().fit(shop), make().fit(shop.assign(t_x=shop["t_x"] * c, T=shop["T"] * c))
    expected = in_other_units(model, c)
    for name in cls.parameter_names:
        assert getattr(other, f"{name}_") == pytest.approx(getattr(expected, f"{name}_"), rel=1e-5)
    assert other.fit_result_.identified is model.fit_result_.identified
    for name, error in model.fit_result_.standard_errors.items():
        scaled = error * c if name in TIMES else error
        assert other.fit_result_.standard_errors[name] == pytest.approx(scaled, rel=1e-3)


@settings(max_examples=50, deadline=None)
@given(p=shapes, q=shapes, gamma=shapes, c=st.sampled_from([1e-6, 0.01, 1.1, 1e9]), data=st.data())
def test_another_currency_gives_the_same_spenders(
    p: float, q: float, gamma: float, c: float, data: st.DataObject
) -> None:
    n = data.draw(st.integers(1, 8))
    x = np.array(data.draw(st.lists(st.sampled_from([1, 2, 50, 50_000]), min_size=n, max_size=n)), float)
    spend = np.array(data.draw(st.lists(st.floats(1e-3, 1e6), min_size=n, max_size=n)))
    one, other = np.array([p, q, gamma]), np.array([p, q, gamma * c])
    before = spend_log_likelihood(one, value_sums(x, spend, None))[0]
    after = spend_log_likelihood(other, value_sums(x, spend * c, None))[0]
    assert after == pytest.approx(before - n * np.log(c), rel=1e-10, abs=1e-8)
    known = pd.DataFrame({"x": x, "spend": spend})[p * x + q > 1.01]
    if len(known):
        np.testing.assert_allclose(
            GammaGamma.with_parameters(p=p, q=q, gamma=gamma * c).expected_spend(
                known.assign(spend=known["spend"] * c)
            ),
            GammaGamma.with_parameters(p=p, q=q, gamma=gamma).expected_spend(known) * c,
            rtol=1e-12,
        )


@every_model
@settings(max_examples=20, deadline=None)
@given(data=st.data(), one=summaries(), other=summaries())
def test_customers_do_not_disturb_each_other(
    cls: type, data: st.DataObject, one: pd.DataFrame, other: pd.DataFrame
) -> None:
    model = data.draw(models(cls))
    both = pd.concat([one, other], ignore_index=True)
    for verb, arguments in (("probability_alive", ()), ("expected_transactions", (39.0,))):
        apart = [getattr(model, verb)(rfm, *arguments) for rfm in (one, other)]
        np.testing.assert_allclose(
            getattr(model, verb)(both, *arguments), np.concatenate(apart), rtol=1e-11, atol=1e-300
        )
    assert log_likelihood(model, both) == pytest.approx(
        log_likelihood(model, one) + log_likelihood(model, other), rel=1e-12, abs=1e-9
    )


@pytest.mark.parametrize("cls", [BGNBD, MBGNBD, ParetoNBD])
@settings(max_examples=15, deadline=None)
@given(data=st.data(), rfm=summaries(), rate=st.sampled_from([0.0, 1e-4, 0.02]))
def test_the_value_of_groups_adds_up_to_that_of_all(
    cls: type, data: st.DataObject, rfm: pd.DataFrame, rate: float
) -> None:
    model = data.draw(models(cls))
    spend = GammaGamma.with_parameters(p=6.0, q=4.0, gamma=15.0)
    frame = rfm.assign(spend=np.where(rfm["x"] > 0, 12.0, 0.0))
    value = model.lifetime_value(frame, 52.0, spend=spend, discount_rate=rate)
    groups = [
        model.lifetime_value(part, 52.0, spend=spend, discount_rate=rate).sum()
        for _, part in frame.groupby(frame["x"] > 1)
    ]
    assert sum(groups) == pytest.approx(value.sum(), rel=1e-11)
    in_cents = GammaGamma.with_parameters(p=6.0, q=4.0, gamma=1500.0)
    cents = model.lifetime_value(
        frame.assign(spend=frame["spend"] * 100), 52.0, spend=in_cents, discount_rate=rate
    )
    np.testing.assert_allclose(cents, value * 100, rtol=1e-12)


@every_model
@settings(max_examples=20, deadline=None)
@given(data=st.data(), x=st.sampled_from([1, 5, 133, 2000]), T=st.sampled_from([1.0, 39.0, 1000.0]))
def test_a_longer_silence_never_makes_a_customer_likelier_alive(
    cls: type, data: st.DataObject, x: int, T: float
) -> None:
    model = data.draw(models(cls))
    silent = pd.DataFrame({"x": x, "t_x": T * np.array([1.0, 0.999, 0.7, 0.3, 0.01, 1e-6]), "T": T})
    alive = model.probability_alive(silent).to_numpy()
    assert (np.diff(alive) <= 1e-12).all()


@st.composite
def occasions(draw: st.DrawFn) -> pd.DataFrame:
    """A few customers seen at occasions."""
    rows = []
    for _ in range(draw(st.integers(1, 8))):
        T = draw(st.sampled_from([0, 1, 6, 60, 400]))
        t_x = draw(st.integers(0, T))
        x = draw(st.integers(min(1, t_x), t_x))
        rows.append((x, t_x if x else 0, T))
    return pd.DataFrame(rows, columns=["x", "t_x", "T"])


@settings(max_examples=20, deadline=None)
@given(data=st.data(), one=occasions(), other=occasions())
def test_bg_bb_makes_sense_for_any_customers(
    data: st.DataObject, one: pd.DataFrame, other: pd.DataFrame
) -> None:
    model = data.draw(models(BGBB))
    alive = model.probability_alive(one)
    assert alive.between(0, 1).all()
    assert (alive[one["t_x"] == one["T"]] == 1).all()
    previous = np.zeros(len(one))
    for horizon in (0, 1, 7, 500):
        expected = model.expected_transactions(one, horizon).to_numpy()
        assert (expected >= previous * (1 - 1e-12)).all()
        assert (expected <= horizon * alive).all()  # at most one at an occasion
        previous = expected
    # the next occasion is reached or it is not: what is expected of it is P(there) times P(buys)
    each = (model.alpha_ + one["x"]) / (model.alpha_ + model.beta_ + one["T"])
    np.testing.assert_allclose(
        model.expected_transactions(one, 1), model.probability_alive(one, ahead=1) * each, rtol=1e-10
    )
    both = pd.concat([one, other], ignore_index=True)
    assert log_likelihood(model, both) == pytest.approx(
        log_likelihood(model, one) + log_likelihood(model, other), rel=1e-12, abs=1e-9
    )


@settings(max_examples=20, deadline=None)
@given(data=st.data(), n=st.integers(1, 9))
def test_bg_bb_probabilities_of_counts_sum_to_one_and_have_the_right_mean(
    data: st.DataObject, n: int
) -> None:
    model = data.draw(models(BGBB))
    probabilities = np.array([model.probability_of_transactions(k, n) for k in range(n + 1)])
    assert probabilities.sum() == pytest.approx(1, rel=1e-12)
    assert probabilities @ np.arange(n + 1) == pytest.approx(
        float(model.expected_transactions_new(n)), rel=1e-9
    )


@settings(max_examples=20, deadline=None)
@given(data=st.data(), periods=st.integers(1, 12))
def test_histories_of_bg_bb_and_of_contracts_are_everything_that_can_happen(
    data: st.DataObject, periods: int
) -> None:
    """Likelihoods of all histories, each as often as it can come about, sum to one."""
    model = data.draw(models(BGBB))
    rows = [(0, 0)] + [(x, t) for t in range(1, periods + 1) for x in range(1, t + 1)]
    histories = pd.DataFrame(rows, columns=["x", "t_x"]).assign(T=periods)
    cells = rfm_cells(histories)
    ways = [comb(t - 1, x - 1) if x else 1 for x, t in rows]
    total = 0.0
    for i, way in enumerate(ways):
        one = np.zeros(len(cells))
        one[cells.of_customer[i]] = 1.0
        total += way * np.exp(model._log_likelihood(model._theta(), cells, one)[0])
    assert total == pytest.approx(1, rel=1e-9)

    contract = data.draw(models(ShiftedBetaGeometric))
    ends = pd.DataFrame({"T": [*range(1, periods + 1), periods], "churned": [True] * periods + [False]})
    likelihoods = [np.exp(contract.score(ends.iloc[[i]])) for i in range(len(ends))]
    assert sum(likelihoods) == pytest.approx(1, rel=1e-9)
    assert likelihoods[-1] == pytest.approx(float(contract.survival(periods)), rel=1e-12)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_the_order_of_rows_changes_no_fit(name: str) -> None:
    case = CASES[name]
    rows = case.data()
    mixed = rows.sample(frac=1, random_state=5)
    model, other = fitted(name), case.make().fit(mixed)
    assert other.fit_result_.parameters == pytest.approx(model.fit_result_.parameters, rel=1e-6)
    assert other.fit_result_.log_likelihood == pytest.approx(model.fit_result_.log_likelihood, rel=1e-12)
    verb = {"GammaGamma": "expected_spend", "LogSpend": "expected_spend"}.get(name, "expected_transactions")
    verb = "expected_periods" if name == "ShiftedBetaGeometric" else verb
    one, two = call(model, verb, rows), call(other, verb, mixed)
    pd.testing.assert_series_equal(two.loc[one.index], one, rtol=1e-5)
