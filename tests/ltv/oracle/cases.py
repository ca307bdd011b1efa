"""Customers and parameters at the edges of what can occur: scales a million apart, 50,000 purchases, no silence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product


@dataclass(frozen=True, slots=True)
class Case:
    """One customer of one model. `ticks` of a purchase (k) are part of its parameters where a model has them."""

    model: str
    parameters: dict[str, float]
    history: dict[str, float]
    horizon: float

    def __str__(self) -> str:
        return f"{self.model}: {pairs(self.parameters)}; {pairs(self.history)}; horizon={self.horizon!r}"


def pairs(values: dict[str, float]) -> str:
    """name=value, apart by spaces."""
    return " ".join(f"{name}={value!r}" for name, value in values.items())


HISTORIES = (
    # x, t_x, T
    (0, 0.0, 0.0),
    (0, 0.0, 1e-3),
    (0, 0.0, 1500.0),
    (1, 1e-3, 39.0),
    (1, 39.0, 39.0),
    (7, 20.0, 39.0),
    (132, 200.0, 200.0),
    (133, 200.0, 200.0),
    (133, 199.0, 200.0),
    (1500, 30.0, 3000.0),
    (20_000, 0.5, 39.0),
    (20_000, 38.9, 39.0),
    (50_000, 3000.0, 3000.0),
    (50_000, 2999.0, 3000.0),
    (50_000, 1e-3, 3000.0),
    (50_000, 1500.0, 1500.000001),
)
PARETO = (
    # r, alpha, s, beta
    (0.55, 10.6, 0.61, 11.7),
    (0.55, 11.7, 0.61, 10.6),
    (5.0, 2.0, 3.0, 2.0),  # alpha equals beta
    (0.1, 50.0, 2.5, 0.02),
    (3.0, 0.01, 0.05, 400.0),
    (0.02, 1e-3, 1e-3, 1e3),  # a million to one
    (0.3, 1e4, 2.0, 1e-2),  # one to a million
    (0.8, 10.0, 430.0, 166_000.0),  # the ridge of a real log
    (1e-3, 1e-3, 50.0, 5e3),
)
BETA_GEOMETRIC = (
    # r, alpha, a, b
    (0.243, 4.414, 0.793, 2.426),
    (0.55, 10.6, 0.01, 30.0),  # hardly anybody leaves
    (3.0, 0.01, 40.0, 0.5),  # nearly everybody leaves at once
    (0.02, 1e-3, 1e-3, 1e-3),  # forever or not at all
    (5e4, 1e6, 2e3, 3e4),  # all alike
    (0.3, 1e4, 2.0, 1e-2),
    (2.0, 5.0, 1e-3, 1e3),  # one to a million
    (1.0, 2.0, 1e3, 1e-3),  # a million to one
    (1.3, 9.0, 1.0, 2.0),  # where the closed form of the mean divides by zero
)
OCCASIONS = (
    # x, t_x, T
    (0, 0, 0),
    (0, 0, 1),
    (1, 1, 1),
    (0, 0, 6),
    (2, 4, 6),
    (6, 6, 6),
    (1, 1, 60),
    (1, 60, 60),
    (60, 60, 60),
    (0, 0, 1000),
    (3, 500, 1000),
    (900, 1000, 1000),
    (1000, 1000, 1000),
)
BG_BB = (
    # alpha, beta, gamma, delta
    (1.204, 0.75, 0.657, 2.783),
    (0.01, 30.0, 0.01, 5.0),
    (1e-3, 1e3, 1e3, 1e-3),
    (40.0, 0.5, 0.05, 200.0),
    (1e4, 2e4, 3e3, 9e4),
    (0.3, 0.3, 1e-3, 1e-3),
)
CONTRACTS = (
    # T, churned
    (0, 0),
    (1, 1),
    (1, 0),
    (7, 1),
    (7, 0),
    (1000, 1),
    (1000, 0),
    (50_000, 1),
    (50_000, 0),
)
SHIFTED = (
    # alpha, beta
    (0.704, 1.182),
    (1e-3, 1e-3),
    (1e-3, 1e3),
    (1e3, 1e-3),
    (40.0, 0.5),
    (3e4, 9e5),
    (0.05, 20.0),
)
SPENDS = (
    # x, mean spend
    (1, 1e-6),
    (1, 35.0),
    (1, 1e7),
    (2, 22.35),
    (50, 1.0),
    (132, 1e4),
    (5000, 30.0),
    (50_000, 1e-3),
    (50_000, 30.0),
    (50_000, 1e6),
)
GAMMA_GAMMA = (
    # p, q, gamma
    (6.25, 3.74, 15.44),
    (0.01, 1.01, 1e-3),
    (1e3, 50.0, 1.0),
    (8e4, 3.0, 1e-3),  # transactions of a customer all alike
    (0.5, 2e4, 1e6),  # customers all alike
    (2.0, 1.5, 1e8),
    (3.0, 8e4, 1e6),
)
LOG_SPENDS = (
    # x, logarithm of mean spend
    (1, -13.0),
    (1, 3.0),
    (2, 3.3),
    (132, 9.0),
    (50_000, -3.0),
    (50_000, 12.0),
)
LOG_SPEND = (
    # intercept, slope, tau, sigma
    (2.0, 0.5, 0.4, 0.7),
    (-3.0, -2.0, 1e-4, 3.0),
    (5.0, 0.01, 6.0, 1e-4),
    (11.0, 1.0, 50.0, 20.0),
)


def all_cases() -> list[Case]:
    """Every case of every model, in the order of the table."""
    return [
        *_crossed("ParetoNBD", ("r", "alpha", "s", "beta"), PARETO, ("x", "t_x", "T"), HISTORIES, 52.0),
        *_beta_geometric(),
        *_crossed("BGBB", ("alpha", "beta", "gamma", "delta"), BG_BB, ("x", "t_x", "T"), OCCASIONS, 300),
        *_crossed("ShiftedBetaGeometric", ("alpha", "beta"), SHIFTED, ("T", "churned"), CONTRACTS, 300),
        *_crossed("GammaGamma", ("p", "q", "gamma"), GAMMA_GAMMA, ("x", "spend"), SPENDS, 0.0),
        *_crossed(
            "LogSpend",
            ("intercept", "slope", "tau", "sigma"),
            LOG_SPEND,
            ("x", "log_spend"),
            LOG_SPENDS,
            0.0,
        ),
    ]


def _crossed(
    model: str,
    names: tuple[str, ...],
    parameters: tuple[tuple[float, ...], ...],
    columns: tuple[str, ...],
    histories: tuple[tuple[float, ...], ...],
    horizon: float,
) -> Iterator[Case]:
    for theta, history in product(parameters, histories):
        yield Case(
            model,
            dict(zip(names, theta, strict=True)),
            dict(zip(columns, history, strict=True)),
            horizon,
        )


def _beta_geometric() -> Iterator[Case]:
    names, columns = ("r", "alpha", "a", "b"), ("x", "t_x", "T")
    for model in ("BGNBD", "MBGNBD"):
        yield from _crossed(model, names, BETA_GEOMETRIC, columns, HISTORIES, 52.0)
    for model, k in (("BGCNBD", 3.0), ("MBGCNBD", 12.0)):
        for case in _crossed(model, names, BETA_GEOMETRIC, columns, HISTORIES, 0.0):
            # a horizon of few ticks, each of which the oracle adds up
            rate = (case.parameters["r"] + k * case.history["x"]) / (
                case.parameters["alpha"] + case.history["T"]
            )
            horizon = min(52.0, float(f"{300 / rate:.2g}"))
            yield Case(model, {**case.parameters, "k": k}, case.history, horizon)
