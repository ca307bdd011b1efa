"""scikit-learn's conventions and the verbs that all methods share, held against every exported estimator."""

from __future__ import annotations

import inspect
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import sklearn
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from nbdataops.ltv import LtvInputError
from tests.ltv.every_estimator import CASES, HORIZON, call, estimators, fitted, verbs

every = pytest.mark.parametrize("name", sorted(CASES))
every_of_a_frame = pytest.mark.parametrize(
    "name", sorted(n for n, case in CASES.items() if case.takes_a_frame)
)
WITH_INTERVALS = (
    "expected_transactions",
    "expected_transactions_new",
    "expected_periods",
    "expected_spend",
    "lifetime_value",
    "lifetime_value_new",
    "probability_alive",
    "probability_of_purchase",
    "retention_rate",
    "survival",
)
OF_ROWS = (
    "expected_transactions",
    "expected_periods",
    "expected_spend",
    "lifetime_value",
    "probability_alive",
)
NO_TIME = ("GammaGamma",)
"""Models that know no time, so that no unit can be wrong."""
NOTHING_LEARNED = ("LastPeriod",)


def of_rows(cls: type) -> list[str]:
    """The verbs that say something of every row."""
    return [verb for verb in OF_ROWS if hasattr(cls, verb)]


def by_outcome(model: Any, X: pd.DataFrame, y: Any) -> float:
    """A score of one's own, as cross-validation takes it: how near a prediction comes to what followed."""
    verb = "lifetime_value" if hasattr(model, "lifetime_value") else "expected_spend"
    few = X[X["T"] <= 8] if "churned" in X else X  # KaplanMeier cannot follow its oldest contracts
    outcome = pd.Series(np.asarray(y), index=X.index)[few.index]
    return -float((call(model, verb, few) - outcome).abs().mean())


def with_old_contracts_in_every_fold(name: str) -> pd.DataFrame:
    """Contracts of which every half holds some that are older than those that it is asked about, and their horizon."""
    old, young = CASES[name].data().iloc[:5], CASES[name].asked()
    data = pd.concat([young, old, old, young]).reset_index(drop=True)
    data.attrs["time_unit"] = CASES[name].data().attrs["time_unit"]
    return data


def learned(model: Any) -> set[str]:
    """Public attributes that the constructor did not set."""
    return {key for key in vars(model) if not key.startswith("_")} - set(model.get_params())


def test_the_table_of_cases_knows_every_estimator() -> None:
    assert CASES.keys() == estimators().keys()


@every
def test_the_constructor_stores_what_it_is_given_and_nothing_else(name: str) -> None:
    cls = estimators()[name]
    values = {key: object() for key in inspect.signature(cls).parameters}
    model = cls(**values)
    assert {key: getattr(model, key) for key in values} == values
    assert model.get_params() == values
    assert learned(model) == set()
    assert clone(CASES[name].make()).get_params() == CASES[name].make().get_params()


@every
def test_parameters_are_set_by_name_and_unknown_ones_refused(name: str) -> None:
    model = CASES[name].make()
    first = sorted(model.get_params())[0]
    marker = object()
    assert model.set_params(**{first: marker}) is model
    assert model.get_params()[first] is marker
    with pytest.raises(LtvInputError, match=f"{first}x"):
        model.set_params(**{f"{first}x": 1})


@every
def test_fit_returns_the_estimator_and_marks_what_it_learned(name: str) -> None:
    case = CASES[name]
    model = case.make()
    before = model.get_params()
    assert model.fit(case.data(), case.labels()) is model
    assert model.get_params() == before
    assert learned(model)
    assert all(key.endswith("_") for key in learned(model))
    assert learned(clone(model)) == set()


@every
def test_fit_takes_the_arguments_where_scikit_learn_puts_them(name: str) -> None:
    signature = list(inspect.signature(estimators()[name].fit).parameters)
    assert signature[2:] == ["y", "sample_weight"]
    if hasattr(estimators()[name], "score"):
        assert list(inspect.signature(estimators()[name].score).parameters)[2:] == ["y", "sample_weight"]


@every
def test_no_verb_answers_before_a_fit(name: str) -> None:
    model = CASES[name].make()
    for verb in verbs(type(model)):
        with pytest.raises(NotFittedError, match="call fit"):
            call(model, verb, CASES[name].asked())


@every
def test_what_is_known_survives_pickling(name: str) -> None:
    model, data = fitted(name), CASES[name].asked()
    again = pickle.loads(pickle.dumps(model))
    for verb in of_rows(type(model)):
        pd.testing.assert_series_equal(call(again, verb, data), call(model, verb, data))


@every
def test_a_refit_forgets_the_last_fit(name: str) -> None:
    case = CASES[name]
    model = case.make()
    if case.takes_a_frame and case.ask is None:
        model.fit(case.data().iloc[::2], None if case.labels() is None else case.labels().iloc[::2])
    again = call(model.fit(case.data(), case.labels()), of_rows(type(model))[0], case.asked())
    first = call(fitted(name), of_rows(type(model))[0], case.asked())
    pd.testing.assert_series_equal(first, again)


@every
def test_answers_are_pandas_with_the_index_of_the_customers(name: str) -> None:
    model, data = fitted(name), CASES[name].asked()
    for verb in of_rows(type(model)):
        answer = call(model, verb, data)
        assert isinstance(answer, pd.Series)
        pd.testing.assert_index_equal(answer.index, data.index)
        assert answer.notna().all()
        assert (answer >= 0).all()
        assert answer.name


@every
def test_intervals_hold_the_value_and_widen_with_the_level(name: str) -> None:
    model, data = fitted(name), CASES[name].asked()
    has_any = False
    for verb in set(WITH_INTERVALS) & set(verbs(type(model))):
        has_any = True
        value = np.ravel(call(model, verb, data))
        narrow, wide = (call(model, verb, data, interval=level) for level in (0.5, 0.95))
        assert narrow.columns[1:].tolist() == ["lower", "upper"]
        np.testing.assert_allclose(narrow.iloc[:, 0], value)
        if verb in OF_ROWS:
            pd.testing.assert_index_equal(narrow.index, data.index)
        if name in NOTHING_LEARNED:
            assert narrow[["lower", "upper"]].isna().all(axis=None)
            continue
        assert (wide.lower <= narrow.lower + 1e-12).all()
        assert (narrow.lower <= narrow.upper).all()
        assert (narrow.upper <= wide.upper + 1e-12).all()
        if "refits" not in model.get_params():  # few refits need not straddle the value
            assert (narrow.lower <= value + 1e-12).all()
            assert (value <= narrow.upper + 1e-12).all()
        assert (wide.upper - wide.lower).max() > 0
        with pytest.raises(LtvInputError, match="level between 0 and 1"):
            call(model, verb, data, interval=90)
    assert has_any


@every
def test_every_verb_that_predicts_can_say_how_sure_it_is(name: str) -> None:
    """A new verb without an interval has to be thought about, here."""
    without = {"bootstrap_optimum", "draw_totals", "predict", "sample", "score", "spend_deviation"}
    without |= {"probability_of_transactions"}  # a property of the fitted distribution, for goodness of fit
    assert set(verbs(estimators()[name])) <= without | set(WITH_INTERVALS)


@every
def test_a_horizon_is_time_ahead(name: str) -> None:
    model, data = fitted(name), CASES[name].asked()
    for verb in of_rows(type(model)):
        if "horizon" not in inspect.signature(getattr(model, verb)).parameters:
            continue
        for wrong, what in ((-1, "-1"), ("a year", "str"), (float("nan"), "nan"), (True, "bool")):
            with pytest.raises(LtvInputError, match=f"horizon is .*{what}"):
                call(model, verb, data, horizon=wrong)
        if "train_horizon" not in model.get_params():
            assert (call(model, verb, data, horizon=0) == 0).all()


@every
def test_discounting_lowers_values_and_a_rate_of_zero_changes_nothing(name: str) -> None:
    model, data = fitted(name), CASES[name].asked()
    if "lifetime_value" not in verbs(type(model)):
        assert name in ("GammaGamma", "LogSpend")
        return
    plain, none, some = (call(model, "lifetime_value", data, discount_rate=d) for d in (0.0, 0, 0.01))
    pd.testing.assert_series_equal(plain, none)
    assert (some <= plain).all()
    assert some.sum() < plain.sum()
    for wrong in (-0.1, "10%", float("nan")):
        with pytest.raises(LtvInputError, match="discount_rate"):
            call(model, "lifetime_value", data, discount_rate=wrong)


@every
def test_another_time_unit_is_an_error_at_fit_and_at_every_verb(name: str) -> None:
    case, model = CASES[name], fitted(name)
    other = "day"
    if case.takes_a_frame:
        wrong = case.asked().copy()
        wrong.attrs["time_unit"] = other
        if "time_unit" in model.get_params():
            mine = case.data().attrs["time_unit"]
            with pytest.raises(LtvInputError, match=f"in {other}s"):
                case.make(time_unit=mine).fit(wrong, case.labels()) if case.ask is None else case.make(
                    time_unit=mine
                ).fit(wrong)
    else:
        wrong = type(case.asked())(
            **{f: getattr(case.asked(), f) for f in case.asked().__slots__ if f != "time_unit"},
            time_unit=other,
        )
    if name in NO_TIME:
        return
    for verb in of_rows(type(model)):
        with pytest.raises(LtvInputError, match=f"in {other}s"):
            call(model, verb, wrong)


@every_of_a_frame
def test_columns_are_taken_by_name_whatever_else_is_there(name: str) -> None:
    case, data, asked = CASES[name], CASES[name].data(), CASES[name].asked()
    plain = fitted(name)

    def shuffled(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(segment="a", when=pd.Timestamp("2024-01-01"))[
            ["segment", *frame.columns[::-1], "when"]
        ]

    kept = data.copy()
    other = case.make().fit(shuffled(data), case.labels())
    for verb in of_rows(type(plain)):
        pd.testing.assert_series_equal(call(other, verb, shuffled(asked)), call(plain, verb, asked))
    pd.testing.assert_frame_equal(data, kept)


@every_of_a_frame
def test_arrow_tables_do_as_well_as_pandas(name: str) -> None:
    case, data, asked = CASES[name], CASES[name].data(), CASES[name].asked()
    plain, labels = fitted(name), case.labels()
    other = case.make().fit(pa.Table.from_pandas(data), labels)
    table = pa.Table.from_pandas(asked)
    for verb in verbs(type(plain)):
        if "interval" in inspect.signature(getattr(plain, verb)).parameters or verb in ("predict", "score"):
            ours, theirs = call(other, verb, table), call(plain, verb, asked)
            np.testing.assert_array_equal(np.ravel(ours), np.ravel(theirs), err_msg=verb)
    wrong = asked.copy()
    wrong.attrs["time_unit"] = "day"
    if name not in NO_TIME:
        with pytest.raises(LtvInputError, match="in days"):
            call(other, of_rows(type(plain))[0], pa.Table.from_pandas(wrong))


@every_of_a_frame
def test_a_missing_column_is_named_with_the_one_that_was_probably_meant(name: str) -> None:
    case = CASES[name]
    for column in case.columns:
        typo = case.data().rename(columns={column: f"{column}_"})
        with pytest.raises(LtvInputError, match=f"'?{column}'?") as caught:
            case.make().fit(typo, case.labels())
        assert f"{column}_" in str(caught.value.todo) or column == "litt"
        if column not in ("litt",):
            twice = pd.concat([case.data(), case.data()[[column]]], axis=1)
            with pytest.raises(LtvInputError, match=f"2 columns named '{column}'"):
                case.make().fit(twice, case.labels())


@every_of_a_frame
def test_values_that_cannot_be_are_named_by_column_and_row(name: str) -> None:
    case = CASES[name]
    data = case.data()
    model = fitted(name)
    row = data.index[(data["x"] > 0).argmax()] if "x" in data else data.index[3]
    for column in case.columns:
        for value in (-1, np.nan, np.inf):
            if value == -1 and column in case.may_be_negative:
                continue
            wrong = data.astype({column: object if column == "churned" else float})
            wrong.loc[row, column] = value
            with pytest.raises(LtvInputError, match=column):
                case.make().fit(wrong, case.labels())
            if column != "litt":  # a prediction does not need it
                with pytest.raises(LtvInputError, match=column):
                    call(model, of_rows(type(model))[0], wrong)
        with pytest.raises(LtvInputError, match=column):
            case.make().fit(data.assign(**{column: "12"}), case.labels())


@every
@pytest.mark.parametrize("wrong", [None, [[1, 2, 3]], np.ones((3, 3)), "rfm.parquet"])
def test_what_is_no_table_is_refused_with_what_to_give(name: str, wrong: object) -> None:
    with pytest.raises(LtvInputError) as caught:
        CASES[name].make().fit(wrong, CASES[name].labels())
    assert caught.value.todo


@every_of_a_frame
def test_an_empty_table_is_refused(name: str) -> None:
    labels = CASES[name].labels()
    with pytest.raises(LtvInputError, match="no rows"):
        CASES[name].make().fit(CASES[name].data().iloc[:0], None if labels is None else labels.iloc[:0])


@every
def test_rows_of_weight_zero_do_not_count(name: str) -> None:
    case, data = CASES[name], CASES[name].data()
    rows = len(data.index)
    w = (np.arange(rows) % 3 > 0).astype(float)
    model, asked = case.make().fit(data, case.labels(), w), case.asked()
    if not case.takes_a_frame:
        assert call(model, "lifetime_value", case.asked()).sum() != pytest.approx(
            call(fitted(name), "lifetime_value", case.asked()).sum(), rel=1e-6
        )
        return
    labels = case.labels()
    alone = case.make().fit(data[w > 0], None if labels is None else labels[w > 0])
    for verb in of_rows(type(model)):
        np.testing.assert_allclose(call(model, verb, asked), call(alone, verb, asked), rtol=1e-5)


@every_of_a_frame
def test_whole_weights_and_the_column_n_do_what_repeating_the_rows_would(name: str) -> None:
    case, data, labels = CASES[name], CASES[name].data(), CASES[name].labels()
    often = pd.Series(np.arange(len(data)) % 3, index=data.index)
    rows = np.repeat(np.arange(len(data)), often)
    again = case.make().fit(data.iloc[rows], None if labels is None else labels.iloc[rows])
    weighted = case.make().fit(data, labels, sample_weight=often)
    counted = case.make().fit(data.assign(n=often), labels)
    asked = case.asked()
    # the trees' smallest leaf is a number of rows, whatever they weigh
    tolerance = 0.35 if name == "TwoPartBoosting" else 1e-5
    for verb in of_rows(type(again)):
        expected = call(again, verb, asked)
        np.testing.assert_allclose(call(weighted, verb, asked), call(counted, verb, asked), rtol=1e-12)
        np.testing.assert_allclose(call(weighted, verb, asked).sum(), expected.sum(), rtol=tolerance)
        if name != "TwoPartBoosting":
            np.testing.assert_allclose(call(weighted, verb, asked), expected, rtol=tolerance, err_msg=verb)


@every
def test_weights_that_cannot_be_are_refused(name: str) -> None:
    case, data = CASES[name], CASES[name].data()
    n = len(data.index)
    series = pd.Series(1.0, index=data.index)
    for wrong, what in (
        (-np.ones(n), "negative"),
        (np.ones(n - 1), f"{n - 1} values for {n} rows"),
        (np.full(n, np.nan), "missing"),
        (series.iloc[::-1], "another index"),
        (np.zeros(n), "all sample weights are zero"),
        (np.array(["1"] * n), "not numbers"),
    ):
        with pytest.raises(LtvInputError, match=what):
            case.make().fit(data, case.labels(), wrong)


@every_of_a_frame
def test_cross_validation_works_by_the_own_score_and_by_any_other(name: str) -> None:
    case, labels = CASES[name], CASES[name].labels()
    data = case.data() if case.ask is None else with_old_contracts_in_every_fold(name)
    if hasattr(case.make(), "score"):
        assert np.isfinite(cross_val_score(case.make(), data, labels, cv=2, error_score="raise")).all()
    outcome = np.arange(float(len(data))) if labels is None else labels["value"]
    scores = cross_val_score(case.make(), data, outcome, cv=2, scoring=by_outcome, error_score="raise")
    assert np.isfinite(scores).all()


@pytest.mark.filterwarnings("ignore:The scoring .* does not support sample_weight")
@every_of_a_frame
def test_a_search_tries_the_grid_and_hands_weights_on(name: str) -> None:
    case, labels, model = CASES[name], CASES[name].labels(), CASES[name].make()
    data = case.data() if case.ask is None else with_old_contracts_in_every_fold(name)
    scoring = None if hasattr(model, "score") else by_outcome
    y = labels if labels is not None or scoring is None else np.arange(float(len(data)))
    w = pd.Series(1.0 + np.arange(len(data)) % 2, index=data.index)
    search = GridSearchCV(model, case.grid, cv=2, scoring=scoring, error_score="raise")
    search.fit(data, y, sample_weight=w)
    assert search.best_params_.keys() == case.grid.keys()
    by_hand = clone(model).set_params(**search.best_params_).fit(data, labels, sample_weight=w)
    verb = of_rows(type(model))[0]
    pd.testing.assert_series_equal(
        call(search.best_estimator_, verb, case.asked()), call(by_hand, verb, case.asked())
    )


@every_of_a_frame
def test_metadata_routing_hands_weights_to_fit_and_score(name: str) -> None:
    case, data, labels = CASES[name], CASES[name].data(), CASES[name].labels()
    model = case.make()
    w = pd.Series(1.0 + np.arange(len(data)) % 2, index=data.index)
    with sklearn.config_context(enable_metadata_routing=True):
        model.set_fit_request(sample_weight=True)
        if not hasattr(model, "score"):
            with pytest.raises(LtvInputError, match="no score"):
                model.set_score_request(sample_weight=True)
            return
        model.set_score_request(sample_weight=True)
        assert clone(model).get_metadata_routing().fit.requests == {"sample_weight": True}
        routed = cross_val_score(model, data, labels, cv=2, params={"sample_weight": w}, error_score="raise")
        model.set_score_request(sample_weight=False)
        unweighted = cross_val_score(
            model, data, labels, cv=2, params={"sample_weight": w}, error_score="raise"
        )
    assert not np.allclose(routed, unweighted, rtol=1e-9)


@every_of_a_frame
def test_it_ends_a_pipeline(name: str) -> None:
    case, data, labels = CASES[name], CASES[name].data(), CASES[name].labels()
    pipeline = make_pipeline(FunctionTransformer(lambda frame: frame.iloc[::-1]), case.make())
    reverse = None if labels is None else labels.iloc[::-1]
    pipeline.fit(data, reverse)
    alone = fitted(name)
    verb = of_rows(type(alone))[0]
    np.testing.assert_allclose(
        call(pipeline[-1], verb, case.asked()), call(alone, verb, case.asked()), rtol=1e-6
    )


@every_of_a_frame
def test_customers_are_predicted_one_by_one_and_newcomers_too(name: str) -> None:
    model, asked = fitted(name), CASES[name].asked()
    few = asked.iloc[[7, 3, 11]]
    new = asked.iloc[[0]].assign(
        **{c: 0 for c in ("x", "t_x", "T", "spend", "recent_transactions", "recent_value") if c in asked}
    )
    if "churned" in asked:
        new = new.assign(churned=False)
    for verb in of_rows(type(model)):
        pd.testing.assert_series_equal(
            call(model, verb, few), call(model, verb, asked).loc[few.index], check_exact=False, rtol=1e-9
        )
        answer = call(model, verb, new)
        assert np.isfinite(answer).all()
        assert len(answer) == 1


@every
def test_draws_are_reproducible_and_centred_on_the_expectation(name: str) -> None:
    model, data = fitted(name), CASES[name].asked()
    if "sample" not in verbs(type(model)):
        assert "fit_result_" not in learned(model), "a likelihood can be drawn from"
        return
    once, again, other = (call(model, "sample", data, draws=40, seed=s) for s in (1, 1, 2))
    pd.testing.assert_frame_equal(once, again)
    assert not once.equals(other)
    assert once.shape == (len(data), 40)
    pd.testing.assert_index_equal(once.index, data.index)
    assert (once >= 0).all(axis=None)
    verb = next(v for v in (*OF_ROWS[:3], "lifetime_value") if hasattr(model, v))
    fixed = call(model, "sample", data, draws=40, parameters="fitted")
    expected = call(model, verb, data)
    error = fixed.sum().std() / np.sqrt(40)
    assert abs(fixed.sum().mean() - expected.sum()) < 4 * error
    for wrong in ({"draws": 0}, {"draws": 2.5}, {"parameters": "mean"}):
        with pytest.raises(LtvInputError, match=next(iter(wrong))):
            call(model, "sample", data, **wrong)


@every
def test_the_horizon_of_the_table_is_long_enough_to_matter(name: str) -> None:
    """Guards the tests above: with a horizon of nothing they would all pass."""
    model = fitted(name)
    for verb in of_rows(type(model)):
        assert call(model, verb, CASES[name].asked()).sum() > 0
    assert HORIZON > 0
