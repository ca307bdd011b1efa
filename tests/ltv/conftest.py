from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest


@pytest.fixture(scope="session")
def cdnow() -> pd.DataFrame:
    """The CDNOW sample after 39 weeks; times are restored to whole days, which the file rounds to two digits."""
    frame = pd.read_csv(
        Path(__file__).parent / "data" / "cdnow_sample_rfm_cal39.csv", index_col="customer_id"
    )
    frame = frame.rename(columns={"frequency": "x", "recency": "t_x", "monetary_value": "spend"})
    frame["t_x"] = (frame["t_x"] * 7).round() / 7
    frame["T"] = (frame["T"] * 7).round() / 7
    return frame
