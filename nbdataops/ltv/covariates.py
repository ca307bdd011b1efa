"""Names of covariates, checked before anything is done with them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from nbdataops.ltv.columns import LtvInputError


def covariate_names(covariates: object, taken: Collection[str], outcomes: Collection[str]) -> tuple[str, ...]:
    """The names, each once. `taken`: what the model calls its own; `outcomes`: columns that it is to explain.

    Raises LtvInputError for anything but a list of texts, for a name that is taken, and for an outcome.
    """
    if isinstance(covariates, str):
        raise LtvInputError(
            f"covariates is the text {covariates!r}", todo=f"give a list of columns: [{covariates!r}]"
        )
    if not isinstance(covariates, Sequence | pd.Index | np.ndarray):
        raise LtvInputError(
            f"covariates is {covariates!r}", todo="give a list of columns, and [] where there are none"
        )
    names = []
    for name in covariates:
        if not isinstance(name, str):
            raise LtvInputError(
                f"covariate {name!r} is no text", todo="give names of columns; rename a column that has none"
            )
        if name in outcomes:
            raise LtvInputError(
                f"{name} as a covariate: what is to be explained would explain itself", todo="leave it out"
            )
        if name in taken:
            raise LtvInputError(
                f"covariate {name!r} has a name that the model uses itself",
                todo="leave it out, or rename the column",
            )
        names.append(str(name))
    if len(set(names)) < len(names):
        raise LtvInputError("a covariate is named twice", todo="name each once")
    return tuple(names)
