from __future__ import annotations

import pandas as pd
import pytest

from nbdataops.ltv.reference import data_set


@pytest.fixture(scope="session")
def cdnow() -> pd.DataFrame:
    """The CDNOW sample after 39 weeks, one row a customer: x, t_x, T, spend."""
    return data_set("cdnow-sample")[["x", "t_x", "T", "spend"]]
