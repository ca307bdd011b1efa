"""A customer who buys for the first time now."""

from __future__ import annotations

import pandas as pd


def newcomer() -> pd.DataFrame:
    """The row of such a customer, as far as methods by age need it."""
    return pd.DataFrame({"T": [0.0]}, index=pd.Index(["new"], name="customer"))


def alone(answer: pd.Series | pd.DataFrame) -> float | pd.DataFrame:
    """The number itself of an answer about one customer; with an interval, the answer as it is."""
    return answer if isinstance(answer, pd.DataFrame) else float(answer.iloc[0])
