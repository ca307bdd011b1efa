"""The packaged data are the published ones: the CDNOW sample is made again from the full log of the demo."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbdataops.ltv import LtvInputError, rfm_summary
from nbdataops.ltv.reference import DATA_SETS, data_set
from nbdataops.ltv.reference import datasets as module

LOG = Path(__file__).parents[2] / "notebooks" / "cdnow" / "data" / "cdnow.csv.gz"
THEN = date(1997, 9, 30)


@pytest.fixture(scope="module")
def sample_log() -> pd.DataFrame:
    """Orders of the customers of the sample; `customer_id` is their number in the sample."""
    ids = pd.read_csv(Path(module.__file__).parent / "data" / "cdnow_sample.csv")
    log = pd.read_csv(LOG, parse_dates=["date"]).rename(columns={"customer_id": "master_id"})
    return log.merge(ids[["customer_id", "master_id"]], on="master_id")


def test_the_sample_is_the_summary_of_its_log(sample_log: pd.DataFrame) -> None:
    sample = data_set("cdnow-sample")
    past = sample_log[sample_log["date"] <= pd.Timestamp(THEN)]
    summary = rfm_summary(past, THEN, amount="sales", litt=True).set_index("customer_id")
    assert sample.index.equals(summary.index)
    assert sample.attrs["time_unit"] == summary.attrs["time_unit"]
    for name in ("x", "t_x", "T", "spend", "litt"):
        np.testing.assert_allclose(sample[name], summary[name], rtol=1e-11, atol=1e-13)


def test_the_holdout_is_what_the_log_holds_after(sample_log: pd.DataFrame) -> None:
    later = sample_log[sample_log["date"] > pd.Timestamp(THEN)]
    bought = later.groupby("customer_id")["date"].nunique()
    sample = data_set("cdnow-sample")
    assert (sample["holdout"] == bought.reindex(sample.index, fill_value=0)).all()
    assert sample["holdout"].sum() == 1882


def test_the_weeks_are_those_of_the_log(sample_log: pd.DataFrame) -> None:
    days = sample_log[["customer_id", "date"]].drop_duplicates()
    repeat = days[days["date"] > days.groupby("customer_id")["date"].transform("min")]
    week = (repeat["date"] - pd.Timestamp("1997-01-01")).dt.days // 7 + 1
    weeks = data_set("cdnow-sample-weeks")["repeat_transactions"]
    assert weeks.index.tolist() == list(range(1, 79))
    assert (weeks == week.value_counts().reindex(weeks.index, fill_value=0)).all()


def test_survivors_become_contracts_that_give_the_table_back() -> None:
    contracts = data_set("survivors-high-end")
    there = 1000 - contracts[contracts["churned"]].groupby("T")["n"].sum().cumsum()
    assert there.tolist() == pytest.approx([869, 743, 653, 593, 551, 517, 491])


@pytest.mark.parametrize("name", DATA_SETS)
def test_what_a_caller_does_to_a_data_set_stays_with_the_caller(name: str) -> None:
    column = data_set(name).columns[0]
    mine = data_set(name)
    mine[column] = -1
    assert (data_set(name)[column] >= 0).all()


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(LtvInputError, match="donation") as caught:
        data_set("donation")
    assert "donations" in caught.value.todo
