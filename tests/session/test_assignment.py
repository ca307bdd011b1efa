from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pytest

from nbdataops.errors import StoreError
from nbdataops.session.assignment import Assignment, LabelledInput, LabelledOrigin, read_assignment
from nbdataops.session.scope import Scope, ScopeError
from tests.session.desk import Desk


def test_an_assignment_survives_its_file_with_all_it_names(desk: Desk) -> None:
    origin = LabelledOrigin(date(1996, 12, 30), date(1997, 3, 31), desk.rfm, desk.purchases)
    made = desk.assign(
        labelled=(LabelledInput("rfm", ("x",), 13, (origin,)),),
        parameters={
            "d": date(1997, 1, 2),
            "t": datetime(1997, 1, 2, 3, 4),
            "list": [date(1997, 1, 1)],
            "n": None,
        },
        secrets={"dsn": {"env": "DSN"}},
        limits={"memory_mb": 512},
        messages={"rfm": "your dev"},
    )

    assert Assignment.from_json(made.to_json()) == made


def test_dates_among_parameters_arrive_as_dates_and_text_that_looks_like_one_stays_text(desk: Desk) -> None:
    made = desk.assign(parameters={"day": date(1997, 1, 2), "text": "1997-01-02"})

    again = Assignment.from_json(made.to_json())

    assert again.parameters == {"day": date(1997, 1, 2), "text": "1997-01-02"}


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"node": 1}'])
def test_a_file_that_is_no_assignment_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "assignment.json"
    path.write_text(content)

    with pytest.raises(StoreError, match=r"assignment\.json cannot be read"):
        read_assignment(path)


def test_a_missing_assignment_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        read_assignment(tmp_path / "none.json")


def test_until_is_there_for_outcomes_only_and_horizon_where_something_depends_on_it() -> None:
    outcome = Scope(date(1997, 3, 31), 39, date(1997, 12, 29))
    prepare = Scope(date(1997, 3, 31))

    assert outcome.value("until") == date(1997, 12, 29)
    with pytest.raises(ScopeError, match=r"stage\.until exists only where a notebook calls stage\.outcome"):
        prepare.value("until")
    with pytest.raises(ScopeError, match="no horizon"):
        prepare.value("horizon")
    assert prepare.values() == {"as_of": date(1997, 3, 31)}
