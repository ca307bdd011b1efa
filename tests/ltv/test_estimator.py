"""scikit-learn's conventions, without its base class; `test_scikit_learn.py` holds them against every estimator."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys

import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import nbdataops.ltv
from nbdataops.ltv import BGNBD, LtvInputError, ParetoNBD
from nbdataops.ltv.estimator import Estimator


def test_a_wrong_parameter_comes_with_the_one_that_was_meant() -> None:
    assert BGNBD().set_params(warm_start=True).get_params() == {"time_unit": None, "warm_start": True}
    with pytest.raises(LtvInputError, match="warm_strat") as caught:
        BGNBD().set_params(warm_strat=True)
    assert "warm_start" in caught.value.todo


def test_a_clone_of_a_warm_model_starts_cold(cdnow: pd.DataFrame) -> None:
    warm = BGNBD(warm_start=True).fit(cdnow)
    assert clone(warm).fit(cdnow).fit_result_.iterations > warm.fit(cdnow).fit_result_.iterations


def test_a_search_on_real_customers_ends_with_a_fitted_model(cdnow: pd.DataFrame) -> None:
    search = GridSearchCV(BGNBD(), {"warm_start": [False, True]}, cv=2).fit(cdnow)
    assert search.best_estimator_.fit_result_.converged


def test_a_fit_result_survives_pickling(cdnow: pd.DataFrame) -> None:
    model = ParetoNBD(warm_start=True).fit(cdnow)
    assert pickle.loads(pickle.dumps(model)).fit_result_ == model.fit_result_


def test_the_public_face_is_complete() -> None:
    names = nbdataops.ltv.__all__
    assert len(names) == len(set(names))
    assert all(hasattr(nbdataops.ltv, name) for name in names)
    concrete = {c.__name__ for c in everything_below(Estimator) if not inspect.isabstract(c)}
    assert {name for name in concrete if not name.startswith("_")} - set(names) == {
        "BetaGeometric",
        "LikelihoodModel",
        "Refitted",
    }


def everything_below(cls: type) -> set[type]:
    return {cls}.union(*(everything_below(c) for c in cls.__subclasses__())) - {Estimator}


def test_importing_the_methods_does_not_import_scikit_learn() -> None:
    heavy = {"sklearn", "numba", "pydantic", "duckdb", "threadpoolctl"}
    code = (
        f"import sys, nbdataops.ltv; first = {{m.split('.')[0] for m in sys.modules}}; "
        f"print(sorted((first & {heavy}) | {{'scipy.optimize', 'scipy.sparse'}} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
