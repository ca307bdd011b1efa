"""Published numbers are reproduced, and their tolerances are no wider than what was printed."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import mpmath as mp
import numpy as np
import pytest

from nbdataops.ltv import BGNBD, LtvInputError
from nbdataops.ltv.reference import (
    DATA_SETS,
    MODELS,
    Grounds,
    Reference,
    check,
    compute,
    data_set,
    references,
)
from nbdataops.ltv.reference import __main__ as command
from nbdataops.ltv.reference.quantities import OF_BOTH, OF_DATA, OF_MODEL

ROWS = references()


def some(grounds: Grounds, quantity: str = "", model: str = "") -> list[Reference]:
    return [r for r in ROWS if r.grounds is grounds and quantity in r.quantity and model in r.model]


def half_a_unit(printed: str) -> float:
    exponent = Decimal(printed).as_tuple().exponent
    assert isinstance(exponent, int)
    return float(Decimal(5).scaleb(exponent - 1))


@pytest.mark.parametrize("reference", ROWS, ids=str)
def test_published_numbers_are_reproduced(reference: Reference) -> None:
    computed = compute(reference)
    assert reference.agrees(computed), f"{computed!r}, published {reference.printed} by {reference.source}"


# ------------------------------------------------------------------ the table
def test_every_row_has_a_source_and_every_model_data_set_and_quantity_has_a_row() -> None:
    assert all(r.source for r in ROWS)
    assert {r.model for r in ROWS} - {""} == set(MODELS)
    assert {r.data for r in ROWS} - {""} == set(DATA_SETS)
    assert {*OF_BOTH, *OF_DATA, *OF_MODEL} <= {r.quantity for r in ROWS}
    assert {r.grounds for r in ROWS} == set(Grounds)


def test_no_number_is_there_twice() -> None:
    seen = [(r.model, r.data, tuple(r.parameters.items()), r.quantity, str(r), r.printed) for r in ROWS]
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize(
    ("grounds", "widest"),
    [
        (Grounds.EXACT, lambda r: 0.0),
        (Grounds.DIGITS, lambda r: half_a_unit(r.printed)),
        (Grounds.SEARCH, lambda r: (1e-4 if r.model == "BGNBD" else 1e-3) * abs(r.value)),
        (Grounds.DOUBLE, lambda r: 1e-12 * abs(r.value)),
        (Grounds.FORMULA, lambda r: 1e-9 * abs(r.value)),
    ],
)
def test_a_tolerance_is_what_its_grounds_allow(
    grounds: Grounds, widest: Callable[[Reference], float]
) -> None:
    rounded_up = 1.1  # tolerances are written with two digits
    assert [str(r) for r in some(grounds) if r.tolerance > rounded_up * widest(r)] == []


PRINTED_PARAMETERS = {
    "r=0.2425967": 5e-8,
    "alpha=4.413659": 5e-7,
    "a=0.7929869": 5e-8,
    "b=2.426164": 5e-7,
    "alpha=1.203528": 5e-7,
    "beta=0.749726": 5e-8,
    "gamma=0.6567808": 5e-8,
    "delta=2.783796": 5e-7,
    "r=0.7866": 5e-5,
    "alpha=5.3349": 5e-5,
    "s=0.357": 5e-5,
    "beta=11.6152": 5e-5,
    "k=2": 0.0,
}
"""Half a unit of the last digit of parameters that are printed rounded; 0.0005 where it is not said here."""


def half_units(reference: Reference) -> dict[str, float]:
    return {n: PRINTED_PARAMETERS.get(f"{n}={v:.9g}", 5e-4) for n, v in reference.parameters.items()}


@pytest.mark.parametrize("reference", some(Grounds.PARAMETERS), ids=str)
def test_rounded_parameters_allow_no_more_than_their_rounding(reference: Reference) -> None:
    at = compute(reference)
    widest = half_a_unit(reference.printed)
    for name, half in half_units(reference).items():
        ends = [reference.parameters | {name: reference.parameters[name] + side * half} for side in (-1, 1)]
        widest += max(abs(compute(replace(reference, parameters=end)) - at) for end in ends) if half else 0.0
    assert reference.tolerance <= 1.1 * widest


@pytest.mark.parametrize(
    ("source", "count"), [("CLVTools 0.12.1, README", 9), ("BTYD 2.4.3, walkthrough, section 3.3", 7)]
)
def test_one_point_within_the_rounding_of_the_parameters_gives_all_numbers_of_a_source(
    source: str, count: int
) -> None:
    """So a tolerance that had to be wide for rounded parameters hides no wrong formula: it is one point for all."""
    rows = [r for r in ROWS if source in r.source and r.parameters and r.quantity != "lifetime_value"]
    assert len(rows) == count
    names, half = list(rows[0].parameters), np.array(list(half_units(rows[0]).values()))
    center = np.array(list(rows[0].parameters.values()))

    def misses(at: np.ndarray) -> np.ndarray:
        given = dict(zip(names, center + at * half, strict=True))
        return np.array(
            [(compute(replace(r, parameters=given)) - r.value) / half_a_unit(r.printed) for r in rows]
        )

    at = np.zeros(4)
    for _ in range(3):  # Gauss-Newton
        slope = np.stack([(misses(at + step) - misses(at)) / 0.01 for step in 0.01 * np.eye(4)], axis=1)
        at = at - np.linalg.lstsq(slope, misses(at), rcond=None)[0]
    assert np.abs(at).max() < 1
    assert np.abs(misses(at)).max() < 1.1


def test_hardies_spreadsheet_adds_up_150_terms() -> None:
    """Its E[X(78)] is the hypergeometric series cut off, which its tolerance stands for."""
    [row] = some(Grounds.SERIES)
    model = BGNBD().fit(data_set("cdnow-sample"))
    r, alpha, a, b, t = model.r_, model.alpha_, model.a_, model.b_, row.inputs["horizon"]
    j = np.arange(1, 150)
    ratios = (r + j - 1) * (b + j - 1) / ((a + b + j - 2) * j) * t / (alpha + t)
    series = 1 + np.cumprod(ratios).sum()
    cut_off = (a + b - 1) / (a - 1) * (1 - (alpha / (alpha + t)) ** r * series)
    assert abs(cut_off - row.value) <= half_a_unit(row.printed)
    assert row.tolerance <= 1.1 * (abs(compute(row) - cut_off) + half_a_unit(row.printed))


@pytest.mark.parametrize("row", some(Grounds.FORMULA, model="ParetoNBD"), ids=str)
def test_dert_of_pareto_nbd_is_its_closed_form(row: Reference) -> None:
    """Fader, Hardie and Lee 2005: Tricomi's function over the likelihood, which is integrated over the time of leaving."""
    with mp.workdps(30):
        r, alpha, s, beta = (mp.mpf(str(v)) for v in row.parameters.values())
        x, t_x, T = (mp.mpf(round(7 * row.inputs[n])) / 7 for n in ("x", "t_x", "T"))
        delta = mp.mpf(str(row.inputs["force"]))

        def gone_at(u: mp.mpf) -> mp.mpf:
            return (alpha + u) ** -(r + x) * s * beta**s * (beta + u) ** -(s + 1)

        left = mp.quad(gone_at, mp.linspace(t_x, T, 9)) if t_x < T else mp.mpf(0)
        alive = (alpha + T) ** -(r + x) * (beta / (beta + T)) ** s
        likelihood = mp.gamma(r + x) * alpha**r / mp.gamma(r) * (left + alive)
        top = alpha**r * beta**s * delta ** (s - 1) * mp.gamma(r + x + 1)
        exact = top * mp.hyperu(s, s, delta * (beta + T))
        exact /= mp.gamma(r) * (alpha + T) ** (r + x + 1) * likelihood
    assert row.value == pytest.approx(float(exact), rel=1e-14)


@pytest.mark.parametrize("row", some(Grounds.FORMULA, model="BGBB"), ids=str)
def test_dert_of_bg_bb_is_its_closed_form(row: Reference) -> None:
    """Fader, Hardie and Shang 2010: a hypergeometric function over the likelihood."""
    with mp.workdps(30):
        alpha, beta, gamma, delta = (mp.mpf(str(v)) for v in row.parameters.values())
        x, t_x, n = (int(row.inputs[name]) for name in ("x", "t_x", "T"))
        d = mp.mpf(str(row.inputs["discount_rate"]))
        bought, leaves = mp.beta(alpha, beta), mp.beta(gamma, delta)
        likelihood = mp.beta(alpha + x, beta + n - x) / bought * mp.beta(gamma, delta + n) / leaves
        for i in range(n - t_x):
            there = mp.beta(alpha + x, beta + t_x - x + i) / bought
            likelihood += there * mp.beta(gamma + 1, delta + t_x + i) / leaves
        exact = mp.beta(alpha + x + 1, beta + n - x) / bought * mp.beta(gamma, delta + n + 1) / leaves
        exact *= mp.hyp2f1(1, delta + n + 1, gamma + delta + n + 1, 1 / (1 + d)) / (1 + d) / likelihood
    assert row.value == pytest.approx(float(exact), rel=1e-14)


def test_the_regular_segment_is_maximised_in_30_digits() -> None:
    contracts = data_set("survivors-regular")
    with mp.workdps(30):
        left = [mp.mpf(round(n)) for n in contracts["n"]]

        def log_likelihood(a: mp.mpf, b: mp.mpf) -> mp.mpf:
            ended = [mp.beta(a + 1, b + t - 1) for t in range(1, 8)]
            shares = [*ended, mp.beta(a, b + 7)]
            return sum(n * mp.log(share / mp.beta(a, b)) for n, share in zip(left, shares, strict=True))

        def slope(a: mp.mpf, b: mp.mpf) -> list[mp.mpf]:
            return [mp.diff(log_likelihood, (a, b), order) for order in ((1, 0), (0, 1))]

        a, b = mp.findroot(slope, (mp.mpf("0.7"), mp.mpf("1.2")))
        exact = {"log_likelihood": log_likelihood(a, b)}
        exact |= {f"survival {t}": mp.beta(a, b + t) / mp.beta(a, b) for t in range(8, 13)}
    rows = some(Grounds.FORMULA, model="ShiftedBetaGeometric")
    names = [f"{r.quantity} {r.inputs['period']:g}" if r.inputs else r.quantity for r in rows]
    assert sorted(names) == sorted(exact)
    for name, row in zip(names, rows, strict=True):
        assert row.value == pytest.approx(float(exact[name]), rel=1e-11)


# ------------------------------------------------------------------ agreeing
def test_a_number_off_by_more_than_its_tolerance_or_missing_does_not_agree() -> None:
    row = next(r for r in ROWS if r.tolerance > 0)
    assert row.agrees(row.value + 0.9 * row.tolerance)
    assert not row.agrees(row.value + 1.1 * row.tolerance)
    assert not row.agrees(math.nan)


ONE_OF_EACH = {(r.model, r.quantity): r for r in ROWS if r.parameters and r.value}.values()


@pytest.mark.parametrize("row", ONE_OF_EACH, ids=str)
def test_other_parameters_give_other_numbers(row: Reference) -> None:
    misses = []
    for name in set(row.parameters) - {"k"}:
        other = compute(replace(row, parameters=row.parameters | {name: 1.5 * row.parameters[name]}))
        misses.append(abs(other - row.value) / row.tolerance)
    assert max(misses) > 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model": "BGNDB"}, "did you mean 'BGNBD'"),
        ({"quantity": "expected_transaction"}, "did you mean 'expected_transactions'"),
        ({"data": "donation", "quantity": "customers"}, "did you mean 'donations'"),
        ({"inputs": {"x": 2.0, "t_x": 9.0, "T": 8.0, "horizon": 1.0}}, "t_x is later than T"),
    ],
)
def test_what_cannot_be_computed_is_a_failure_with_its_reason(change: dict[str, object], says: str) -> None:
    row = next(r for r in ROWS if r.model == "BGNBD" and r.quantity == "expected_transactions")
    broken = replace(row, **change)  # type: ignore[arg-type]
    with pytest.raises(LtvInputError):
        compute(broken)
    [found] = check([broken])
    assert not found.agrees
    assert math.isnan(found.computed)
    assert says in found.failure


# ------------------------------------------------------------------ the command
def test_the_command_prints_a_line_a_number_and_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--model", "GammaGamma"]) == 0
    head, *lines, _, summary = capsys.readouterr().out.splitlines()
    rows = [r for r in ROWS if r.model == "GammaGamma"]
    assert head.split() == ["model", "quantity", "published", "computed", "tolerance", "verdict", "source"]
    assert len(lines) == len(rows)
    assert all(
        r.printed in line and "agrees" in line and r.source in line
        for r, line in zip(rows, lines, strict=True)
    )
    assert summary == f"{len(rows)} of {len(rows)} published numbers agree"


def test_the_command_fails_when_one_number_differs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    right, other = some(Grounds.DIGITS, "alpha", "BGNBD")[0], some(Grounds.DIGITS, "r", "BGNBD")[0]
    monkeypatch.setattr(command, "references", lambda: (right, replace(other, printed="0.244")))
    assert command.main([]) == 1
    out = capsys.readouterr().out
    assert out.count("DIFFERS") == 1
    assert "1 of 2 published numbers agree" in out


def test_the_command_speaks_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    right = some(Grounds.DIGITS, "alpha", "BGNBD")[0]
    monkeypatch.setattr(command, "references", lambda: (right, replace(right, quantity="alphabet")))
    assert command.main(["--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["agree"], answer["of"]) == (1, 2)
    good, bad = answer["rows"]
    assert good["agrees"]
    assert good["computed"] == pytest.approx(4.4136, abs=1e-4)
    assert bad["computed"] is None
    assert "alpha" in bad["failure"]


def test_the_package_of_methods_imports_none_of_it() -> None:
    code = "import nbdataops.ltv, sys; print([n for n in sys.modules if n.startswith('nbdataops.ltv.reference')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
