"""Likelihoods, their gradients and forecasts against quadrature in 25 digits, at the edges of what can occur.

The table in oracle/answers.csv was computed by `python -m tests.ltv.oracle`, which knows nothing of this package: rates,
leaving probabilities, times of leaving and levels of spend are integrated out numerically.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import mpmath as mp
import numpy as np
import pandas as pd
import pytest

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
from nbdataops.ltv.contractual import shifted_beta_geometric
from nbdataops.ltv.contractual.contracts import read_contracts
from nbdataops.ltv.spend import log_spend, value_sums

from .oracle.answers import Answer, answer, read
from .oracle.cases import Case, all_cases

ATTRITION = {cls.__name__: cls for cls in (ParetoNBD, BGNBD, MBGNBD, BGCNBD, MBGCNBD, BGBB)}
MODELS = (*ATTRITION, "ShiftedBetaGeometric", "GammaGamma", "LogSpend")
every_model = pytest.mark.parametrize("model", MODELS)
ROUNDING = 16 * np.finfo(float).eps
"""Of a log-likelihood beyond a million, where a double has no nine digits behind the point left."""
TINY = mp.mpf(10) ** -290
"""What may be zero in a double."""


@dataclass(frozen=True)
class Computed:
    log_likelihood: float
    gradient: np.ndarray
    alive: float | None
    expected: float | None


def of_attrition(cases: list[Case]) -> list[Computed]:
    """What the package says of customers of one model, with the same parameters and horizon."""
    one = cases[0]
    ticks = {"k": int(one.parameters["k"])} if "k" in one.parameters else {}
    model = ATTRITION[one.model].with_parameters(**{**one.parameters, **ticks})
    rows = pd.DataFrame([case.history for case in cases])
    cells = rfm_cells(rows)
    for name in ("x", "t_x", "T"):
        np.testing.assert_array_equal(getattr(cells, name)[cells.of_customer], rows[name])
    each = np.eye(len(cells))[cells.of_customer]
    both = [model._log_likelihood(model._theta(), cells, counts) for counts in each]
    alive, expected = model.probability_alive(cells), model.expected_transactions(cells, one.horizon)
    return [
        Computed(value, gradient, alive.iloc[i], expected.iloc[i]) for i, (value, gradient) in enumerate(both)
    ]


def of_contract(case: Case) -> Computed:
    contract = pd.DataFrame([case.history]).astype({"churned": bool})
    theta = np.array(list(case.parameters.values()))
    value, gradient = shifted_beta_geometric._log_likelihood(theta, read_contracts(contract))
    model = ShiftedBetaGeometric.with_parameters(**case.parameters)
    ahead = model.expected_periods(contract.assign(churned=False), case.horizon)
    return Computed(value, gradient, None, ahead.iloc[0])


def of_spend(case: Case) -> Computed:
    theta, x = np.array(list(case.parameters.values())), np.array([case.history["x"]])
    if case.model == "LogSpend":
        design, y = np.array([[1.0, np.log1p(x[0])]]), np.array([case.history["log_spend"]])
        return Computed(*log_spend._log_likelihood(theta, y, design, x, np.ones(1)), None, None)
    sums = value_sums.value_sums(x, np.array([case.history["spend"]]), None)
    expected = GammaGamma.with_parameters(**case.parameters).expected_spend(pd.DataFrame([case.history]))
    return Computed(*value_sums.log_likelihood(theta, sums), None, expected.iloc[0])


@cache
def table() -> list[tuple[Case, Answer, Computed]]:
    rows = read()
    alike: dict[str, list[int]] = {}
    for i, (case, _) in enumerate(rows):
        alike.setdefault(f"{case.model} {case.parameters} {case.horizon}", []).append(i)
    ours: dict[int, Computed] = {}
    for of_group in alike.values():
        cases = [rows[i][0] for i in of_group]
        if cases[0].model in ATTRITION:
            found = of_attrition(cases)
        else:
            found = [(of_contract if "T" in case.history else of_spend)(case) for case in cases]
        ours.update(zip(of_group, found, strict=True))
    return [(case, exact, ours[i]) for i, (case, exact) in enumerate(rows)]


def worst(model: str, error: Callable[[Case, Answer, Computed], float]) -> tuple[float, str]:
    """The largest error of a model in the table, and its case."""
    return max((error(*row), str(row[0])) for row in table() if row[0].model == model)


def test_the_table_holds_the_cases_and_every_model_has_its_share_of_extremes() -> None:
    assert [case for case, _ in read()] == all_cases()
    count = pd.Series([case.model for case in all_cases()]).value_counts()
    assert count["ParetoNBD"] == 144
    assert set(count.index) == set(MODELS)
    assert max(case.history.get("x", 0) for case in all_cases()) == 50_000


@every_model
def test_log_likelihoods_are_exact_to_a_billionth(model: str) -> None:
    def error(case: Case, exact: Answer, ours: Computed) -> float:
        off = abs(mp.mpf(ours.log_likelihood) - exact.log_likelihood)
        return float(off / max(1, abs(exact.log_likelihood) * ROUNDING * 1e9))

    assert worst(model, error) < (1e-9, "")


@every_model
def test_gradients_are_finite_and_exact(model: str) -> None:
    def error(case: Case, exact: Answer, ours: Computed) -> float:
        assert np.isfinite(ours.gradient).all(), case
        theta = [v for name, v in case.parameters.items() if name != "k"]
        # as the search sees them: by the logarithm of a parameter
        return max(
            float(abs(mp.mpf(g) - e) * abs(t) / (1 + abs(e * t)))
            for g, e, t in zip(ours.gradient, exact.gradient, theta, strict=True)
        )

    assert worst(model, error) < (1e-9, "")


@pytest.mark.parametrize("model", ATTRITION)
def test_probabilities_of_being_alive_are_exact_however_small(model: str) -> None:
    def error(case: Case, exact: Answer, ours: Computed) -> float:
        assert 0 <= ours.alive <= 1, case
        if exact.alive < TINY:
            return 0.0 if ours.alive < 2 * TINY else 1.0
        return float(abs(mp.mpf(ours.alive) / exact.alive - 1))

    assert worst(model, error) < (1e-9, "")


@pytest.mark.parametrize("model", [m for m in MODELS if m != "LogSpend"])
def test_expectations_are_exact_however_small(model: str) -> None:
    def error(case: Case, exact: Answer, ours: Computed) -> float:
        assert ours.expected >= 0, case
        if exact.expected < TINY:
            return 0.0 if ours.expected < 2 * TINY else 1.0
        return float(abs(mp.mpf(ours.expected) / exact.expected - 1))

    assert worst(model, error) < (1e-9, "")


def agrees(case: Case, written: Answer, digits: int) -> None:
    """The table's numbers come out again at another precision."""
    again = answer(case, digits)
    floor = 1e-15  # of logarithms; probabilities may be as small as they like
    pairs = [(written.log_likelihood, again.log_likelihood, floor)]
    theta = [abs(v) for name, v in case.parameters.items() if name != "k"]
    pairs += zip(written.gradient, again.gradient, [floor / v for v in theta], strict=True)
    pairs += [(written.alive, again.alive, 0), (written.expected, again.expected, 0)]
    for one, other, least in pairs:
        if one is not None:
            assert abs(one - other) <= 1e-12 * abs(one) + least, str(case)


def test_rows_drawn_at_random_are_integrated_again() -> None:
    rows = read()
    for model in MODELS:
        of_model = [row for row in rows if row[0].model == model]
        agrees(*random.choice(of_model), digits=20)


@pytest.mark.slow
@every_model
def test_all_rows_are_integrated_again_with_more_digits(model: str) -> None:
    for case, written in read():
        if case.model == model:
            agrees(case, written, digits=32)


@pytest.mark.parametrize(("x", "t_x", "T"), [(0, 0, 12), (3, 8, 12)])
def test_one_integral_over_the_time_of_leaving_is_the_two_over_both_rates(x: int, t_x: int, T: int) -> None:
    from .oracle import pareto_nbd
    from .oracle.integral import log_integral

    with mp.workdps(10):
        r, alpha, s, beta = theta = [mp.mpf(v) for v in (0.55, 10.6, 0.61, 11.7)]

        def of_rates(log_rate: mp.mpf) -> mp.mpf:
            rate = mp.exp(log_rate)

            def of_leaving(log_leaving: mp.mpf) -> mp.mpf:
                leaving = mp.exp(log_leaving)
                both = rate + leaving
                seen = (leaving * mp.exp(-both * t_x) + rate * mp.exp(-both * T)) / both
                return s * log_leaving - beta * leaving + mp.log(seen)

            return (r + x) * log_rate - alpha * rate + log_integral(of_leaving, mp.log(s / beta), mp.mpf(1))

        both = log_integral(of_rates, mp.log((r + x) / (alpha + T)), 1 / mp.sqrt(1 + x))
        both += r * mp.log(alpha) - mp.loggamma(r) + s * mp.log(beta) - mp.loggamma(s)
        assert abs(both - pareto_nbd.log_likelihood(theta, x, mp.mpf(t_x), mp.mpf(T))) < 1e-7


def test_a_state_of_bg_bb_is_two_integrals() -> None:
    from .oracle import bg_bb

    with mp.workdps(20):
        theta = [mp.mpf(v) for v in (1.204, 0.75, 0.657, 2.783)]
        states = [bg_bb.log_state(theta, 2, 6, gone=False)]
        states += [bg_bb.log_state(theta, 2, last, gone=True) for last in (4, 5)]
        by_quadrature = mp.log(mp.fsum(mp.exp(state) for state in states))
        assert abs(by_quadrature - bg_bb.log_likelihood(theta, 2, 4, 6)) < 1e-15
