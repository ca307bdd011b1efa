"""Maximum likelihood for a handful of positive parameters, with a verdict on what the data could tell.

The search runs on the logarithms of the parameters: L-BFGS from every start, then Newton steps with a Hessian from
differences of the exact gradient. A warm fit takes Newton steps from the last optimum, with the Hessian found there
and corrected on the way, and ends with the same polish. It is believed only at an interior peak: on a plateau every
point looks like an optimum, so there all starts are tried as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nbdataops.errors import StageError
from nbdataops.ltv.columns import FloatArray
from nbdataops.ltv.fit.fit_result import FitResult, Peak
from nbdataops.ltv.fit.objective import Evaluate, Objective
from nbdataops.ltv.fit.one_thread import one_thread

CONVERGED = 1e-6
"""Largest gradient, per customer and with respect to the logarithm of a parameter, that counts as zero."""
REACH = 12.0
"""How far the search may go from the first start, in logarithms of a parameter (a factor of 160,000)."""
WORST_CONDITION = 1e8
LEAST_DAMPING = 1e-9
CLOSE = 1e-4
"""Points closer than this, in logarithms of a parameter, share a Hessian to all digits used here."""
PATIENCE = 30
"""Steps from an optimum of other data after which the search begins anew."""
WIDEST_ERROR = 2.0
"""Standard error of the least certain direction of the log-parameters above which it is called not identified:
a 95 percent interval over a factor of exp(2 * 1.96 * 2), more than 2,000."""


class NotConvergedError(StageError, RuntimeError):
    """The likelihood could not be maximised; no number was produced."""

    code = "ltv-not-converged"


@dataclass(frozen=True, slots=True)
class Optimum:
    """An interior peak, which a warm fit may start from: log-parameters and the Hessian there."""

    at: FloatArray
    hessian: FloatArray


def maximise(
    evaluate: Evaluate,
    names: Sequence[str],
    starts: Sequence[Sequence[float]],
    total_weight: float,
    warm: Optimum | None = None,
    real: Sequence[str] = (),
    tried_before: int = 0,
) -> tuple[FitResult, Optimum | None]:
    """The fit result, with the parameters of the largest likelihood, and where a later warm fit may start, if anywhere.

    Parameters are positive, but those named in `real`. Raises NotConvergedError when no start reaches a point with a vanishing gradient.
    """
    objective = Objective(evaluate, names, total_weight, real)
    middle = objective.u(starts[0])
    points = [] if warm is None else [_warm_search(objective, warm, middle)]
    if not any(_judge(point, middle, objective, 1).identified for point in points):
        for start in starts:
            points.append(_cold_search(objective, objective.u(start), middle, points))
    finite = [point for point in points if np.isfinite(point.value)]
    if not finite:
        raise NotConvergedError(
            "the likelihood is not finite at any start", todo="look for extreme values in the summary"
        )
    # the best value wins; among values that only rounding tells apart, the smallest gradient
    best = min(point.value for point in finite)
    alike = (point for point in finite if point.value <= best + _rounding(best))
    found = min(alike, key=lambda point: _gradient_norm(point, middle))
    result = _judge(found, middle, objective, len(points) + tried_before)
    if not result.converged:
        raise NotConvergedError(
            f"the fit did not converge: {result.reason}",
            todo="the summary may hold values that the model cannot produce; plot x, t_x, T and spend",
        )
    return result, Optimum(found.u, found.hessian) if result.identified else None


def nearby_optimum(
    evaluate: Evaluate, names: Sequence[str], total_weight: float, near: Optimum
) -> FloatArray | None:
    """The parameters of a clear peak so close that the Hessian of `near` leads there; None if it does not.

    For refits under resampled weights: a few evaluations each, and no Hessian of their own. The last step is taken
    unseen: it is far shorter than the resampling scatters, and leaves far less. That the peak is clear is judged by the
    Hessian corrected on the way; it is no more than close, so half of what `maximise` allows is a doubt already.
    """
    objective = Objective(evaluate, names, total_weight)
    u, _, gradient, step, hessian = _approach(objective, near, near.at, CONVERGED)
    if not _arrived(step, gradient, CONVERGED) or not _positive_definite(hessian):
        return None
    values = np.linalg.eigvalsh(hessian)
    widest = 1 / np.sqrt(values[0] * total_weight)
    clear = widest <= WIDEST_ERROR / 2 and values[-1] / values[0] <= WORST_CONDITION / 2
    return objective.theta(u + step) if clear else None


@dataclass(frozen=True, slots=True)
class _Point:
    u: FloatArray
    value: float
    gradient: FloatArray
    hessian: FloatArray


def _cold_search(
    objective: Objective, u: FloatArray, middle: FloatArray, found_before: Sequence[_Point]
) -> _Point:
    """L-BFGS and Newton in turn, since each goes on where the other is stuck (plateaus, rounding).

    A search that arrives where an earlier one ended is that one: no Newton steps again.
    """
    from scipy.optimize import minimize  # late: it is a third of the time that importing this package takes

    for _ in range(3):
        with one_thread("blas"):
            found = minimize(
                objective,
                u,
                jac=True,
                method="L-BFGS-B",
                bounds=[(m - REACH, m + REACH) for m in middle],
                options={"maxiter": 300, "ftol": 1e-13, "gtol": 1e-7, "maxcor": 20},
            )
        for point in found_before:
            if _gradient_norm(point, middle) <= CONVERGED and np.abs(found.x - point.u).max() < CLOSE:
                return point
        value, gradient = objective(found.x)
        point = _polish(objective, found.x, value, gradient, middle)
        if not _gradient_norm(point, middle) > CONVERGED:
            break
        u = point.u
    return point


def _warm_search(objective: Objective, warm: Optimum, middle: FloatArray) -> _Point:
    """From an optimum of other data."""
    u, value, gradient, _, _ = _approach(objective, warm, middle, np.inf)
    return _polish(objective, u, value, gradient, middle)


def _approach(
    objective: Objective, near: Optimum, middle: FloatArray, flat: float
) -> tuple[FloatArray, float, FloatArray, FloatArray, FloatArray]:
    """Newton steps from `near` until they are short and no derivative is above `flat`, or limits or patience end.

    Returns the point reached, the objective and its gradient there, the next step and the Hessian. Starts with that of
    `near` and corrects it by what every step shows of the curvature (BFGS); a step that leads up is cut.
    """
    u, hessian = np.clip(near.at, middle - REACH, middle + REACH), near.hessian
    value, gradient = objective(u)
    cut = 1.0
    for _ in range(PATIENCE):
        step = cut * _newton_step(hessian, gradient, LEAST_DAMPING)
        if _arrived(step, gradient, flat) or np.any(np.abs(u + step - middle) > REACH):
            break
        value_there, gradient_there = objective(u + step)
        if value_there <= value + _rounding(value):
            hessian = _corrected(hessian, step, gradient_there - gradient)
            u, value, gradient, cut = u + step, value_there, gradient_there, 1.0
        else:
            cut /= 4
    return u, value, gradient, step, hessian


def _arrived(step: FloatArray, gradient: FloatArray, flat: float) -> bool:
    return bool(np.abs(step).max() < CLOSE and np.abs(gradient).max() <= flat)


def _corrected(hessian: FloatArray, step: FloatArray, change: FloatArray) -> FloatArray:
    """The Hessian after BFGS's update: along this step, the gradient changes as it did."""
    along, curvature = hessian @ step, float(step @ change)
    if not curvature > 0:
        return hessian
    return np.asarray(
        hessian + np.outer(change, change) / curvature - np.outer(along, along) / float(step @ along)
    )


def _polish(
    objective: Objective,
    u: FloatArray,
    value: float,
    gradient: FloatArray,
    middle: FloatArray,
    tries: int = 12,
) -> _Point:
    """Newton steps while they help, over the parameters that no limit holds back.

    A step that does not help, as happens along a ridge, is tried again with flat directions damped more.
    """
    hessian = objective.hessian(u)
    damping = LEAST_DAMPING
    for _ in range(tries):
        if not np.isfinite(hessian).all():
            break
        step = _step_inside(u, gradient, hessian, middle, damping)
        free = step != 0
        if not free.any() or np.abs(gradient[free]).max() < 1e-10:
            break
        value_there, gradient_there = objective(u + step)
        smaller = np.abs(gradient_there[free]).max() <= np.abs(gradient[free]).max()
        if smaller and value_there <= value + 100 * _rounding(value):
            u, value, gradient, damping = u + step, value_there, gradient_there, LEAST_DAMPING
            if np.abs(step).max() > CLOSE:
                hessian = objective.hessian(u)
        elif damping < 0.1:
            damping *= 100
        else:
            break
    return _Point(u, value, gradient, hessian)


def _step_inside(
    u: FloatArray, gradient: FloatArray, hessian: FloatArray, middle: FloatArray, damping: float
) -> FloatArray:
    """Newton's step that respects the limits: zero for parameters that it would push through theirs."""
    limit = _at_limit(u, middle)
    free = limit * gradient >= 0
    step = np.zeros(len(u))
    while free.any():
        step[:] = 0
        step[free] = _newton_step(hessian[np.ix_(free, free)], gradient[free], damping)
        outward = free & (limit * step > 0)
        if not outward.any():
            break
        free &= ~outward
        step[:] = 0
    room = np.where(step > 0, middle + REACH - u, u - middle + REACH)
    moving = step != 0
    if moving.any():
        step *= min(1.0, float(np.min(room[moving] / np.abs(step[moving]))))
    return step


def _newton_step(hessian: FloatArray, gradient: FloatArray, damping: float) -> FloatArray:
    """Newton's step with curvatures made positive and kept above `damping` times the largest; at most 1 long."""
    values, vectors = np.linalg.eigh(hessian)
    curvature = np.maximum(np.abs(values), damping * np.abs(values).max() + 1e-300)
    step = -vectors @ ((vectors.T @ gradient) / curvature)
    return np.asarray(step * min(1.0, 1.0 / max(float(np.abs(step).max()), 1e-300)))


def _positive_definite(hessian: FloatArray) -> bool:
    return bool(np.isfinite(hessian).all() and np.linalg.eigvalsh(hessian)[0] > 0)


def _rounding(value: float) -> float:
    """Differences of the objective that mean nothing."""
    return 1e-10 * max(1.0, abs(value))


def _at_limit(u: FloatArray, middle: FloatArray) -> FloatArray:
    """-1, 0 or 1 by parameter: at the lower limit, inside, at the upper one."""
    return np.where(np.abs(u - middle) > REACH - 1e-3, np.sign(u - middle), 0.0)


def _held(u: FloatArray, gradient: FloatArray, middle: FloatArray) -> NDArray[np.bool_]:
    """True where a limit keeps the search from going on."""
    return np.asarray(_at_limit(u, middle) * gradient < 0)


def _gradient_norm(point: _Point, middle: FloatArray) -> float:
    """Largest derivative that could still be followed."""
    return float(np.abs(np.where(_held(point.u, point.gradient, middle), 0.0, point.gradient)).max())


def _judge(point: _Point, middle: FloatArray, objective: Objective, starts: int) -> FitResult:
    norm = _gradient_norm(point, middle)
    converged = bool(np.isfinite(point.value) and norm <= CONVERGED)
    definite = _positive_definite(point.hessian)
    condition = float(np.linalg.cond(point.hessian)) if definite else np.inf
    covariance = np.full(point.hessian.shape, np.nan)
    inside = np.flatnonzero(_at_limit(point.u, middle) == 0)
    information = point.hessian[np.ix_(inside, inside)]
    if len(inside) and _positive_definite(information):
        covariance[np.ix_(inside, inside)] = np.linalg.inv(information) / objective.total_weight
    identified, reason = _identified(point, middle, objective, condition)
    if not converged:
        why = "" if identified else f"; {reason}"
        identified, reason = False, f"gradient {norm:.1e} per customer, not below {CONVERGED:.0e}{why}"
    theta = objective.theta(point.u)
    errors = np.sqrt(np.diag(covariance)) * objective.slope(theta)
    return FitResult(
        parameters={n: float(v) for n, v in zip(objective.names, theta, strict=True)},
        log_likelihood=-point.value * objective.total_weight,
        gradient_norm=norm,
        standard_errors={n: float(e) for n, e in zip(objective.names, errors, strict=True)},
        condition_number=condition,
        iterations=objective.evaluations,
        starts=starts,
        converged=converged,
        identified=identified,
        reason=reason,
        covariance=covariance,
        is_log=tuple(bool(v) for v in objective.is_log),
        _peak=Peak(objective, point.u, point.value, point.hessian),
    )


def _identified(
    point: _Point, middle: FloatArray, objective: Objective, condition: float
) -> tuple[bool, str]:
    names = objective.names
    limit = _at_limit(point.u, middle)
    if limit.any():
        at = [
            f"{n} ran to its {'upper' if side > 0 else 'lower'} limit"
            for n, side in zip(names, limit, strict=True)
            if side
        ]
        return False, f"{', '.join(at)}: the likelihood has no interior maximum"
    values, vectors = np.linalg.eigh(point.hessian)
    flat = [n for n, part in zip(names, vectors[:, 0], strict=True) if abs(part) > 0.3]
    ridge = f"the likelihood is flat in {flat[0]}: the data do not determine it"
    if len(flat) > 1:
        ridge = f"a ridge along {', '.join(flat)}: the data determine their relation, not their values"
    if not np.isfinite(condition):
        return False, f"{ridge} (the Hessian is not positive definite)"
    if condition > WORST_CONDITION:
        return False, f"{ridge} (condition number {condition:.1e})"
    widest = float(1 / np.sqrt(values[0] * objective.total_weight))
    if widest > WIDEST_ERROR:
        return False, f"{ridge} (standard error {widest:.1f} in the logarithm)"
    return True, "an interior maximum with a clear peak in every direction"
