"""Import budgets: what a kernel and a look at the plan must not pay for. Each is measured in a fresh process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nbdataops.build.nodes import State
from nbdataops.workspace import open_product
from tests.cli.settled import built
from tests.conftest import Notebook

__all__ = ["built"]

DATA = {"pandas", "pyarrow", "duckdb"}
DECLARATION = {"sqlalchemy", "pydantic", "yaml"}
NOTEBOOKS = {"nbformat", "papermill", "nbclient", "nbconvert", "jupyter_client"}
EVERY_SESSION_MODULE = """if True:
    import importlib, pkgutil
    import nbdataops.session
    for found in pkgutil.walk_packages(nbdataops.session.__path__, "nbdataops.session."):
        importlib.import_module(found.name)
"""
VERB = """if True:
    import contextlib, io, sys
    from nbdataops.cli import main
    sys.argv = ["nbdataops", *{arguments!r}]
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            main()
        except SystemExit as end:
            assert end.code == 0, end.code
"""


def imported_by(code: str, folder: Path) -> set[str]:
    """Packages (top-level names) that a fresh interpreter has imported after running `code`."""
    code += (
        "\nimport json, sys\nprint(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    return set(json.loads(run_python(code, folder)))


def run_python(code: str, folder: Path) -> str:
    """What a fresh interpreter prints that runs `code` in `folder`."""
    environment = {k: v for k, v in os.environ.items() if k != "NBDATAOPS_STORE"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def verb(*arguments: str) -> str:
    """Code that runs a verb of the command line in its process."""
    return VERB.format(arguments=list(arguments))


@pytest.mark.parametrize(
    ("code", "loads", "spared"),
    [
        pytest.param("import nbdataops", {"nbdataops"}, DATA | {"numpy", "click"}, id="import nbdataops"),
        pytest.param(
            "import nbdataops.stage",
            {"nbdataops"},
            DATA | DECLARATION | NOTEBOOKS | {"numpy", "IPython"},
            id="import nbdataops.stage",
        ),
        pytest.param(
            EVERY_SESSION_MODULE,
            {"numpy"},
            DECLARATION | NOTEBOOKS | {"IPython", "matplotlib", "scipy", "sklearn"},
            id="every module of nbdataops.session",
        ),
        pytest.param(
            verb("--help"),
            {"click"},
            DATA | DECLARATION | NOTEBOOKS | {"numpy", "rich"},
            id="nbdataops --help",
        ),
    ],
)
def test_an_import_is_as_light_as_it_is_meant_to_be(
    tmp_path: Path, code: str, loads: set[str], spared: set[str]
) -> None:
    imported = imported_by(code, tmp_path)

    assert loads <= imported
    assert imported & spared == set()


def test_a_plan_is_made_without_the_packages_that_execute_notebooks(blank: Path) -> None:
    imported = imported_by(verb("plan", "--product", str(blank)), blank)

    assert {"pyarrow", "pydantic"} <= imported
    assert imported & (NOTEBOOKS | {"IPython", "matplotlib", "scipy", "sklearn", "jinja2"}) == set()


NOTHING_TO_DO = """if True:
    import os, sys
    before = set(sys.modules)
    import json
    before |= set(sys.modules)
    from nbdataops.cli import main
    sys.argv = ["nbdataops", "run", *{arguments!r}]
    out = sys.stdout
    sys.stdout = open(os.devnull, "w")
    try:
        main()
    except SystemExit as end:
        assert end.code == 0, end.code
    sys.stdout = out
    print(json.dumps(sorted(set(sys.modules) - before)))
"""


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_a_run_with_nothing_to_do_imports_json_os_and_the_witness(
    witnessed: Path, arguments: list[str]
) -> None:
    done = run_python(NOTHING_TO_DO.format(arguments=arguments), witnessed)

    assert set(json.loads(done)) <= {
        "nbdataops",
        "nbdataops.cli",
        "nbdataops.cli.unchanged",
        "nbdataops.store",
        "nbdataops.store.witness",
        "zlib",
        "encodings.ascii",
        "encodings.utf_8",
    }


@pytest.fixture(scope="module")
def witnessed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A product of which everything is built, after `nbdataops run` from its folder."""
    root = tmp_path_factory.mktemp("witnessed") / "product"
    shutil.copytree(built, root, ignore=shutil.ignore_patterns("witness"))
    imported_by(verb("run"), root)
    assert (root / ".nbdataops" / "witness").is_file()
    return root


@pytest.mark.kernel
def test_a_stage_that_reads_and_publishes_loads_none_of_the_runners_packages(blank: Path) -> None:
    spared = sorted(DECLARATION | NOTEBOOKS - {"jupyter_client"})  # ipykernel itself imports jupyter_client
    look = f"import sys\nloaded = [p for p in {spared} if p in sys.modules]\nassert not loaded, loaded"
    for stage in ("prepare/customers", "methods/rate"):
        Notebook(blank / f"{stage}.ipynb").append(look)

    report = open_product(blank).build(["methods/rate"])

    assert [(n.state, n.error) for n in report.execution.nodes] == [(State.SUCCEEDED, None)] * 2
