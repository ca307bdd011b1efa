"""What is refused in notebooks: every error names notebook, cell and line, and says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbdataops.errors import NbdataopsError, NotebookError
from nbdataops.product.notebook import find_notebooks, read_notebook
from tests.product.written import IMPORT, code, markdown, parameters, write_notebook


def refused(root: Path, *cells: object, name: str = "methods/one") -> NotebookError:
    """The error of a notebook of these cells, after a first cell that imports `stage`."""
    with pytest.raises(NotebookError) as caught:
        read_notebook(root, write_notebook(root, name, IMPORT, *cells))  # type: ignore[arg-type]
    error = caught.value
    assert error.where is not None
    assert error.where.file == f"{name}.ipynb"
    assert error.todo
    return error


def place(error: NbdataopsError) -> tuple[int | None, int | None]:
    assert error.where is not None
    return error.where.cell, error.where.line


# --- the file ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "not valid notebook JSON"),
        (b'{"nbformat": 4,\n "cells": [}', "not valid notebook JSON"),
        (b"[" * 100_000, "not valid notebook JSON"),
        (b'{"nbformat": 4, "cells": [\xff]}', "not text in UTF-8"),
        (b"[]", "the JSON is no object"),
        (b"{}", "no `nbformat` number"),
        (b'{"nbformat": "4"}', "no `nbformat` number"),
        (b'{"nbformat": 3, "worksheets": []}', "old notebook format 3"),
        (b'{"nbformat": 5, "cells": []}', "notebook format 5"),
        (b'{"nbformat": 4}', "no list `cells`"),
        (b'{"nbformat": 4, "cells": {}}', "no list `cells`"),
        (b'{"nbformat": 4, "cells": [3]}', "is no cell"),
        (b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": 3}]}', "a source that is no text"),
        (
            b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": ["a", 3]}]}',
            "a source that is no text",
        ),
        (
            b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": "\\ud800"}]}',
            "a character that is no text",
        ),
        (
            b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": "a\\u0000"}]}',
            "a character that is no text",
        ),
    ],
)
def test_a_file_that_is_no_notebook_is_refused(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "a.ipynb"
    path.write_bytes(content)

    with pytest.raises(NotebookError, match=what) as caught:
        read_notebook(tmp_path, path)

    assert str(caught.value).startswith("a.ipynb")
    assert caught.value.todo


def test_broken_json_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text('{"nbformat": 4,\n "cells": [}')

    with pytest.raises(NotebookError) as caught:
        read_notebook(tmp_path, path)

    assert place(caught.value) == (None, 2)


def test_metadata_of_the_wrong_shape_does_no_harm(tmp_path: Path) -> None:
    strange = {**code('stage.read("a")'), "metadata": {"tags": 3}}
    path = write_notebook(tmp_path, "a", IMPORT, strange, {**code("x = 1"), "metadata": None}, metadata=[])

    assert read_notebook(tmp_path, path)


def test_a_name_that_a_stage_cannot_have_is_refused(tmp_path: Path) -> None:
    assert "cannot have" in refused(tmp_path, "stage.validate()", name="methods/gb[deep]").what


def test_a_notebook_outside_of_the_product_is_refused(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "elsewhere", "a", IMPORT, "stage.validate()")

    with pytest.raises(NotebookError, match="does not lie in the product"):
        read_notebook(tmp_path / "product", path)


# --- the code ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("x = 1\ny = (", 2),
        ("x = 1\n\ndef f(:", 3),
        ("%matplotlib inline\nx = = 1", 2),
        ("%%time\n\nx = = 1", 3),
        ("!ls\nx = = 1", 2),
        ("\n\n!ls\nx = = 1", 4),
    ],
)
def test_a_syntax_error_names_its_cell_and_line(tmp_path: Path, source: str, line: int) -> None:
    error = refused(tmp_path, markdown("text"), {**code(""), "source": source})

    assert "syntax error" in error.what
    assert place(error) == (3, line)


def test_code_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    assert "nested too deeply" in refused(tmp_path, "stage.validate()", "x = " + "-" * 30_000 + "1").what


@pytest.mark.parametrize(
    "source",
    [
        "s = stage",
        "load(stage)",
        "load(x=stage)",
        "read = stage.read",
        "load(stage.read)",
        "getattr(stage, 'read')('orders')",
        "list(map(stage.read, names))",
        "stage.read",
        "[stage]",
        "print(f'{stage}')",
        "stage = 3",
        "stage: int = 3",
        "del stage",
        "for stage in range(3): pass",
        "with open('f') as stage: pass",
        "def stage(): pass",
        "class stage: pass",
        "def f(stage): return stage.read('a')",
        "lambda stage: stage.read('a')",
        "[stage for stage in x]",
        "import json as stage",
        "from json import loads as stage",
        "try:\n    pass\nexcept Exception as stage: pass",
        "(stage := 3)",
        "match x:\n    case stage: pass",
        "stage.read = 3",
        "stage.as_of = 3",
        "stage.as_of()",
        "%time stage.read('a')",
        "x = %timeit -o stage.read('a')",
        "%%mine\nstage.read('a')",
    ],
)
def test_stage_that_is_rebound_or_passed_on_is_refused(tmp_path: Path, source: str) -> None:
    error = refused(tmp_path, "stage.validate()", f"x = 1\n{source}" if "%%" not in source else source)

    assert place(error)[0] == 3
    assert (place(error)[1] or 0) >= 1


@pytest.mark.parametrize(
    "source",
    [
        "import nbdataops\nn = nbdataops\nnbdataops.stage.validate()",
        "import nbdataops as n\nf(n)\nn.stage.validate()",
        "import nbdataops as n\nf(n.stage)\nn.stage.validate()",
        "from nbdataops.stage import read\nread('a')",
        "from nbdataops.stage import *\nread('a')",
    ],
)
def test_the_package_passed_on_is_refused_too(tmp_path: Path, source: str) -> None:
    assert refused(tmp_path, source).where


@pytest.mark.parametrize(
    "source", ["%%bash\necho stage", "# stage", "'stage'", "x.stage = 1", "f(stage=1)", "%%html\nstage.read"]
)
def test_the_word_stage_alone_is_no_fault(tmp_path: Path, source: str) -> None:
    assert read_notebook(tmp_path, write_notebook(tmp_path, "a", IMPORT, "stage.validate()", source))


def test_run_is_refused_since_nobody_can_follow_it(tmp_path: Path) -> None:
    error = refused(tmp_path, "stage.validate()", "%run other.py")

    assert "%run" in error.what
    assert place(error) == (3, 1)


@pytest.mark.parametrize(
    ("call", "what", "todo"),
    [
        ("stage.raed('a')", "no stage.raed", "did you mean 'read'?"),
        ("stage.asof", "no stage.asof", "did you mean 'as_of'?"),
        ("stage.read()", "needs 'name'", "name=..."),
        ("stage.read(name)", "does not bind", "literal text"),
        ("stage.read(f'a{1}')", "f-string", "literal text"),
        ("stage.read('a' + str(1))", "only running the code", "literal text"),
        ("stage.read(3)", "is no text", "literal text"),
        ("stage.read('a b')", "no name of a table", "letters, digits"),
        ("stage.read('a', columns='x')", "is a text", "columns=['x']"),
        ("stage.read('a', columns=[1])", "no list of texts", '["x", "t_x"]'),
        ("stage.read('a', columns=cols())", "only running the code", "literal list"),
        ("stage.read('a', column=['x'])", "no argument 'column'", "did you mean 'columns'?"),
        ("stage.read('a', into='panda')", "no into='panda'", "did you mean 'pandas'?"),
        ("stage.read('a', ['x'], 'arrow', 1)", "no 4th positional", "leave it out"),
        ("stage.read(*names)", "called with *names", "write the arguments out"),
        ("stage.read(**names)", "called with **names", "write the arguments out"),
        ("stage.read('a', name='b')", "gets 'name' twice", "give it once"),
        ("stage.sql(f'select {x} from a')", "f-string", "literal text"),
        ("stage.sql('selec 1')", "cannot be parsed", "line 1 of the query"),
        ("stage.sql('')", "one SELECT, not 0", "one call"),
        ("stage.sql('select 1; select 2')", "one SELECT, not 2", "one call"),
        ("stage.sql('create table x as select 1')", "takes one SELECT", "write a select"),
        ("stage.sql('select * from read_csv($f)')", "read_csv()", "declare the file as a source"),
        ("stage.sql('select * from other.x')", "no schema", "name the table alone"),
        (
            "stage.sql('select * from a where d > $asof')",
            "nothing is bound to $asof",
            "did you mean 'as_of'?",
        ),
        ("stage.sql('select * from a where d > ?')", "without a name", "$as_of"),
        ("stage.sql('select * from a', b=frame)", "frame 'b' is not used", "known: a"),
        ("stage.sql('select 1', **frames)", "called with **frames", "write the arguments out"),
        ("stage.labelled('rfm')", "needs its columns", "name them"),
        ("stage.labelled('rfm', ['x'], horizon=0)", "is 0", "whole number from 1"),
        ("stage.labelled('rfm', ['x'], horizon=1.5)", "is 1.5", "whole number from 1"),
        ("stage.labelled('rfm', ['x'], horizon=True)", "is True", "whole number from 1"),
        (
            "stage.labelled('rfm', ['x'], horizon=stage.horizon / 3)",
            "only running the code",
            "a whole number",
        ),
        ("stage.labelled('rfm', ['x'], horizon=stage.as_of)", "is stage.as_of", "stage.horizon"),
        ("stage.labelled('rfm', ['x'], origins=word)", "parameter of type str", "whole number from 1"),
        ("stage.write('a', frame)", "needs 'key'", 'key="customer_id"'),
        ("stage.write('a', key='k')", "needs 'frame'", "frame=..."),
        ("stage.write('a', frame, key=[])", "empty key", 'key="customer_id"'),
        ("stage.write('a', frame, 'k')", "no third positional", "key="),
        ("stage.write('a', f, key='k'); stage.write('a', f, key='k')", "written twice", "write it once"),
        ("stage.estimate(frame)", "needs 'family'", "latent-attrition"),
        ("stage.estimate(frame, family='')", "empty family", "latent-attrition"),
        ("stage.estimate(family='f')", "needs 'frame_or_fit'", "frame_or_fit=..."),
        ("stage.estimate(f, family='f'); stage.estimate(f, family='f')", "two estimates", "split it"),
        ("stage.outcome(f); stage.outcome(f)", "two outcomes", "keep one call"),
        ("stage.estimate(f, family='f'); stage.outcome(f)", "an estimate and an outcome", "split it"),
        ("stage.outcome(f); stage.estimate(f, family='f')", "an estimate and an outcome", "split it"),
        ("stage.evidence('e')", "either `bad` and `of`", "stage.evidence("),
        ("stage.evidence('e', bad=1)", "either `bad` and `of`", "stage.evidence("),
        ("stage.evidence('e', bad=1, of=2, ours=a, theirs=b)", "either `bad` and `of`", "stage.evidence("),
        ("stage.evidence('e', bad=1, of=2, required='yes')", "neither True nor False", "True or False"),
        ("stage.evidence('e', bad=1, of=2); stage.evidence('e', bad=1, of=2)", "given twice", "its own name"),
        ("stage.validate(1)", "no first positional", "leave it out"),
        ("stage.secret(env['x'])", "only running the code", "literal text"),
    ],
)
def test_a_call_that_cannot_be_meant_is_refused(tmp_path: Path, call: str, what: str, todo: str) -> None:
    cell = parameters("word: str = 'a'")

    error = refused(tmp_path, cell, f"frame = 1\n{call}")

    assert what in error.what
    assert todo in error.todo
    assert place(error) == (3, 2)


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ('T = "a"\nT = "b"\nstage.read(T)', "bound 2 times (in cells 2, 2)"),
        ('T = ["a"]\nT.append("b")\nstage.read("t", columns=T)', "changed in place in cell 2"),
        ('T = ["a"]\nT[0] = "b"\nstage.read("t", columns=T)', "changed in place in cell 2"),
        ('T = ["a"]\nT += ["b"]\nstage.read("t", columns=T)', "bound 2 times"),
        ('for T in ["a", "b"]:\n    pass\nstage.read(T)', "not bound to a literal"),
        ('for T in ["a", "b"]:\n    stage.read(T)', "not bound to a literal"),
        ('[stage.read(T) for T in ["a", "b"]]', "local to a function or loop"),
        ("def f(T):\n    return stage.read(T)", "local to a function or loop"),
        ('T = "a"\ndef f():\n    T = "b"\n    return stage.read(T)', "local to a function or loop"),
        ('T = "a"\ndef f():\n    global T\n    T = "b"\nstage.read(T)', "bound 2 times"),
        ('if x:\n    T = "a"\nstage.read(T)', "not bound to a literal"),
        ("import T\nstage.read(T)", "not bound to a literal"),
        ('T = f("a")\nstage.read(T)', "only running the code would tell"),
        ("T = U\nU = T\nstage.read(T)", "not bound to a literal"),
        ('T = "a" + ["b"]\nstage.read(T)', "neither a list nor a text"),
        ('stage.read("t", columns=[*"ab"])', "which is no list"),
        ("T, U = 'a', 'b'\nstage.read(T)", "not bound to a literal"),
    ],
)
def test_an_argument_that_only_running_would_tell_is_refused(tmp_path: Path, source: str, what: str) -> None:
    error = refused(tmp_path, source)

    assert what in error.what
    assert place(error)[0] == 2
    assert "literal" in error.todo


def test_a_parameter_bound_again_is_no_argument(tmp_path: Path) -> None:
    error = refused(
        tmp_path, parameters("weeks: int = 3"), 'weeks = 4\nstage.labelled("rfm", ["x"], horizon=weeks)'
    )

    assert "bound 2 times (in cells 2, 3)" in error.what


# --- the parameters cell ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("x = y + 1", "derived value"),
        ("x: int = f()", "derived value"),
        ("x: date = date.today()", "derived value"),
        ("x: date = date(2020, 1, n)", "derived value"),
        ("x = [1, f()]", "derived value"),
        ("x = f'{y}'", "derived value"),
        ("x = -y", "derived value"),
        ("x = 1 + 1", "derived value"),
        ("print(x)", "does not belong"),
        ("x = y = 1", "does not belong"),
        ("x, y = 1, 2", "does not belong"),
        ("x.y = 1", "does not belong"),
        ("def f(): pass", "does not belong"),
        ("if True:\n    x = 1", "does not belong"),
        ("x += 1", "does not belong"),
        ("x: int", "has no default"),
        ("x: int = 'a'", "is int, not 'a'"),
        ("x: int = True", "is int, not True"),
        ("x: int = 1.0", "is int, not 1.0"),
        ("x: date = datetime(2020, 1, 1)", "is date"),
        ("x: int = None", "is int, not None"),
        ("x: Literal['a'] = 'b'", "is Literal['a'], not 'b'"),
        ("x: list[int] = ['a']", "is list[int]"),
        ("x: date = date(2020, 2, 30)", "is no date"),
        ("x: dict = {}", "is a dict"),
        ("x = (1, 2)", "is a tuple"),
        ("x = b'a'", "is a bytes"),
        ("x = None", "does not tell the parameter's type"),
        ("x = []", "does not tell the parameter's type"),
        ("x = [1, 'a']", "does not tell the parameter's type"),
        ("x: complex = 1", "no type that a parameter can have"),
        ("x: int | str = 1", "no type that a parameter can have"),
        ("x: 'int |' = 1", "no type that a parameter can have"),
        ("x: dict[str, int] = 1", "no type that a parameter can have"),
        ("x: Literal[1.5] = 1", "no type that a parameter can have"),
        ("as_of: int = 3", "the scope gives it as date"),
        ("horizon: str = 'a'", "the scope gives it as int"),
        ("x: int = 2\nx: int = 3", "declared twice"),
    ],
)
def test_a_parameters_cell_holds_only_imports_and_typed_literals(
    tmp_path: Path, line: str, what: str
) -> None:
    imports = "from datetime import date, datetime\nfrom typing import Literal\n"

    error = refused(tmp_path, parameters(imports + line), "stage.validate()")

    assert what in error.what
    assert place(error) == (2, 4 if "declared twice" in what else 3)


def test_a_date_that_is_not_imported_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path, parameters("x: date = '2020-01-01'"), "stage.validate()")

    assert "not imported" in error.what
    assert "from datetime import date" in error.todo


def test_two_parameters_cells_are_refused(tmp_path: Path) -> None:
    error = refused(tmp_path, parameters("x = 1"), "stage.validate()", parameters("y = 1"))

    assert "second parameters cell (cells 2 and 4" in error.what
    assert place(error) == (4, None)


@pytest.mark.parametrize("name", ["as_of", "horizon", "until"])
def test_a_scope_name_without_a_parameters_cell_is_refused(tmp_path: Path, name: str) -> None:
    error = refused(tmp_path, "stage.validate()", f"x = 1\ny = f({name})")

    assert f"{name!r} is used but never bound: the notebook has no cell tagged 'parameters'" in error.what
    assert f"stage.{name}" in error.todo
    assert place(error) == (3, 2)


def test_a_scope_name_missing_in_the_parameters_cell_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path, parameters("x = 1"), "stage.read('a')\nf(as_of)")

    assert error.what == "'as_of' is used but never bound"


@pytest.mark.parametrize(
    "source",
    [
        "def f(as_of): return as_of",
        "as_of = stage.as_of\nf(as_of)",
        "[horizon for horizon in x]",
        "f(as_of=1)",
    ],
)
def test_a_scope_name_that_the_notebook_binds_itself_is_fine(tmp_path: Path, source: str) -> None:
    assert read_notebook(tmp_path, write_notebook(tmp_path, "a", IMPORT, "stage.validate()", source))


def test_a_parameters_tag_on_markdown_is_refused(tmp_path: Path) -> None:
    tagged = {**markdown("x = 1"), "metadata": {"tags": ["parameters"]}}

    error = refused(tmp_path, tagged, "stage.validate()")

    assert "on a markdown cell" in error.what
    assert place(error) == (2, None)


FRAGMENTS = st.sampled_from(
    [
        "stage", ".read", ".sql", ".labelled", ".write", ".estimate", ".evidence", ".as_of", "(", ")", "[", "]", ",", "=",
        "'a'", '"select 1"', "columns", "key", "family", "horizon", "x", "1", "\n", "\n    ", " ", ":", "def ", "lambda ",
        "for ", "in ", "if ", "class ", "import ", "from ", " as ", "%time ", "%%time\n", "!ls", "?", "*", "**", "f'{", "}'",
        "global ", "match ", "case ", ":=", "\\", "#", "'''", "None", "-", "+", "await ", "\x0c", "\r", "é", "\u2028",
    ]
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(FRAGMENTS, max_size=25).map("".join) | st.text(max_size=30),
    st.lists(FRAGMENTS, max_size=12).map("".join),
)
def test_any_code_is_read_or_refused_at_a_place(tmp_path: Path, one: str, two: str) -> None:
    cells = [{**code(""), "source": one}, {**parameters(""), "source": two}]
    path = write_notebook(tmp_path, "a", IMPORT, "stage.validate()", *cells)

    try:
        found = read_notebook(tmp_path, path)
    except NotebookError as error:
        fault = error
    else:
        assert found is not None
        return
    assert fault.where is not None
    assert fault.where.cell is not None
    assert fault.todo


def test_code_that_python_warns_of_is_read_in_silence(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    path = write_notebook(tmp_path, "a", IMPORT, "stage.validate()", "x = '\\d'", "!ls\ny = '\\d'\nx is 1")

    assert read_notebook(tmp_path, path)
    assert list(recwarn) == []


# --- several ------------------------------------------------------------------------------------------------------


def test_all_broken_notebooks_are_named_at_once(tmp_path: Path) -> None:
    write_notebook(tmp_path, "a", IMPORT, "stage.raed('x')")
    write_notebook(tmp_path, "b", IMPORT, "stage.read('x')")
    write_notebook(tmp_path, "c", IMPORT, "stage.read(")

    with pytest.raises(NotebookError) as caught:
        find_notebooks(tmp_path)

    text = str(caught.value)
    assert "a.ipynb, cell 2, line 1: there is no stage.raed" in text
    assert "c.ipynb, cell 2, line 1: has a syntax error" in text
    assert "b.ipynb" not in text
