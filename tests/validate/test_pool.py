"""Origins, clusters of overlapping windows, and what they say together."""

from __future__ import annotations

import math
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbdataops.validate.measurement import State, absent
from nbdataops.validate.pool import clusters, count, pool, student
from tests.validate.made import made

DAY = date(1997, 1, 1)


def at(week: int, horizon: int = 39, estimate: float | None = 0.0, se: float | None = 0.02, **more: object):  # type: ignore[no-untyped-def]
    return made(
        "holdout", estimate=estimate, se=se, as_of=DAY + timedelta(weeks=week), horizon=horizon, **more
    )


def width(pooled) -> float:  # type: ignore[no-untyped-def]
    return float(pooled.upper - pooled.lower)


def test_overlap_is_passed_on_from_window_to_window() -> None:
    windows = [(DAY + timedelta(weeks=w), DAY + timedelta(weeks=w + 39)) for w in (0, 26, 52, 100)]
    assert clusters(windows) == ((0, 1, 2), (3,))


def test_windows_that_only_touch_do_not_overlap() -> None:
    windows = [(DAY + timedelta(weeks=13 * k), DAY + timedelta(weeks=13 * k + 13)) for k in range(4)]
    assert len(clusters(windows)) == 4


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=6, unique=True),
    st.floats(-0.5, 0.5),
    st.floats(0.001, 0.2),
)
def test_overlapping_origins_never_make_an_interval_narrower(
    weeks: list[int], estimate: float, se: float
) -> None:
    one = pool([at(weeks[0], estimate=estimate, se=se)])
    many = pool([at(w, estimate=estimate, se=se) for w in weeks])
    assert many.clusters == 1
    assert width(many) >= width(one) * (1 - 1e-12)


def test_the_latest_origin_speaks_for_a_cluster_and_the_others_are_shown() -> None:
    pooled = pool([at(0, estimate=-0.1, se=0.02), at(13, estimate=-0.2, se=0.04)])
    assert pooled.estimate == pytest.approx(-0.2)
    assert pooled.se == pytest.approx(0.04)
    assert pooled.between_origin_sd == pytest.approx(0.1 / math.sqrt(2))
    assert [o.estimate for o in pooled.origins] == [-0.1, -0.2]


def test_separate_clusters_vary_by_the_larger_of_two_sources_and_use_students_t() -> None:
    estimates = (-0.2, 0.0, 0.1, 0.3)
    pooled = pool([at(13 * k, 13, e, 0.01) for k, e in enumerate(estimates)])
    spread = math.sqrt(sum((e - 0.05) ** 2 for e in estimates) / 3 / 4)
    assert pooled.clusters == 4
    assert pooled.se == pytest.approx(spread)
    assert pooled.upper == pytest.approx(0.05 + 2.3534 * spread, rel=1e-4)
    alike = pool([at(13 * k, 13, 0.0, 0.04) for k in range(4)])
    assert alike.se == pytest.approx(0.02)


def test_a_simultaneous_quantile_stays_one_under_students_t() -> None:
    assert student(2.6, 3) > student(1.645, 3) > 1.645


def test_skipped_origins_are_named_and_do_not_count() -> None:
    gap = absent(
        "holdout",
        "m",
        as_of=DAY,
        until=None,
        horizon=39,
        reason="too little history",
        suffices=date(1998, 1, 1),
    )
    pooled = pool([gap, at(52)])
    assert pooled.state is State.MEASURED
    assert pooled.clusters == 1
    assert "too little history (1998-01-01 would suffice)" in pooled.skipped


def test_when_all_origins_are_skipped_the_date_that_would_suffice_is_told() -> None:
    gap = absent(
        "holdout",
        "m",
        as_of=DAY,
        until=None,
        horizon=39,
        reason="too little history",
        suffices=date(1998, 1, 1),
    )
    pooled = pool([gap])
    assert pooled.state is State.SKIPPED
    assert "1998-01-01" in pooled.reason


def test_an_origin_that_broke_breaks_the_whole() -> None:
    pooled = pool([at(0), at(52, estimate=None, se=None, state=State.ERROR, reason="boom")])
    assert pooled.state is State.ERROR
    assert "boom" in pooled.reason


def test_entity_resampling_at_one_origin_is_said_of_the_whole() -> None:
    assert pool([at(0), at(52, resampling="entity")]).resampling == "entity"


def test_violations_are_not_averaged_over_origins() -> None:
    found = [
        made("invariant", estimate=e, se=0.0, statistic="violations", as_of=DAY + timedelta(weeks=w))
        for w, e in ((0, 3.0), (13, 0.0))
    ]
    assert count(found).estimate == 3.0
