from __future__ import annotations

import warnings
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from nbdataops.errors import OutputError, UsageError
from nbdataops.session.levels import deciles
from nbdataops.session.weights import poisson_weights
from tests.session.desk import METRIC, RFM, Desk, answer


def fit(weights: pd.Series | None = None) -> pd.DataFrame:
    """A method whose every prediction is the weighted mean of x."""
    w = pd.Series(1.0, index=RFM.customer_id) if weights is None else weights
    rate = (w.to_numpy() * RFM.x.to_numpy()).sum() / max(w.sum(), 1)
    return pd.DataFrame(
        {"customer_id": RFM.customer_id, "value": 10 * rate * (1 + RFM.x), "transactions": rate}
    )


def publish(desk: Desk, given: Any, **changes: Any) -> Any:
    if changes:
        desk.assign(**changes)
    return desk.value('stage.estimate(given, family="naive")', given=given)


def test_a_frame_is_deposited_in_the_order_of_the_population(desk: Desk) -> None:
    shown = publish(desk, answer().iloc[::-1])

    record = desk.record.estimate
    assert record is not None
    assert (record.family, record.resampling, record.replicates_file) == ("naive", "entity", None)
    assert desk.file(record.file).to_dict("list") == answer().to_dict("list")
    assert (shown.total, shown.components, shown.lower) == (41.0, {"transactions": 6.0}, None)


@pytest.mark.parametrize(
    "given",
    [
        answer().set_index("customer_id"),
        pa.Table.from_pandas(answer()),
        answer().astype({"customer_id": "float64"}),
        answer().astype({"customer_id": "int32", "transactions": "int64"}),
        answer().convert_dtypes(),
    ],
)
def test_entities_and_numbers_are_taken_in_every_spelling(desk: Desk, given: Any) -> None:
    publish(desk, given)

    assert desk.record.estimate is not None
    assert desk.file(desk.record.estimate.file).to_dict("list") == answer().to_dict("list")


BAD = [
    (pd.concat([answer(), answer().iloc[:2]]), "2 customer_id are there more than once, e.g. 1, 2"),
    (answer().iloc[1:], "1 of 4 customer_id of the population missing, e.g. 1"),
    (answer().iloc[:0], "4 of 4 customer_id of the population missing"),
    (answer(customer_id=[1, 2, 3, 99]), "1 of 4 customer_id not in the population at as_of, e.g. 99"),
    (answer(customer_id=["1", "2", "3", "4"]), "its keys are text, the population's whole numbers"),
    (answer(customer_id=[1, 2, 3, None]), "1 of 4 rows have no customer_id"),
    (answer(customer_id=[1.5, 2, 3, 4]), "cannot name an entity"),
    (
        answer(value=[1, np.nan, None, 2]),
        "value is no number (NaN or null) for 2 of 4 customer_id, e.g. 2, 3",
    ),
    (
        answer(transactions=[1, np.inf, -np.inf, 2]),
        "transactions is infinite for 2 of 4 customer_id, e.g. 2, 3",
    ),
    (answer(value=[1, -0.01, 3, 2]), "value is negative for 1 of 4 customer_id, e.g. 2"),
    (answer(transactions=[-1.0, 0, 0, 0]), "transactions is negative for 1 of 4 customer_id, e.g. 1"),
    (answer(value=["$30", "$5", "$6", "$0"]), "value is text, and must be a number in USD"),
    (answer(value=pd.to_timedelta([1, 2, 3, 4], unit="D")), "must be a number in USD"),
    (answer(transactions=[True, False, True, False]), "transactions is true or false, and must be a number"),
    (answer().drop(columns="transactions"), "got no column 'transactions'"),
    (answer().rename(columns={"transactions": "transaction"}), "did you mean 'transaction'"),
    (answer().rename(columns={"value": "value_cents"}), "did you mean 'value_cents'"),
    (answer().rename(columns={"customer_id": "customer"}), "got no column 'customer_id'"),
    (answer(alive=0.5), "got a column 'alive', which is no component of the metric"),
    (answer(lowr=0.5), "did you mean 'lower'"),
    (answer(lower=0.5), "got one end of an interval"),
    (answer(lower=[2, 0, 0, 0], upper=[1, 1, 1, 1]), "lower is above upper for 1 of 4 customer_id, e.g. 1"),
    (answer(lower=[np.nan, 0, 0, 0], upper=1), "lower is no number"),
    (pd.DataFrame(), "got no column 'customer_id'"),
    (answer().value, "got a Series"),
    (None, "got a NoneType"),
]


@pytest.mark.parametrize(("given", "says"), BAD)
def test_a_wrong_estimate_is_refused_with_what_is_wrong(desk: Desk, given: Any, says: str) -> None:
    with pytest.raises(OutputError) as caught:
        publish(desk, given)

    assert says in str(caught.value)
    assert desk.record.estimate is None


@pytest.mark.parametrize(("given", "says"), BAD)
def test_a_fit_that_gives_a_wrong_estimate_is_refused_alike(desk: Desk, given: Any, says: str) -> None:
    with pytest.raises(OutputError) as caught:
        publish(desk, lambda weights=None: given)

    assert says in str(caught.value)


def test_a_frame_that_says_it_is_in_another_unit_is_refused(desk: Desk) -> None:
    in_cents, in_dollars = answer(), answer()
    in_cents.attrs["unit"] = "cents"
    in_dollars.attrs["unit"] = "USD"

    with pytest.raises(OutputError, match="its values are cents, and the metric is in USD"):
        publish(desk, in_cents)
    publish(desk, in_dollars)


def test_no_more_than_five_entities_are_named(desk: Desk) -> None:
    with pytest.raises(OutputError, match=r"e\.g\. 10, 11, 12, 13, 14\n"):
        publish(desk, pd.DataFrame({"customer_id": range(10, 30), "value": 0.0, "transactions": 0.0}))


def test_no_entity_is_named_in_what_is_stored(desk: Desk) -> None:
    text = RFM.assign(customer_id=["Zoe-1", "Zoe-2", "Zoe-3", "Zoe-4"])
    table = desk.table("rfm", text, ["customer_id"])
    keys = text.customer_id.tolist()

    calls: list[pd.Series | None] = []

    def fails_once(weights: pd.Series | None = None) -> pd.DataFrame:
        calls.append(weights)
        if len(calls) == 2:
            raise ValueError("Zoe-1 is odd")
        return answer(customer_id=keys, value=1.0 if weights is None else weights.mean())

    publish(desk, fails_once, population=table, replicates=20, inputs={})

    assert desk.record.estimate is not None
    assert desk.record.estimate.failed == 1
    assert "Zoe" not in (desk.deposit / "deposit.json").read_text()


def test_a_margin_may_be_negative_and_a_revenue_may_not(desk: Desk) -> None:
    publish(desk, answer(value=[-5.0, 1, 1, 1]), metric={**METRIC, "value": "margin"})

    assert desk.record.estimate is not None


def test_bounds_are_deposited_beside_the_values(desk: Desk) -> None:
    publish(desk, answer(lower=0.0, upper=[50.0, 60, 70, 80]))

    assert desk.record.estimate is not None
    assert desk.record.estimate.has_interval
    assert desk.file(desk.record.estimate.file).upper.tolist() == [50.0, 60.0, 70.0, 80.0]


def test_refits_are_the_method_again_under_weights_that_anyone_can_draw(desk: Desk) -> None:
    publish(desk, fit)

    record = desk.record.estimate
    assert record is not None
    assert (record.resampling, record.replicates, record.failed) == ("refit", 8, 0)
    sums = desk.file(record.replicates_file).set_index(["replicate", "level", "group", "component"])["sum"]
    base = fit()
    tenth = deciles(base.value.to_numpy(), RFM.customer_id.to_numpy())
    region = RFM.region.where(RFM.region.notna(), "(missing)")
    for b in range(1, 9):
        w = poisson_weights(7, b, RFM.customer_id)
        again = fit(pd.Series(w, index=RFM.customer_id))
        for component in ("value", "transactions"):
            weighted = again[component] * w
            assert sums[b, "total", "", component] == pytest.approx(weighted.sum())
            assert sums[b, "cohort", "1997-03-01", component] == pytest.approx(weighted.iloc[3])
            assert sums[b, "segment:region", "south", component] == pytest.approx(
                weighted[region == "south"].sum()
            )
            assert sums[b, "segment:region", "(missing)", component] == pytest.approx(weighted.iloc[2])
            for d in tenth:
                assert sums[b, "decile", str(d), component] == pytest.approx(weighted[tenth == d].sum())
    assert len(sums) == 8 * 2 * (1 + 2 + 4 + 3)


def test_weights_come_as_a_series_by_entity(desk: Desk) -> None:
    seen: list[pd.Series] = []

    def watched(weights: pd.Series | None = None) -> pd.DataFrame:
        if weights is not None:
            seen.append(weights)
        return fit(weights)

    publish(desk, watched, replicates=2)

    assert len(seen) == 2
    assert seen[0].index.name == "customer_id"
    assert seen[0].index.tolist() == [1, 2, 3, 4]
    assert seen[0].tolist() == poisson_weights(7, 1, [1, 2, 3, 4]).tolist()


def test_two_notebooks_of_the_same_seed_have_the_same_replicates(desk: Desk) -> None:
    files = []
    for folder in ("one", "two"):
        publish(desk, fit, deposit=str(desk.folder / folder))
        files.append((desk.deposit / "replicates.arrow").read_bytes())

    assert files[0] == files[1]


def test_without_replicates_a_fit_is_a_frame(desk: Desk) -> None:
    publish(desk, fit, replicates=0)

    assert desk.record.estimate is not None
    assert (desk.record.estimate.resampling, desk.record.estimate.replicates_file) == ("entity", None)


def test_a_fit_that_ignores_its_weights_is_told_and_counts_as_a_frame(desk: Desk) -> None:
    shown = publish(desk, lambda weights=None: answer())

    assert "fit does not use its weights" in repr(shown)
    assert desk.record.estimate is not None
    assert (desk.record.estimate.resampling, desk.record.estimate.replicates_file) == ("entity", None)


def failing(times: int) -> Any:
    calls = {"n": 0}

    def fit_or_fail(weights: pd.Series | None = None) -> pd.DataFrame:
        if weights is not None:
            calls["n"] += 1
            if calls["n"] <= times:
                raise ArithmeticError(f"no convergence in call {calls['n']}")
        return fit(weights)

    return fit_or_fail


def test_a_few_refits_may_fail_and_are_counted(desk: Desk) -> None:
    shown = publish(desk, failing(2), replicates=20)

    record = desk.record.estimate
    assert record is not None
    assert (record.replicates, record.failed) == (18, 2)
    assert sorted(desk.file(record.replicates_file)["replicate"].unique()) == list(range(3, 21))
    assert "2 of 20" in repr(shown)


def test_more_than_a_tenth_of_failed_refits_is_an_error_that_names_the_first(desk: Desk) -> None:
    with pytest.raises(
        OutputError,
        match="3 of 3 refits failed; the first was replicate 1: ArithmeticError: no convergence in call 1",
    ):
        publish(desk, failing(3), replicates=20)


def test_a_refit_with_a_wrong_answer_has_failed(desk: Desk) -> None:
    def nan_under_weights(weights: pd.Series | None = None) -> pd.DataFrame:
        return answer() if weights is None else answer(value=np.nan)

    with pytest.raises(OutputError, match=r"the first was replicate 1: OutputError: fit.*value is no number"):
        publish(desk, nan_under_weights)


def test_an_interrupt_is_no_failed_refit(desk: Desk) -> None:
    def interrupted(weights: pd.Series | None = None) -> pd.DataFrame:
        if weights is not None:
            raise KeyboardInterrupt
        return answer()

    with pytest.raises(KeyboardInterrupt):
        publish(desk, interrupted)


def test_a_fit_speaks_once(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    def talks(weights: pd.Series | None = None) -> pd.DataFrame:
        print("fitting")
        warnings.warn("close to the edge", stacklevel=1)
        return fit(weights)

    with pytest.warns(UserWarning, match="close to the edge") as warned:
        publish(desk, talks)

    assert capsys.readouterr().out == "fitting\n"
    assert len(warned) == 1


@pytest.mark.parametrize("given", [lambda: answer(), lambda weights: answer(), lambda w=None: answer()])
def test_a_function_that_is_no_fit_is_refused_before_it_runs(desk: Desk, given: Any) -> None:
    with pytest.raises(UsageError, match=r"fit\(weights=series\)"):
        publish(desk, given)


def test_what_a_fit_raises_without_weights_is_the_notebook_s_own_error(desk: Desk) -> None:
    def broken(weights: pd.Series | None = None) -> pd.DataFrame:
        raise KeyError("x")

    with pytest.raises(KeyError):
        publish(desk, broken)


def test_there_is_one_estimate_a_run(desk: Desk) -> None:
    publish(desk, answer())

    with pytest.raises(UsageError, match="an estimate was published twice in this run"):
        publish(desk, answer())


def test_interactively_a_cell_may_publish_again(desk: Desk) -> None:
    publish(desk, answer(), mode="interactive")
    publish(desk, answer(value=[1.0, 1, 1, 1]))

    assert desk.record.estimate is not None
    assert desk.file(desk.record.estimate.file).value.sum() == 4


@pytest.mark.parametrize("family", ["", " ", None])
def test_an_estimate_belongs_to_a_family(desk: Desk, family: object) -> None:
    with pytest.raises(UsageError, match="needs family="):
        desk.value("stage.estimate(given, family=family)", given=answer(), family=family)


def test_a_product_without_a_population_is_told_what_to_declare(desk: Desk) -> None:
    with pytest.raises(UsageError, match=r"metric\.population"):
        publish(desk, answer(), population=None)


def test_a_population_with_several_rows_per_entity_is_refused(desk: Desk) -> None:
    twice = desk.store.write(
        "rfm", pa.Table.from_pandas(pd.concat([RFM, RFM]), preserve_index=False), key=["x"]
    )

    with pytest.raises(OutputError, match="does not have one row per customer_id"):
        publish(desk, answer(), population=twice)


def test_entities_may_be_text(desk: Desk) -> None:
    keys = ["b", "a", "d", "ç"]
    table = desk.table("rfm", RFM.assign(customer_id=keys), ["customer_id"])

    publish(desk, answer(customer_id=keys).iloc[[2, 0, 3, 1]], population=table)

    assert desk.record.estimate is not None
    assert desk.file(desk.record.estimate.file).customer_id.tolist() == keys


def test_an_estimate_shows_its_number_with_unit_and_interval(desk: Desk) -> None:
    shown = publish(desk, fit)

    text = repr(shown)
    assert "revenue in the next 39 weeks after 1997-03-31 (family naive)" in text
    assert "USD, 90% interval" in text
    assert "per customer" in text
    assert shown.lower is not None
    assert shown.lower <= shown.upper
    assert "<table>" in shown._repr_html_()


def test_names_of_the_declaration_are_inert_in_html(desk: Desk) -> None:
    evil = "<script>alert(1)</script>"
    metric = {**METRIC, "unit": evil, "components": {evil: "x"}}
    desk.assign(metric=metric)

    shown = desk.value(
        "stage.estimate(given, family=evil)",
        given=answer().rename(columns={"transactions": evil}),
        evil=evil,
    )

    assert "<script>" not in shown._repr_html_()


def test_an_empty_population_has_an_empty_estimate(desk: Desk) -> None:
    nobody = desk.table("rfm", RFM.iloc[:0].astype({"cohort": "datetime64[us]"}), ["customer_id"])
    shown = publish(desk, answer().iloc[:0], population=nobody)

    assert (shown.total, shown.per_entity) == (0.0, None)
    assert "estimate" in repr(shown)


def test_a_cohort_may_be_absent(desk: Desk) -> None:
    bare = {**METRIC, "population": {"table": "rfm", "cohort": None, "segments": []}}
    publish(desk, fit, metric=bare, population=desk.rfm.select([]))

    assert desk.record.estimate is not None
    assert set(desk.file(desk.record.estimate.replicates_file).level) == {"total", "decile"}


def test_a_date_of_the_scope_is_usable_inside_fit(desk: Desk) -> None:
    source = """
def fit(weights=None):
    assert stage.as_of == expected and stage.horizon == 39
    return given if weights is None else given.assign(value=given.value * weights.mean())
stage.estimate(fit, family="naive")
"""
    desk.cell(source, given=answer(), expected=date(1997, 3, 31))

    assert desk.record.estimate is not None
    assert desk.record.estimate.resampling == "refit"
