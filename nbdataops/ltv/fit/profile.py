"""Profile-likelihood intervals: how far a parameter can go before the best fit of all others is refuted.

The signed root of the deviance, r(t) = sign(t) sqrt(2 (L_max - L_profile(t))), is nearly a straight line in the
parameter's logarithm even where the likelihood is skewed, so Newton's method on r finds its end points in a few
steps; its slope comes from the gradient alone, since the other parameters are at their best.
Source: Venzon and Moolgavkar 1988, A method for computing profile-likelihood-based confidence intervals, Applied
Statistics 37:87.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbdataops.ltv.columns import FloatArray
from nbdataops.ltv.fit.objective import Objective
from nbdataops.ltv.fit.one_thread import one_thread

FARTHEST = 12.0
"""How far an end point may lie from the optimum, in search units; beyond, that side has no end."""
WIDEST = 2 * FARTHEST
"""How far the other parameters may go from their optimum: far enough to be without effect, not to overflow."""
ENOUGH = 1e-4
"""Precision of r at an end point; 1e-4 moves the level of the interval by less than 1e-4."""
NEGLIGIBLE = 1e-2
"""Deviance that the other parameters may leave at an end where no search gets closer to their optimum."""


def profile_end(
    objective: Objective, at: FloatArray, best: float, hessian: FloatArray, j: int, r: float
) -> float:
    """Where the profile of coordinate j has fallen to the signed root `r`, as a coordinate; infinite if nowhere.

    `at`: the optimum, `best`: the objective there, `hessian`: its second derivatives, which give the first guess. NaN
    if the profile could not be followed to its end.
    """
    side = float(np.sign(r))
    rest = np.arange(len(at)) != j
    curvature = _profile_curvature(hessian, rest, j)
    scale = 2 * objective.total_weight
    step = abs(r) / np.sqrt(scale / 2 * curvature) if curvature > 0 else 1.0
    inside, outside, t = 0.0, np.inf, min(step, 2.0)
    u = at.copy()
    for _ in range(40):
        u, is_best = _best_rest(objective, _moved(at, u, j, at[j] + side * t), rest, at, hessian)
        value, gradient = objective(u)
        root = np.sqrt(max(scale * (value - best), 0.0))
        if not (is_best or root < abs(r)):  # not even the others' best is known to be that bad
            return float("nan")
        if not np.isfinite(value):
            outside = t
        elif abs(root - abs(r)) < ENOUGH:
            return float(u[j])
        elif root < abs(r):
            inside = t
        else:
            outside = t
        if inside >= FARTHEST:
            return side * np.inf
        slope = scale * side * gradient[j] / (2 * root) if root > 0 and np.isfinite(value) else 0.0
        t = t + (abs(r) - root) / slope if slope > 0 else np.inf
        if not inside < t < outside:
            t = (inside + outside) / 2 if np.isfinite(outside) else 2 * inside + 0.5
        t = min(t, 3 * inside + 1.0, FARTHEST)
        if np.isfinite(outside) and outside - inside < 1e-9:
            return float(at[j] + side * inside)
    return float("nan")


def _moved(at: FloatArray, last: FloatArray, j: int, to: float) -> FloatArray:
    """A guess with coordinate j at `to`: the others go on along the line from the optimum through the last point."""
    gone = last[j] - at[j]
    guess = at + (last - at) * ((to - at[j]) / gone) if gone else at.copy()
    guess[j] = to
    return guess


def _profile_curvature(hessian: FloatArray, rest: FloatArray, j: int) -> float:
    """Second derivative of the profile at the optimum (the Schur complement); 0 where there is none."""
    if not np.isfinite(hessian).all():
        return 0.0
    inner = hessian[np.ix_(rest, rest)]
    if not rest.any():
        return float(hessian[j, j])
    if np.linalg.eigvalsh(inner)[0] <= 0:
        return 0.0
    across = hessian[j, rest]
    return float(hessian[j, j] - across @ np.linalg.solve(inner, across))


def _best_rest(
    objective: Objective, u: FloatArray, rest: NDArray[np.bool_], at: FloatArray, hessian: FloatArray
) -> tuple[FloatArray, bool]:
    """The optimum of all coordinates but one, no farther than WIDEST from where all were at their best: `at`.

    `hessian`: second derivatives not far away, to start with. False if the search ended before the optimum.
    """
    if not rest.any():
        return u, True
    from scipy.optimize import minimize  # late: it is a third of the time that importing this package takes

    def reduced(v: FloatArray) -> tuple[float, FloatArray]:
        full = u.copy()
        full[rest] = np.clip(v, at[rest] - WIDEST, at[rest] + WIDEST)
        value, gradient = objective(full)
        if not np.isfinite(value):
            return 1e300, np.zeros(len(v))
        beyond = v - full[rest]  # a slope back, where nothing is computed any more
        return value + float(beyond @ beyond) / 2, np.where(beyond == 0, gradient[rest], beyond)

    options: dict[str, Any] = {"gtol": 1e-6 / max(objective.total_weight, 1.0) ** 0.25, "maxiter": 60}
    inner = hessian[np.ix_(rest, rest)]
    if np.isfinite(inner).all() and np.linalg.eigvalsh(inner)[0] > 0:
        inverse = np.linalg.inv(inner)
        options["hess_inv0"] = (inverse + inverse.T) / 2  # scipy asks for symmetry to the last bit
    with one_thread("blas"):
        found = minimize(
            reduced,
            u[rest],
            jac=True,
            method="BFGS",
            options=options,
        )
    best = u.copy()
    best[rest] = np.clip(found.x, at[rest] - WIDEST, at[rest] + WIDEST)
    if found.success or np.any(best[rest] != found.x):
        return best, True
    return _by_newton(objective, best, rest)


def _by_newton(objective: Objective, u: FloatArray, rest: NDArray[np.bool_]) -> tuple[FloatArray, bool]:
    """Newton steps where BFGS gave up, as it does in valleys a million times as long as wide; False if they do."""
    value, gradient = objective(u)
    for _ in range(30):
        inner = objective.hessian(u)[np.ix_(rest, rest)]
        if not (np.isfinite(inner).all() and np.isfinite(value)):
            return u, False
        values, vectors = np.linalg.eigh(inner)
        curvature = np.maximum(np.abs(values), 1e-12 * np.abs(values).max() + 1e-300)
        step = -vectors @ ((vectors.T @ gradient[rest]) / curvature)
        gain = -float(gradient[rest] @ step) / 2
        if 2 * objective.total_weight * gain < NEGLIGIBLE:
            return u, True
        step *= min(1.0, 2.0 / float(np.abs(step).max()))
        for _ in range(20):
            there = u.copy()
            there[rest] += step
            value_there, gradient_there = objective(there)
            if value_there < value:
                break
            step /= 2
        else:
            return u, False
        u, value, gradient = there, value_there, gradient_there
    return u, False
