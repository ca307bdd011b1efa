"""The integral of Pareto/NBD against quadrature in 30 digits."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

from nbdataops.ltv.attrition.pareto_tail import log_relative_tail

SHAPES = {
    "alike": (0.55, 10.6, 0.61, 11.7),
    "mirrored": (0.55, 11.7, 0.61, 10.6),
    "equal": (0.55, 11.0, 0.61, 11.0),
    "alpha large": (0.1, 50.0, 2.5, 0.02),
    "beta large": (3.0, 0.01, 0.05, 400.0),
    "a million to one": (0.02, 1e-3, 1e-3, 1e3),
    "one to a million": (0.3, 1e4, 2.0, 1e-2),
    "ridge": (0.8, 10.0, 430.0, 166_000.0),
}
CASES = [
    *((name, x, y) for name in SHAPES for x, y in ((0, 0.0), (7, 39.0))),
    ("beta large", 150, 0.5),
    ("alpha large", 2500, 0.0),
    ("a million to one", 1, 0.0),
    ("alike", 20_000, 39.0),
    ("mirrored", 50_000, 1500.0),
]


def by_quadrature(theta: tuple[float, ...], x: int, y: float) -> mp.mpf:
    """log R(y), over t = log((lo + u) / (lo + y)) in panels that grow with t."""
    r, alpha, s, beta = (mp.mpf(v) for v in theta)
    lo = min(alpha, beta) + y
    powers = (r + x) * mp.log(alpha + y) + s * mp.log(beta + y)

    def exponent(t: mp.mpf) -> mp.mpf:
        u = y + lo * mp.expm1(t)
        return -(r + x) * mp.log(alpha + u) - (s + 1) * mp.log(beta + u) + t

    start, t, panels = exponent(mp.mpf(0)), mp.mpf(10) ** -7, [mp.mpf(0)]
    while exponent(t) - start > -60:
        panels.append(t)
        t *= 3 if t < 1 else 1.7
    panels.append(t)
    rest = mp.exp(exponent(t) - start) / (
        r + x + s
    )  # behind the last panel the integrand is a pure exponential
    return mp.log(mp.quad(lambda v: mp.exp(exponent(v) - start), panels) + rest) + start + mp.log(lo) + powers


@pytest.mark.parametrize(("name", "x", "y"), CASES)
def test_the_logarithm_agrees_with_quadrature(name: str, x: int, y: float) -> None:
    with mp.workdps(25):
        exact = by_quadrature(SHAPES[name], x, y)
        ours = log_relative_tail(np.array(SHAPES[name]), np.array([float(x)]), np.array([y])).log[0]
        assert abs(mp.mpf(float(ours)) - exact) < 1e-12 * max(1, abs(exact))


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("x", [0, 3, 60])
def test_the_gradient_agrees_with_differences(name: str, x: int) -> None:
    theta, xs, ys = np.array(SHAPES[name]), np.full(3, float(x)), np.array([0.0, 1.0, 39.0])
    gradient = log_relative_tail(theta, xs, ys).gradient
    for j in range(4):
        step = np.zeros(4)
        step[j] = 1e-4 * theta[j]
        one, two = (
            log_relative_tail(theta + k * step, xs, ys).log - log_relative_tail(theta - k * step, xs, ys).log
            for k in (1, 2)
        )
        differences = (8 * one - two) / (12 * step[j])
        np.testing.assert_allclose(gradient[:, j] * theta[j], differences * theta[j], rtol=1e-6, atol=1e-8)


def test_pairs_do_not_disturb_each_other() -> None:
    theta = np.array(SHAPES["beta large"])
    x, y = np.array([0.0, 5.0, 5.0, 200.0]), np.array([0.0, 0.0, 900.0, 3.0])
    together = log_relative_tail(theta, x, y)
    alone = [log_relative_tail(theta, x[i : i + 1], y[i : i + 1]) for i in range(4)]
    np.testing.assert_allclose(together.log, [a.log[0] for a in alone], rtol=1e-14)
    np.testing.assert_allclose(together.gradient, [a.gradient[0] for a in alone], rtol=1e-10)
