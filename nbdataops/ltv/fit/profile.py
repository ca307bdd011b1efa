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

from nbdataops.ltv.columns import FloatArray
from nbdataops.ltv.fit.objective import Objective
from nbdataops.ltv.fit.one_thread import one_blas_thread

FARTHEST = 12.0
"""How far an end point may lie from the optimum, in search units; beyond, that side has no end."""
ENOUGH = 1e-4
"""Precision of r at an end point; 1e-4 moves the level of the interval by less than 1e-4."""


def profile_end(
    objective: Objective, at: FloatArray, best: float, hessian: FloatArray, j: int, r: float
) -> float:
    """Where the profile of coordinate j has fallen to the signed root `r`, as a coordinate; infinite if nowhere.

    `at`: the optimum, `best`: the objective there, `hessian`: its second derivatives, which give the first guess.
    """
    side = float(np.sign(r))
    rest = np.arange(len(at)) != j
    curvature = _profile_curvature(hessian, rest, j)
    scale = 2 * objective.total_weight
    step = abs(r) / np.sqrt(scale / 2 * curvature) if curvature > 0 else 1.0
    inside, outside, t = 0.0, np.inf, min(step, 2.0)
    u = at.copy()
    for _ in range(40):
        u = _best_rest(objective, _moved(at, u, j, at[j] + side * t), rest, hessian)
        value, gradient = objective(u)
        root = np.sqrt(max(scale * (value - best), 0.0))
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
    return float(at[j] + side * t)


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


def _best_rest(objective: Objective, u: FloatArray, rest: FloatArray, hessian: FloatArray) -> FloatArray:
    """The optimum of all coordinates but one; `hessian`: second derivatives not far away, to start with."""
    if not rest.any():
        return u
    from scipy.optimize import minimize  # late: it is a third of the time that importing this package takes

    def reduced(v: FloatArray) -> tuple[float, FloatArray]:
        full = u.copy()
        full[rest] = v
        value, gradient = objective(full)
        if not np.isfinite(value):
            return 1e300, np.zeros(len(v))
        return value, gradient[rest]

    options: dict[str, Any] = {"gtol": 1e-6 / max(objective.total_weight, 1.0) ** 0.25, "maxiter": 60}
    inner = hessian[np.ix_(rest, rest)]
    if np.isfinite(inner).all() and np.linalg.eigvalsh(inner)[0] > 0:
        inverse = np.linalg.inv(inner)
        options["hess_inv0"] = (inverse + inverse.T) / 2  # scipy asks for symmetry to the last bit
    with one_blas_thread():
        found = minimize(
            reduced,
            u[rest],
            jac=True,
            method="BFGS",
            options=options,
        )
    best = u.copy()
    best[rest] = found.x
    return best
