"""What makes a class of this package an estimator of scikit-learn, without importing scikit-learn.

Importing `sklearn.base` takes longer than pandas and scipy.optimize together; its conventions are duck-typed, so
`clone`, pipelines, cross-validation and search work with these few methods.
"""

from __future__ import annotations

import copy
import inspect
from typing import Any, Self

from nbdataops.errors import did_you_mean
from nbdataops.ltv.columns import LtvInputError


class Estimator:
    """Constructor parameters are stored as given; everything learned ends in an underscore."""

    @classmethod
    def _parameter_names(cls) -> list[str]:
        signature = inspect.signature(cls.__init__)
        return sorted(name for name in signature.parameters if name != "self")

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's parameters by name (`deep` is accepted for scikit-learn and changes nothing)."""
        return {name: getattr(self, name) for name in self._parameter_names()}

    def set_params(self, **params: Any) -> Self:
        """Set constructor parameters by name; an unknown name is an error."""
        known = self._parameter_names()
        for name, value in params.items():
            if name not in known:
                raise LtvInputError(
                    f"{type(self).__name__} has no parameter {name!r}", todo=did_you_mean(name, known)
                )
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
        return f"{type(self).__name__}({inside})"

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            input_tags=InputTags(two_d_array=True, positive_only=True),
        )

    def get_metadata_routing(self) -> Any:
        """What scikit-learn asks when metadata routing is on: which verbs take `sample_weight`, and who wants it."""
        from sklearn.utils.metadata_routing import MetadataRequest

        if hasattr(self, "_metadata_request"):  # clone() carries it over under this name
            return copy.deepcopy(self._metadata_request)
        request = MetadataRequest(owner=self)
        for verb in ("fit", "score"):
            method = getattr(self, verb, None)
            if method is not None and "sample_weight" in inspect.signature(method).parameters:
                getattr(request, verb).add_request(param="sample_weight", alias=None)
        return request

    def set_fit_request(self, *, sample_weight: bool | str | None) -> Self:
        """Say whether a search or pipeline with metadata routing on hands `sample_weight` on to `fit`."""
        return self._request("fit", sample_weight)

    def set_score_request(self, *, sample_weight: bool | str | None) -> Self:
        """Say whether a search or pipeline with metadata routing on hands `sample_weight` on to `score`."""
        return self._request("score", sample_weight)

    def _request(self, verb: str, sample_weight: bool | str | None) -> Self:
        request = self.get_metadata_routing()
        if "sample_weight" not in getattr(request, verb).requests:
            raise LtvInputError(
                f"{type(self).__name__} has no {verb} that takes sample_weight", todo="leave this request out"
            )
        getattr(request, verb).add_request(param="sample_weight", alias=sample_weight)
        self._metadata_request = request
        return self

    def _require_fit(self, attribute: str) -> None:
        """Raise scikit-learn's NotFittedError when `attribute` is not there yet."""
        if not hasattr(self, attribute):
            from sklearn.exceptions import NotFittedError

            raise NotFittedError(f"{type(self).__name__} is not fitted: call fit(...) first")
