"""Whole refits under resampled customers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbdataops.ltv import BGBB, BGNBD, GammaGamma, LtvInputError, ParetoNBD, bootstrap, rfm_cells
from nbdataops.ltv.reference.datasets import data_set

from .shops import equal_leaving_shop, pareto_shop


@pytest.fixture(scope="module")
def shop() -> pd.DataFrame:
    return pareto_shop(5000)


@pytest.mark.parametrize("cls", [BGNBD, ParetoNBD])
@pytest.mark.parametrize("scheme", ["poisson", "multinomial"])
def test_replicates_scatter_as_the_standard_errors_say(cls, scheme: str, shop: pd.DataFrame) -> None:
    model = cls().fit(shop)
    refits = bootstrap(model, shop, replicates=100, scheme=scheme)
    for name, error in model.fit_result_.standard_errors.items():
        assert refits[name].std() == pytest.approx(error, rel=0.5)
        assert abs(refits[name].median() - model.fit_result_.parameters[name]) < error


@pytest.mark.parametrize("cls", [BGNBD, ParetoNBD])
def test_a_replicate_is_the_optimum_of_its_own_customers(cls, shop: pd.DataFrame) -> None:
    model, cells = cls().fit(shop), rfm_cells(shop)
    refit = bootstrap(model, cells, replicates=1, seed=5).iloc[0]
    stream = np.random.SeedSequence(5).spawn(1)[0]
    counts = np.random.default_rng(stream).poisson(cells.counts()).astype(float)
    grouped = pd.DataFrame({"x": cells.x, "t_x": cells.t_x, "T": cells.T, "n": counts})
    again = cls().fit(grouped)
    assert refit.pop("identified")
    np.testing.assert_allclose(refit.astype(float), list(again.fit_result_.parameters.values()), rtol=2e-5)


def test_totals_of_a_horizon_surround_the_forecast(shop: pd.DataFrame) -> None:
    model = BGNBD().fit(shop)
    totals = bootstrap(model, shop, replicates=60, horizon=20).transactions
    expected = model.expected_transactions(shop, 20).sum()
    assert totals.min() < expected < totals.max()
    assert 0.005 < totals.std() / expected < 0.2


def test_the_same_seed_gives_the_same_replicates(shop: pd.DataFrame) -> None:
    model = BGNBD().fit(shop)
    first, again, other = (bootstrap(model, shop, replicates=3, seed=s) for s in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)
    more = bootstrap(model, shop, replicates=5, seed=1)
    pd.testing.assert_frame_equal(more.iloc[:3], first)


def test_a_ridge_has_no_bootstrap() -> None:
    shop = equal_leaving_shop(1000, leaving=0.01)
    with pytest.raises(LtvInputError, match="without a clear peak"):
        bootstrap(ParetoNBD().fit(shop), shop)


def test_wrong_options_are_refused(shop: pd.DataFrame) -> None:
    model = BGNBD().fit(shop)
    with pytest.raises(LtvInputError, match="no scheme 'poison'") as caught:
        bootstrap(model, shop, scheme="poison")
    assert "poisson" in caught.value.todo
    with pytest.raises(LtvInputError, match="replicates"):
        bootstrap(model, shop, replicates=0)
    with pytest.raises(LtvInputError, match="not whole"):
        bootstrap(model, shop.assign(n=0.7), scheme="multinomial")


def test_replicates_without_a_clear_peak_are_flagged_as_their_own_fits_are() -> None:
    few = data_set("cdnow-sample").sample(150, random_state=0)
    model, cells = BGNBD().fit(few), rfm_cells(few)
    assert model.fit_result_.identified
    refits = bootstrap(model, cells, replicates=40)
    assert (refits.b > 1e4).any()
    assert not refits.identified[refits.b > 1e4].any()
    assert refits.identified.dtype == bool
    assert 0.5 < refits.identified.mean() < 1
    for stream, said in zip(np.random.SeedSequence(0).spawn(40), refits.identified, strict=True):
        counts = np.random.default_rng(stream).poisson(cells.counts()).astype(float)
        grouped = pd.DataFrame({"x": cells.x, "t_x": cells.t_x, "T": cells.T, "n": counts})
        assert BGNBD().fit(grouped).fit_result_.identified == said


@pytest.mark.parametrize("cls", [BGNBD, ParetoNBD])
def test_peaks_of_many_customers_are_clear(cls, shop: pd.DataFrame) -> None:
    assert bootstrap(cls().fit(shop), shop, replicates=10).identified.all()


def test_a_draw_of_nobody_is_drawn_again(shop: pd.DataFrame) -> None:
    refits = bootstrap(BGNBD().fit(shop), shop.head(1), replicates=6, seed=3)
    assert np.isfinite(refits[["r", "alpha", "a", "b"]]).all(axis=None)
    assert not refits.identified.any()  # one customer tells nothing
    with pytest.raises(LtvInputError, match=r"stand for 0\.1 customers"):
        bootstrap(BGNBD().fit(shop), shop.head(1).assign(n=0.1))


def test_models_that_do_not_count_cells_are_refused_with_those_that_do(shop: pd.DataFrame) -> None:
    spend = GammaGamma().fit(data_set("cdnow-sample"))
    for model, what in ((spend, "GammaGamma"), (BGNBD, "BGNBD"), (None, "NoneType")):
        with pytest.raises(LtvInputError, match=f"does not work for {what}") as caught:
            bootstrap(model, shop)
        assert "MBGNBD" in caught.value.todo
    donors = data_set("donations")
    assert bootstrap(BGBB().fit(donors), donors, replicates=2).identified.all()
