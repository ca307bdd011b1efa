"""What each case answers: log-likelihood, its gradient, P(alive) and the expectation ahead, to many digits."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import mpmath as mp

from . import beta_geometric, bg_bb, contracts, pareto_nbd, spend
from .cases import Case, pairs
from .integral import gradient

TABLE = Path(__file__).parent / "answers.csv"
DIGITS = 25
KEPT = 20
COLUMNS = ("model", "parameters", "history", "horizon", "log_likelihood", "gradient", "alive", "expected")


@dataclass(frozen=True, slots=True)
class Answer:
    """`gradient` by the parameters but k; `alive` and `expected` None where a model has none."""

    log_likelihood: mp.mpf
    gradient: tuple[mp.mpf, ...]
    alive: mp.mpf | None
    expected: mp.mpf | None


def answer(case: Case, digits: int = DIGITS) -> Answer:
    """Integrate, at a precision of `digits`."""
    with mp.workdps(digits):
        theta = [mp.mpf(v) for name, v in case.parameters.items() if name != "k"]
        log_value, alive, expected = _verbs(case)
        return Answer(
            log_value(theta),
            tuple(gradient(log_value, theta)),
            alive(theta) if alive else None,
            expected(theta) if expected else None,
        )


def write() -> None:
    """Compute the whole table anew."""
    from .cases import all_cases

    with TABLE.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for case in all_cases():
            found = answer(case)
            rows.writerow(
                [
                    case.model,
                    pairs(case.parameters),
                    pairs(case.history),
                    repr(case.horizon),
                    _text(found.log_likelihood),
                    " ".join(_text(g) for g in found.gradient),
                    _text(found.alive),
                    _text(found.expected),
                ]
            )


def read() -> list[tuple[Case, Answer]]:
    """The table as it was written."""
    with TABLE.open(newline="") as file, mp.workdps(DIGITS):
        return [(_case(row), _answer(row)) for row in csv.DictReader(file)]


def _verbs(case: Case) -> tuple[Callable[..., mp.mpf], ...]:
    """Log-likelihood, P(alive) and expectation as functions of the parameters; None where there is none."""
    h = case.history
    if case.model == "ShiftedBetaGeometric":
        ahead = partial(contracts.expected_periods, T=int(h["T"]), horizon=int(case.horizon))
        return partial(contracts.log_likelihood, T=int(h["T"]), churned=bool(h["churned"])), None, ahead
    if case.model == "GammaGamma":
        seen = {"x": int(h["x"]), "spend": mp.mpf(h["spend"])}
        return (
            partial(spend.gamma_gamma_log_likelihood, **seen),
            None,
            partial(spend.gamma_gamma_expected, **seen),
        )
    if case.model == "LogSpend":
        seen = {"x": int(h["x"]), "log_spend": mp.mpf(h["log_spend"])}
        return partial(spend.log_spend_log_likelihood, **seen), None, None
    if case.model == "BGBB":
        seen = {name: int(h[name]) for name in ("x", "t_x", "T")}
        model, ahead = bg_bb, {"horizon": int(case.horizon)}
    else:
        seen = {"x": int(h["x"]), "t_x": mp.mpf(h["t_x"]), "T": mp.mpf(h["T"])}
        model, ahead = pareto_nbd, {"horizon": mp.mpf(case.horizon)}
        if case.model != "ParetoNBD":
            model = beta_geometric
            seen |= {
                "ticks": int(case.parameters.get("k", 1)),
                "first_chance": int(case.model.startswith("M")),
            }
    return (
        partial(model.log_likelihood, **seen),
        partial(model.probability_alive, **seen),
        partial(model.expected_transactions, **seen, **ahead),
    )


def _text(value: mp.mpf | None) -> str:
    return "" if value is None else mp.nstr(value, KEPT)


def _case(row: dict[str, str]) -> Case:
    return Case(row["model"], _numbers(row["parameters"]), _numbers(row["history"]), float(row["horizon"]))


def _numbers(text: str) -> dict[str, float]:
    return {name: float(value) for name, value in (pair.split("=") for pair in text.split())}


def _answer(row: dict[str, str]) -> Answer:
    alive, expected = (mp.mpf(row[name]) if row[name] else None for name in ("alive", "expected"))
    return Answer(
        mp.mpf(row["log_likelihood"]), tuple(mp.mpf(g) for g in row["gradient"].split()), alive, expected
    )
