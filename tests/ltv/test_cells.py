"""Compression to distinct customers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbdataops.ltv import BGNBD, LtvInputError, ParetoNBD, rfm_cells
from nbdataops.ltv.fit.grouping import codes_of, group

from .shops import pareto_shop, summaries

columns = st.lists(
    st.one_of(
        st.integers(0, 60_000).map(lambda k: k / 7),
        st.integers(0, 3000).map(float),
        st.floats(0, 1e12, allow_nan=False),
    ),
    min_size=1,
    max_size=40,
)


@given(columns)
@settings(max_examples=200, deadline=None)
def test_codes_give_back_their_column(values: list[float]) -> None:
    column = np.array(values)
    codes = codes_of(column)
    np.testing.assert_allclose(codes.values[codes.of(slice(None))], column, rtol=1e-12, atol=1e-6)
    assert (np.diff(codes.values) > 0).all()


@given(
    st.lists(st.tuples(*[st.integers(0, 5)] * 3), min_size=1, max_size=60),
    st.sampled_from([1, 10**3, 10**5, 10**6, 10**9]),
    st.sampled_from([0.0, 0.5]),
)
@settings(max_examples=200, deadline=None)
def test_rows_of_one_group_are_alike_and_others_are_not(
    rows: list[tuple[int, int, int]], scale: int, beside_the_calendar: float
) -> None:
    parts = [
        codes_of(np.array(column, dtype=float) * scale + beside_the_calendar)
        for column in zip(*rows, strict=True)
    ]
    of_row, distinct = group(parts, len(rows))
    seen = [tuple(int(d[g]) for d in distinct) for g in of_row]
    assert seen == [tuple(int(c.of(slice(i, i + 1))[0]) for c in parts) for i in range(len(rows))]
    assert len(distinct[0]) == len(set(rows))


@given(summaries())
@settings(max_examples=100, deadline=None)
def test_cells_hold_every_customer_once(frame: pd.DataFrame) -> None:
    cells = rfm_cells(frame)
    assert cells.counts().sum() == len(frame)
    for name in ("x", "t_x", "T"):
        np.testing.assert_allclose(getattr(cells, name)[cells.of_customer], frame[name], rtol=1e-12)
    distinct = frame.drop_duplicates()
    assert len(cells) <= len(distinct)


def test_the_order_of_rows_changes_nothing_at_all() -> None:
    shop = pareto_shop(3000)
    mixed = shop.sample(frac=1, random_state=1)
    assert BGNBD().fit(shop).fit_result_ == BGNBD().fit(mixed).fit_result_


def test_recency_and_age_of_one_day_are_one_however_they_were_rounded() -> None:
    age = np.nextafter(np.arange(1, 400) / 7, 0.0)
    frame = pd.DataFrame({"x": 1, "t_x": np.arange(1, 400) / 7, "T": age})
    cells = rfm_cells(frame)
    np.testing.assert_array_equal(cells.t_x, cells.T)
    frame["T"] += np.pi  # no calendar any more
    frame["t_x"] = frame["T"] * (1 + 1e-12)
    np.testing.assert_array_equal(rfm_cells(frame).t_x, rfm_cells(frame).T)
    with pytest.raises(LtvInputError, match=r"t_x is later than T in 1 row of 399 \(7\)"):
        rfm_cells(frame.assign(t_x=frame["t_x"] + (frame.index == 7)))


@pytest.mark.parametrize("kind", ["int8", "uint16", "int64", "float32", "Int32"])
def test_x_may_be_any_kind_of_number(kind: str) -> None:
    frame = pd.DataFrame({"x": [0, 3, 120], "t_x": [0.0, 2.0, 4.0], "T": [5.0, 5.0, 5.0]})
    np.testing.assert_array_equal(rfm_cells(frame.astype({"x": kind})).x, frame["x"])
    with pytest.raises(LtvInputError, match="x is negative"):
        rfm_cells(frame.assign(x=[-1, 3, 4]).astype({"x": kind.replace("uint", "int")}))


def test_days_written_as_weeks_with_few_digits_are_taken_as_they_are() -> None:
    frame = pd.DataFrame({"x": [1, 2], "t_x": [30.43, 1.71], "T": [38.86, 38.857142857142854]})
    cells = rfm_cells(frame)
    np.testing.assert_array_equal(cells.T[cells.of_customer], frame["T"])


def test_a_column_n_says_how_many_customers_a_row_is() -> None:
    shop = pareto_shop(2000)
    grouped = shop.groupby(["x", "t_x", "T"]).size().rename("n").reset_index()
    for cls in (BGNBD, ParetoNBD):
        np.testing.assert_allclose(
            list(cls().fit(grouped).fit_result_.parameters.values()),
            list(cls().fit(shop).fit_result_.parameters.values()),
            rtol=1e-9,
        )
    with pytest.raises(LtvInputError, match="n is negative"):
        rfm_cells(grouped.assign(n=-1))
    with pytest.raises(LtvInputError, match="n is zero everywhere"):
        BGNBD().fit(grouped.assign(n=0))


def test_an_arrow_table_is_as_good_as_a_frame() -> None:
    shop = pareto_shop(500).reset_index()
    table = pa.Table.from_pandas(shop)
    assert BGNBD().fit(table).fit_result_ == BGNBD().fit(shop).fit_result_
    pd.testing.assert_series_equal(
        BGNBD().fit(table).expected_transactions(table, 9), BGNBD().fit(shop).expected_transactions(shop, 9)
    )


def test_a_large_fit_that_starts_from_a_sample_ends_at_the_optimum_of_all() -> None:
    shop = pareto_shop(60_000, ages=(200, 900), alpha=30.0, beta=200.0)
    assert len(rfm_cells(shop)) > 20_000
    for cls in (BGNBD, ParetoNBD):
        sketched = cls().fit(shop)
        cells = rfm_cells(shop)
        model = cls()
        starts = model._starts(cells, cells.counts())
        model._fit_likelihood(
            lambda theta, m=model, c=cells: m._log_likelihood(theta, c, c.counts()), starts, float(len(shop))
        )
        assert sketched.fit_result_.parameters == pytest.approx(model.fit_result_.parameters, rel=1e-6)
        assert sketched.fit_result_.gradient_norm < 1e-6
