"""What is read out of notebooks that are fine."""

from __future__ import annotations

import inspect
import pickle
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from nbdataops import stage as stage_module
from nbdataops.errors import NotebookError
from nbdataops.product.calls import _Finder
from nbdataops.product.notebook import (
    Evidence,
    Labelled,
    Literal,
    ParameterRef,
    Read,
    ScopeRef,
    Write,
    find_notebooks,
    read_notebook,
)
from tests.product.written import (
    IMPORT,
    code,
    markdown,
    parameters,
    stage_of,
    write_notebook,
    write_product,
    write_tiny_stages,
)

DESIGN = """\
from nbdataops.ltv import BGNBD
rfm = stage.read("rfm", columns=["x", "t_x", "T", "spend"]).set_index("customer_id")

def fit(weights=None):
    bg = BGNBD().fit(rfm, sample_weight=weights)
    return rfm.assign(value=bg.expected_transactions(rfm, stage.horizon))

stage.estimate(fit, family="latent-attrition")
stage.validate()
"""


def test_the_method_of_the_design_is_understood(tmp_path: Path) -> None:
    cell = parameters("from datetime import date\nas_of: date = date(1997, 9, 30)\nhorizon: int = 39")

    found = stage_of(tmp_path, markdown("# BG/NBD"), cell, DESIGN, name="methods/bg_nbd")

    assert (found.name, found.role, found.family, found.is_fit) == (
        "methods/bg_nbd",
        "method",
        "latent-attrition",
        True,
    )
    assert found.path == tmp_path / "methods/bg_nbd.ipynb"
    assert found.reads == (Read("rfm", ("x", "t_x", "T", "spend"), cell=4, line=2),)
    assert found.validates
    assert found.uses == {"as_of", "horizon"}
    as_of, horizon = found.parameters
    assert (as_of.name, as_of.annotation, as_of.type.kind, as_of.default) == (
        "as_of",
        "date",
        "date",
        date(1997, 9, 30),
    )
    assert (horizon.name, horizon.default, horizon.cell, horizon.line) == ("horizon", 39, 3, 3)


def test_cells_are_counted_over_markdown_and_raw_cells_too(tmp_path: Path) -> None:
    raw = {"cell_type": "raw", "metadata": {}, "source": "stage.read('nothing')"}

    found = stage_of(tmp_path, markdown("one"), raw, 'x = 1\nstage.read("orders")')

    assert found.reads == (Read("orders", None, cell=4, line=2),)


@pytest.mark.parametrize(
    ("imports", "call"),
    [
        ("from nbdataops import stage", "stage.read"),
        ("from nbdataops import stage as s", "s.read"),
        ("import nbdataops", "nbdataops.stage.read"),
        ("import nbdataops as n", "n.stage.read"),
        ("import nbdataops.stage", "nbdataops.stage.read"),
        ("import nbdataops.stage as st", "st.read"),
        ("import nbdataops.ltv\nfrom nbdataops import stage", "stage.read"),
        ("if True:\n    from nbdataops import stage", "stage.read"),
    ],
)
def test_import_aliases_are_followed(tmp_path: Path, imports: str, call: str) -> None:
    found = read_notebook(
        tmp_path, write_notebook(tmp_path, "view", imports, f'{call}("orders", columns=["a"])')
    )

    assert found is not None
    assert [r.table for r in found.reads] == ["orders"]
    assert found.role == "view"


@pytest.mark.parametrize(
    "cells",
    [
        ["x = 1"],
        [IMPORT],
        ["import nbdataops\nnbdataops.open_product('.')"],
        ["stage = 3\nprint(stage.real)"],
        ["this is ( no python"],
        [],
        [markdown("stage.read('orders')")],
    ],
)
def test_a_notebook_that_does_not_call_stage_is_no_stage(tmp_path: Path, cells: list[str]) -> None:
    assert read_notebook(tmp_path, write_notebook(tmp_path, "notes", *cells)) is None


def test_a_notebook_in_another_language_is_no_stage(tmp_path: Path) -> None:
    metadata = {"kernelspec": {"name": "ir", "language": "R", "display_name": "R"}}
    write_notebook(tmp_path, "plot", "library(nbdataops) %>% stage", metadata=metadata)

    stages, ignored = find_notebooks(tmp_path)

    assert stages == ()
    assert ignored == (("plot.ipynb", "is written in r"),)


@pytest.mark.parametrize(
    ("source", "role"),
    [
        ('stage.estimate(f, family="naive")', "method"),
        ('stage.write("a", f, key="k")\nstage.estimate(f, family="naive")', "method"),
        ("stage.outcome(f)", "outcome"),
        ('stage.evidence("e", bad=1, of=2)\nstage.outcome(f)', "outcome"),
        ('stage.write("a", f, key="k")', "prepare"),
        ('stage.write("a", f, key="k")\nstage.evidence("e", bad=1, of=2)', "prepare"),
        ('stage.evidence("e", ours=a, theirs=b)', "check"),
        ("print(stage.as_of)", "view"),
        ("stage.validate()", "view"),
    ],
)
def test_the_role_follows_from_what_is_published(tmp_path: Path, source: str, role: str) -> None:
    assert stage_of(tmp_path, f"f = a = b = None\n{source}").role == role


@pytest.mark.parametrize(
    ("given", "is_fit"),
    [
        ("def fit(weights=None):\n    return 1\n{}", "fit"),
        ("fit = lambda weights=None: 1\n{}", "fit"),
        ("{}", "lambda weights=None: 1"),
        ("if True:\n    def fit(weights=None): ...\n{}", "fit"),
    ],
)
def test_an_estimate_by_a_function_is_a_fit(tmp_path: Path, given: str, is_fit: str) -> None:
    found = stage_of(tmp_path, given.format(f'stage.estimate({is_fit}, family="f")'))

    assert found.is_fit is True


@pytest.mark.parametrize("given", ["frame", "frame.reset_index()", "fit()", "{}"])
def test_an_estimate_by_a_frame_is_no_fit(tmp_path: Path, given: str) -> None:
    found = stage_of(tmp_path, f"def fit(): ...\nframe = fit()\nstage.estimate({given}, family='f')")

    assert found.is_fit is False


def test_without_an_estimate_is_fit_is_unknown(tmp_path: Path) -> None:
    found = stage_of(tmp_path, "stage.outcome(1)")

    assert (found.is_fit, found.family) == (None, None)


@pytest.mark.parametrize(
    ("before", "columns", "expected"),
    [
        ("", '["a", "b"]', ("a", "b")),
        ("", '("a", "b")', ("a", "b")),
        ("", "[]", ()),
        ("", "None", None),
        ("", '["a"] + ["b"]', ("a", "b")),
        ('FEATURES = ["a", "b"]', "FEATURES", ("a", "b")),
        ('FEATURES = ["a"]', 'FEATURES + ["b"]', ("a", "b")),
        ('FEATURES = ["a"]', '[*FEATURES, "b"]', ("a", "b")),
        ('FEATURES = ["a"]', '[*FEATURES, "a"]', ("a",)),
        ('A = ("a",)\nB = [*A, "b"]\nC = B + ["c"]', "C", ("a", "b", "c")),
        ('FEATURES: list[str] = ["a"]', "FEATURES", ("a",)),
        ('KEY = "a"', "[KEY]", ("a",)),
        ('KEY = "a" "b"', 'KEY and ["x"] if False else ["z"]', "error"),
    ],
)
def test_columns_are_literals_names_bound_once_or_sums_of_them(
    tmp_path: Path, before: str, columns: str, expected: object
) -> None:
    if expected == "error":
        with pytest.raises(Exception, match="only running the code would tell"):
            stage_of(tmp_path, before, f'stage.read("rfm", columns={columns})')
        return

    found = stage_of(tmp_path, before or "pass", f'stage.read("rfm", columns={columns})')

    assert found.reads[0].columns == expected


@pytest.mark.parametrize(
    "where",
    [
        "def f():\n    return {}",
        "frames = [{} for _ in range(2)]",
        "if x:\n    y = {}\nelse:\n    pass",
        "with open('f') as g:\n    {}",
        "class C:\n    frame = {}",
        "f(1, *[g({})])",
        "match x:\n    case 1:\n        {}",
        "async def f():\n    async with g():\n        await h({})",
        "@decorate({})\ndef f(a=1): ...",
        "lambda a=1: {}",
        'print(f"{{{}}}")',
        "%%time\n{}",
        "%matplotlib inline\n{}",
        "!ls\n{}",
        "    {}",
        "await go()\n{}",
    ],
)
def test_a_call_is_found_wherever_it_stands(tmp_path: Path, where: str) -> None:
    call = "stage.read('orders', columns=['a'])"

    found = stage_of(tmp_path, {**code(""), "source": where.format(call)})

    line = next(n for n, text in enumerate(where.splitlines(), 1) if "{}" in text)
    assert found.reads == (Read("orders", ("a",), cell=2, line=line),)


def test_a_call_inside_the_arguments_of_another_is_found(tmp_path: Path) -> None:
    found = stage_of(tmp_path, 'stage.write("a", stage.read("orders"), key="k")')

    assert [r.table for r in found.reads] == ["orders"]


def test_writes_and_evidence_carry_what_they_declare(tmp_path: Path) -> None:
    found = stage_of(
        tmp_path,
        'KEY = ["customer_id", "date"]',
        'stage.write("purchases", day, key=KEY, event_time="date")',
        'stage.write("rfm", frame=rfm, key="customer_id")',
        'stage.evidence("finance", ours=a, theirs=b, margin=m, required=True)\nstage.evidence("bad", bad=n, of=len(f))',
    )

    assert found.writes == (
        Write("purchases", ("customer_id", "date"), "date", cell=3, line=1),
        Write("rfm", ("customer_id",), None, cell=4, line=1),
    )
    assert found.evidence == (
        Evidence("finance", True, cell=5, line=1),
        Evidence("bad", False, cell=5, line=2),
    )


def test_partitions_are_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(NotebookError, match="not supported in this version"):
        stage_of(tmp_path, 'stage.write("rfm", frame=rfm, key="customer_id", by="country")')


@pytest.mark.parametrize(
    ("arguments", "horizon", "origins"),
    [
        ("", ScopeRef("horizon"), Literal(1)),
        ("horizon=13", Literal(13), Literal(1)),
        ("horizon=WEEKS, origins=3", Literal(26), Literal(3)),
        ("horizon=train_horizon, origins=back", ParameterRef("train_horizon"), ParameterRef("back")),
        ("horizon=stage.horizon", ScopeRef("horizon"), Literal(1)),
        ("horizon=horizon", ScopeRef("horizon"), Literal(1)),
    ],
)
def test_labels_come_over_a_number_a_parameter_or_the_scope(
    tmp_path: Path, arguments: str, horizon: object, origins: object
) -> None:
    cell = parameters("train_horizon: int = 13\nback: int = 1\nhorizon: int = 39")

    found = stage_of(tmp_path, cell, "WEEKS = 26", f'stage.labelled("rfm", columns=["x"], {arguments})')

    assert found.labelled == (Labelled("rfm", ("x",), horizon, origins, cell=4, line=1),)  # type: ignore[arg-type]


def test_queries_tell_their_tables_frames_and_values(tmp_path: Path) -> None:
    query = """
    recent = stage.sql('''
        with p as (select * from purchases where date > $as_of - interval 91 day and amount > $least)
        select * from p join promo using (customer_id) join rfm using (customer_id)
    ''', promo=frame, into="arrow")
    """

    found = stage_of(tmp_path, parameters("least: float = 1"), query)

    (sql,) = found.sqls
    assert (sql.tables, sql.frames, sql.cell, sql.line) == (("purchases", "rfm"), ("promo",), 3, 1)
    assert set(sql.values) == {"as_of", "least"}
    assert found.uses == {"as_of"}


def test_until_means_the_horizon_counts_too(tmp_path: Path) -> None:
    assert stage_of(tmp_path, "stage.until").uses == {"until", "horizon"}


def test_secrets_are_named_once(tmp_path: Path) -> None:
    assert stage_of(tmp_path, 'stage.secret("dsn"), stage.secret("dsn"), stage.secret("key")').secrets == (
        "dsn",
        "key",
    )


def test_a_parameter_that_names_columns_is_fixed(tmp_path: Path) -> None:
    cell = parameters('features: list[str] = ["x", "T"]\ntable: str = "rfm"\nseed: int = 0')

    found = stage_of(tmp_path, cell, "stage.read(table, columns=features)")

    assert found.reads == (Read("rfm", ("x", "T"), cell=3, line=1),)
    assert found.fixed == {"features", "table"}


@pytest.mark.parametrize(
    ("line", "kind", "default"),
    [
        ("x: int = 3", "int", 3),
        ("x = 3", "int", 3),
        ("x: float = 3", "float", 3.0),
        ("x = -0.5", "float", -0.5),
        ('x = float("inf")', "float", float("inf")),
        ("x: bool = True", "bool", True),
        ("x = False", "bool", False),
        ("x: str = 'a'", "str", "a"),
        ("x = 'a'", "str", "a"),
        ("x: date = date(2020, 1, 2)", "date", date(2020, 1, 2)),
        ("x = date(2020, 1, 2)", "date", date(2020, 1, 2)),
        ("x: dt.date = dt.date(2020, month=1, day=2)", "date", date(2020, 1, 2)),
        ("x = dt.date.fromisoformat('2020-01-02')", "date", date(2020, 1, 2)),
        ("x: datetime = datetime(2020, 1, 2, 3)", "datetime", datetime(2020, 1, 2, 3)),
        ("x: 'date' = date(2020, 1, 2)", "date", date(2020, 1, 2)),
        ("x: Literal['a', 'b'] = 'a'", "Literal['a', 'b']", "a"),
        ("x: typing.Literal[1, 2] = 2", "Literal[1, 2]", 2),
        ("x: Optional[int] = None", "int | None", None),
        ("x: int | None = None", "int | None", None),
        ("x: None | date = None", "date | None", None),
        ("x: Union[str, None] = 'a'", "str | None", "a"),
        ("x: list[int] = [1, 2]", "list[int]", [1, 2]),
        ("x: List[date] = [date(2020, 1, 2)]", "list[date]", [date(2020, 1, 2)]),
        ("x: list[float | None] = [None, 1]", "list[float | None]", [None, 1.0]),
        ("x = ['a', 'b']", "list[str]", ["a", "b"]),
        ("x = [1, 0.5]", "list[float]", [1.0, 0.5]),
    ],
)
def test_parameters_are_typed_by_annotation_or_default(
    tmp_path: Path, line: str, kind: str, default: object
) -> None:
    imports = "import datetime as dt\nimport typing\nfrom datetime import date, datetime\n"
    imports += "from typing import List, Literal, Optional, Union\n"

    found = stage_of(tmp_path, parameters(imports + line), 'stage.read("a")')

    (parameter,) = found.parameters
    assert str(parameter.type) == kind
    assert parameter.default == default
    assert type(parameter.default) is type(default)


def test_a_copy_that_papermill_executed_reads_like_the_original(tmp_path: Path) -> None:
    before: list[Any] = [IMPORT, parameters("seed: int = 1"), 'stage.read("a")']
    injected = code("seed = 99\nas_of = derived()", "injected-parameters")

    original = read_notebook(tmp_path, write_notebook(tmp_path, "a", *before))
    executed = read_notebook(tmp_path, write_notebook(tmp_path, "b", *before[:2], injected, before[2]))

    assert original is not None
    assert executed is not None
    assert executed.parameters == original.parameters
    assert executed.code_digest == original.code_digest


def test_a_stage_survives_pickling(tmp_path: Path) -> None:
    found = stage_of(tmp_path, parameters("x: list[int] = [1]"), DESIGN)

    assert pickle.loads(pickle.dumps(found)) == found


def test_every_function_of_the_stage_module_is_understood_with_all_its_arguments() -> None:
    understood = {
        name.removeprefix("_") for name in vars(_Finder) if name.startswith("_") and name[1:].isalpha()
    }

    assert set(stage_module.__all__) <= understood


@pytest.mark.parametrize("name", sorted(stage_module.__all__))
def test_arguments_have_the_names_that_the_stage_module_gives_them(tmp_path: Path, name: str) -> None:
    literal = {
        "name": '"t"', "text": '"select 1"', "columns": '["a"]', "into": '"arrow"', "key": '"k"', "family": '"f"',
        "horizon": "1", "origins": "1", "event_time": '"d"', "by": '"c"', "required": "True",
    }  # fmt: skip
    signature = inspect.signature(getattr(stage_module, name))
    given = [
        f"{p.name}={literal.get(p.name, 'frame')}"
        for p in signature.parameters.values()
        if p.kind is not p.VAR_KEYWORD
        and p.name != "by"
        and not (name == "evidence" and p.name in ("ours", "theirs"))
    ]

    assert stage_of(tmp_path, f"stage.{name}({', '.join(given)})")


def test_all_stages_of_a_product_are_found_by_name(tmp_path: Path) -> None:
    write_tiny_stages(write_product(tmp_path))

    stages, ignored = find_notebooks(tmp_path)

    assert [s.name for s in stages] == ["checks/outcome", "methods/naive", "prepare/clean", "prepare/rfm"]
    assert [s.role for s in stages] == ["outcome", "method", "prepare", "prepare"]
    assert ignored == ()


def test_what_is_no_stage_is_named_with_its_reason(tmp_path: Path) -> None:
    call = 'stage.read("a")'
    for name in (
        ".hidden",
        "_draft",
        "Untitled",
        "Untitled3",
        "clean-Copy1",
        "notes",
        "_old/a",
        "other/methods/b",
    ):
        cells = ["x = 1"] if name == "notes" else [IMPORT, call]
        write_notebook(tmp_path, name, *cells)
    for name in (
        ".git/x",
        ".ipynb_checkpoints/clean-checkpoint",
        ".nbdataops/runs/x",
        "store/runs/x",
        "venv/lib/x",
    ):
        write_notebook(tmp_path, name, IMPORT, call)
    (tmp_path / "other/dataproduct.yaml").write_text("product: other")
    (tmp_path / "venv/pyvenv.cfg").write_text("")

    stages, ignored = find_notebooks(tmp_path, store=tmp_path / "store")

    assert stages == ()
    assert dict(ignored) == {
        ".hidden.ipynb": "its name starts with .",
        "Untitled.ipynb": "its name starts with Untitled",
        "Untitled3.ipynb": "its name starts with Untitled",
        "_draft.ipynb": "its name starts with _",
        "_old": "its name starts with _",
        "clean-Copy1.ipynb": "its name says that it is a copy",
        "notes.ipynb": "does not call stage",
        "other": "is a product of its own",
    }


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("from nbdataops import open_product", "sees more than this notebook's scope"),
        ("from nbdataops.store.snapshots import load", "sees more than this notebook's scope"),
        ("import nbdataops.session.read", "sees more than this notebook's scope"),
        ("import sys\nsys.path.insert(0, 'lib')\nstage.read('a')", "cannot be told"),
        ('stage.sql("select now() as x from a")', "another answer every time"),
        ('stage.sql("select random() as x from a")', "another answer every time"),
        ('stage.outcome(frame)\nstage.write("later", frame, key="k")', "after its as_of"),
    ],
)
def test_what_would_escape_the_scope_is_refused(tmp_path: Path, code: str, told: str) -> None:
    with pytest.raises(NotebookError, match=told):
        stage_of(tmp_path, code)
