"""What every model fitted by maximum likelihood shares: named parameters, a fit result, draws of its uncertainty."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from contextlib import suppress
from typing import ClassVar, Literal, Self, TypeAlias

import numpy as np

from nbdataops.ltv.columns import FloatArray, LtvInputError, require_positive, to_floats
from nbdataops.ltv.estimator import Estimator
from nbdataops.ltv.fit.fit_result import FitResult
from nbdataops.ltv.fit.likelihood_fit import NotConvergedError, Optimum, maximise
from nbdataops.ltv.fit.objective import Evaluate
from nbdataops.ltv.time_units import TimeUnit, days_per

Uncertainty: TypeAlias = Literal["drawn", "fitted"]


def require_draws(draws: object) -> int:
    """A number of draws: a whole number, 1 or more."""
    if isinstance(draws, bool) or not isinstance(draws, int | np.integer) or draws < 1:
        raise LtvInputError(f"draws is {draws!r}", todo="give a whole number, 1 or more")
    return int(draws)


class LikelihoodModel(Estimator, ABC):
    """Base of the models that are fitted by maximum likelihood.

    A subclass names its parameters in the papers' letters (`parameter_names`; those in `real_parameters` may be
    negative), and calls `_fit_likelihood` from its `fit`, which sets `<name>_`, `fit_result_` and, where the maximum
    is a clear peak, what a warm fit starts from.
    """

    family: ClassVar[str]
    parameter_names: ClassVar[tuple[str, ...]]
    real_parameters: ClassVar[tuple[str, ...]] = ()

    fit_result_: FitResult
    time_unit_: TimeUnit | None
    _optimum: Optimum | None = None

    def __init__(self, *, time_unit: TimeUnit | None = None, warm_start: bool = False) -> None:
        self.time_unit = time_unit
        self.warm_start = warm_start

    @classmethod
    def with_parameters(cls, *, time_unit: TimeUnit | None = None, **parameters: float) -> Self:
        """A model with known parameters, e.g. published ones, ready to predict; it has no `fit_result_`."""
        if time_unit is not None:
            days_per(time_unit)
        model = cls(time_unit=time_unit)
        model._set(require_positive(parameters, cls.parameter_names, cls.real_parameters))
        model.time_unit_ = time_unit
        return model

    def _fit_likelihood(
        self,
        evaluate: Evaluate,
        starts: Sequence[Sequence[float]],
        total_weight: float,
        sketch: Evaluate | None = None,
        sketch_weight: float = 1.0,
    ) -> None:
        """Maximise `evaluate`. `sketch` is the likelihood of a small sample of large data, whose optimum is a start.

        Starting there saves nearly all evaluations of the whole; the optimum is that of the whole in any case.
        """
        warm = self._optimum if self.warm_start else None
        tried = 0
        if warm is None and sketch is not None:
            with suppress(NotConvergedError):  # then the whole is searched from its own starts
                rough, warm = maximise(
                    sketch, self.parameter_names, starts, sketch_weight, real=self.real_parameters
                )
                tried = rough.starts
        self.fit_result_, self._optimum = maximise(
            evaluate,
            self.parameter_names,
            starts,
            total_weight,
            warm,
            real=self.real_parameters,
            tried_before=tried,
        )
        self._set(self.fit_result_.parameters)

    def _set(self, parameters: dict[str, float]) -> None:
        for name, value in parameters.items():
            setattr(self, f"{name}_", value)

    def _theta(self) -> FloatArray:
        """The parameters in their order; NotFittedError before a fit."""
        self._require_fit(f"{self.parameter_names[0]}_")
        return to_floats([getattr(self, f"{name}_") for name in self.parameter_names], "parameters")

    def _result(self) -> FitResult:
        """The fit result, which intervals need; an error for a model with given parameters."""
        self._theta()
        if not hasattr(self, "fit_result_"):
            raise LtvInputError(
                f"this {type(self).__name__} was not fitted, so its uncertainty is unknown",
                todo="fit it to data, or leave out interval",
            )
        return self.fit_result_

    def bootstrap_optimum(self) -> Optimum:
        """Where refits under resampled customers start; an error where the fit has no clear peak."""
        result = self._result()
        if self._optimum is None:
            raise LtvInputError(
                f"no bootstrap without a clear peak: {result.reason}",
                todo="choose a simpler model, or give the model more history",
            )
        return self._optimum

    def _draw_theta(self, rng: np.random.Generator, parameters: Uncertainty) -> FloatArray:
        """Parameters as the data leave them uncertain (normal in their logarithms), or as fitted."""
        theta = self._theta()
        if parameters == "fitted":
            return theta
        if parameters != "drawn":
            raise LtvInputError(f"parameters is {parameters!r}", todo='give "drawn" or "fitted"')
        result = self._result()
        if not (result.identified and np.isfinite(result.covariance).all()):
            raise LtvInputError(
                f"the parameters cannot be drawn: {result.reason}",
                todo='sample with parameters="fitted", which leaves their uncertainty out',
            )
        return self._drawn_around(result, rng)

    def _drawn_around(self, result: FitResult, rng: np.random.Generator) -> FloatArray:
        """One draw of the parameters of a fit that determines them."""
        theta = to_floats(list(result.parameters.values()), "parameters")
        is_log = np.array(result.is_log)
        values, vectors = np.linalg.eigh(result.covariance)
        shift = vectors @ (np.sqrt(np.maximum(values, 0.0)) * rng.standard_normal(len(theta)))
        return np.where(is_log, theta * np.exp(np.where(is_log, shift, 0.0)), theta + shift)
