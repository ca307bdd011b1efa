"""scikit-learn's conventions, without its base class."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score

import nbdataops.ltv
from nbdataops.ltv import BGNBD, CohortDecay, GammaGamma, LtvInputError, ParetoNBD
from nbdataops.ltv.estimator import Estimator

ESTIMATORS = (
    BGNBD(warm_start=True),
    ParetoNBD(warm_start=True),
    GammaGamma(warm_start=True),
    CohortDecay(shape="power"),
)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_a_clone_has_the_parameters_and_nothing_learned(estimator, cdnow: pd.DataFrame) -> None:
    if not isinstance(estimator, CohortDecay):
        estimator = clone(estimator).fit(cdnow)
    copy = clone(estimator)
    assert type(copy) is type(estimator)
    assert copy.get_params() == estimator.get_params()
    assert not any(name.endswith("_") for name in vars(copy))


def test_parameters_are_set_by_name_and_unknown_ones_refused() -> None:
    assert BGNBD().set_params(warm_start=True).get_params() == {"time_unit": None, "warm_start": True}
    with pytest.raises(LtvInputError, match="warm_strat") as caught:
        BGNBD().set_params(warm_strat=True)
    assert "warm_start" in caught.value.todo


def test_cross_validation_and_search_work(cdnow: pd.DataFrame) -> None:
    for estimator in (BGNBD(), GammaGamma()):
        scores = cross_val_score(estimator, cdnow, cv=2)
        assert np.isfinite(scores).all()
    search = GridSearchCV(BGNBD(), {"warm_start": [False, True]}, cv=2).fit(cdnow)
    assert search.best_estimator_.fit_result_.converged


@pytest.mark.parametrize(
    "call",
    [
        lambda d: BGNBD().expected_transactions(d, 39),
        lambda d: ParetoNBD().probability_alive(d),
        lambda d: BGNBD().expected_transactions_new(39),
        lambda d: BGNBD().score(d),
        lambda d: GammaGamma().expected_spend(d),
        lambda d: CohortDecay().lifetime_value(d, 39),
        lambda d: CohortDecay().expected_transactions(d, 39),
    ],
)
def test_predicting_before_a_fit_says_so(call, cdnow: pd.DataFrame) -> None:
    with pytest.raises(NotFittedError, match="call fit"):
        call(cdnow)


def test_a_fitted_model_survives_pickling(cdnow: pd.DataFrame) -> None:
    model = ParetoNBD(warm_start=True).fit(cdnow)
    again = pickle.loads(pickle.dumps(model))
    pd.testing.assert_series_equal(
        again.expected_transactions(cdnow, 39), model.expected_transactions(cdnow, 39)
    )
    assert again.fit_result_ == model.fit_result_


def test_the_public_face_is_complete() -> None:
    names = nbdataops.ltv.__all__
    assert len(names) == len(set(names))
    assert all(hasattr(nbdataops.ltv, name) for name in names)
    estimators = {c.__name__ for c in everything_below(Estimator) if not c.__name__.startswith("_")}
    assert {
        name for name in estimators if inspect.isabstract(getattr(nbdataops.ltv, name, Estimator))
    } == set()
    assert estimators - set(names) == {
        "BetaGeometric",
        "LabelledMethod",
        "LatentAttrition",
        "LikelihoodModel",
        "Refitted",
    }


def everything_below(cls: type) -> set[type]:
    return {cls}.union(*(everything_below(c) for c in cls.__subclasses__())) - {Estimator}


def test_every_method_says_its_family_its_source_and_how_to_use_it() -> None:
    for cls in everything_below(Estimator):
        if cls.__name__ not in nbdataops.ltv.__all__:
            continue
        text = inspect.getdoc(cls) or ""
        assert "Family:" in text, cls
        assert "Assumes" in text or "assumes" in text, cls
        assert ">>>" in text, cls
        assert (
            "Source:" in text
            or "naive" in cls.__module__
            or "Duan" in text
            or "cohort_decay" in cls.__module__
        ), cls
        for name, verb in inspect.getmembers(cls, inspect.isfunction):
            assert name.startswith("_") or inspect.getdoc(verb), f"{cls.__name__}.{name} has no docstring"


def test_importing_the_methods_does_not_import_scikit_learn() -> None:
    code = "import sys, nbdataops.ltv; print(sorted({m.split('.')[0] for m in sys.modules} & {'sklearn', 'numba', 'pydantic', 'duckdb'} | {'scipy.optimize', 'scipy.sparse'} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
