"""Libraries work in a forked kernel as in a fresh one, pools and threads included: one kernel for the whole file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kernel.conftest import REPOSITORY
from tests.kernel.kernels import PATIENCE_S, Running, Servers

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def kernel(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in servers.variables.items():
            patch.setenv(name, value)
        patch.delenv("PYTEST_CURRENT_TEST", raising=False)
        running = Running.start("nbdataops", cwd=str(tmp_path_factory.mktemp("work")))
        assert running.cold_reason is None
        yield running
        running.close()


def test_what_the_shipped_list_names_is_there_before_anything_is_imported(kernel: Running) -> None:
    said = kernel.run("import sys\nprint(*sorted(m for m in sys.modules if '.' not in m))").out.split()

    assert {"numpy", "pandas", "pyarrow", "scipy", "sklearn", "matplotlib"} <= set(said)
    assert {"duckdb", "ipywidgets", "matplotlib_inline", "nbdataops"} & set(said) == set()


def test_what_was_imported_ahead_is_out_of_the_garbage_collectors_way(kernel: Running) -> None:
    """Else each collection would write to memory that is shared with the server, which copies it."""
    assert kernel.run("import gc\nprint(gc.get_freeze_count() > 100_000)").out == "True\n"


def test_bars_widgets_and_plots_of_one_cell_arrive_in_order(kernel: Running) -> None:
    said = kernel.run(
        "import matplotlib.pyplot as plt, ipywidgets\nfrom tqdm.auto import tqdm\n"
        "for _ in tqdm(range(3)): pass\nplt.plot([1, 2])\nplt.show()\nipywidgets.Label('x')"
    )

    assert said.status == "ok", said.traceback
    widget = "application/vnd.jupyter.widget-view+json"
    assert [widget in shown or "image/png" in shown for shown in said.results] == [True] * 3
    assert "image/png" in said.results[1]


GLOBALS = """if True:
    import importlib, json, sys
    for name in NAMES:
        importlib.import_module(name)
    import pandas
    simple = (str, int, float, bool, type(None))
    found = {
        f"{module}.{name}": repr(value)
        for module in list(sys.modules)
        for name, value in list(getattr(sys.modules[module], "__dict__", {}).items())
        if isinstance(value, simple) and not name.startswith("__")
    }
    found |= {f"option {name}": repr(pandas.get_option(name)) for name in
              ("display.max_columns", "display.width", "display.max_rows", "display.notebook_repr_html")}
    found |= {"environment": repr(get_ipython().display_formatter.format(__import__("os").environ))[:40]}
    print(json.dumps(found))
"""
OF_THE_PROCESS = (
    "__main__.", "sys.", "time.", "debugpy.", "_pydev", "pydevd", "_debug_adapter",  # names of cells, times, ids
    "_ctypes.", "ctypes.",  # addresses
    "jupyter_client.localinterfaces.",  # looked up when TCP is used
    "nbdataops.", "numpy.f2py.rules.generationtime", "joblib._multiprocessing_helpers.name",
    "logging._startTime", "scipy.sparse._data.name",  # the last one of a set
)  # fmt: skip


def test_what_modules_found_out_when_they_were_imported_is_as_in_an_ordinary_kernel(
    warm: Servers, start: Callable[..., Running], tmp_path: Path
) -> None:
    """Whether they are in a kernel, in which folder, under which settings: every plain global of every module."""
    launch = {"cwd": str(tmp_path), "env": {"PYTHONHASHSEED": "0"}}  # the order of sets is no difference
    spec = json.loads((REPOSITORY / "kernels" / "nbdataops" / "kernel.json").read_text())
    names = [
        n
        for n in spec["metadata"]["kernel_provisioner"]["config"]["preload"]
        if not n.startswith("nbdataops")
    ]
    look = GLOBALS.replace("NAMES", repr(names))
    there = json.loads(start("nbdataops", **launch).run(look).out)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBDATAOPS_KERNELS", "cold")
        cold = json.loads(start("nbdataops", False, **launch).run(look).out)

    shared = [n for n in there.keys() & cold.keys() if not n.startswith(OF_THE_PROCESS)]
    assert len(shared) > 5_000
    assert {n: (there[n], cold[n]) for n in shared if there[n] != cold[n]} == {}


def test_a_plot_is_shown_inline(kernel: Running) -> None:
    said = kernel.run("import matplotlib.pyplot as plt\n_ = plt.plot([1, 2, 3])")

    assert said.status == "ok", said.traceback
    assert said.results[-1]["image/png"].startswith("iVBOR")
    assert kernel.run("import matplotlib\nprint(matplotlib.get_backend())").out.strip() in {
        "inline",
        "module://matplotlib_inline.backend_inline",
    }


def test_a_frame_is_shown_as_a_table(kernel: Running) -> None:
    said = kernel.run("import pandas as pd\npd.DataFrame({'a': [1.5]})")

    assert "<table" in said.results[-1]["text/html"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param(
            "import numpy as np\na = np.random.default_rng(1).random((600, 600))\n"
            "print(np.allclose(np.linalg.inv(a) @ a, np.eye(600)), np.linalg.svd(a[:200])[1].shape)",
            "True (200,)\n",
            id="BLAS",
        ),
        pytest.param(
            "from sklearn.ensemble import HistGradientBoostingClassifier\nfrom sklearn.cluster import KMeans\n"
            "X = np.random.default_rng(2).random((3000, 8)); y = (X[:, 0] > .5).astype(int)\n"
            "print(HistGradientBoostingClassifier(max_iter=20).fit(X, y).score(X, y) > .9,\n"
            "      KMeans(3, n_init=2).fit(X).n_iter_ > 0)",
            "True True\n",
            id="OpenMP",
        ),
        pytest.param(
            "from sklearn.ensemble import RandomForestClassifier\nfrom sklearn.model_selection import cross_val_score\n"
            "from sklearn.linear_model import LogisticRegression\n"
            "print(RandomForestClassifier(10, n_jobs=2).fit(X, y).score(X, y) > .9,\n"
            "      len(cross_val_score(LogisticRegression(), X, y, cv=4, n_jobs=2)))",
            "True 4\n",
            id="scikit-learn n_jobs=2",
        ),
        pytest.param(
            "import pyarrow as pa, pyarrow.parquet as pq\nt = pa.table({'a': range(200_000), 'b': [1, 2] * 100_000})\n"
            "pq.write_table(t, 't.parquet')\nprint(pq.read_table('t.parquet').group_by('b').aggregate([('a', 'sum')]).num_rows)",
            "2\n",
            id="pyarrow",
        ),
        pytest.param(
            "import duckdb\nprint(duckdb.sql(\"select count(*) from 't.parquet'\").fetchall(), duckdb.sql('select 1 as a').df().a[0])",
            "[(200000,)] 1\n",
            id="DuckDB",
        ),
        pytest.param(
            "import multiprocessing, math\nfor way in ('fork', 'spawn', 'forkserver'):\n"
            "    with multiprocessing.get_context(way).Pool(2) as pool:\n"
            "        print(way, pool.map(math.sqrt, [1, 4]))",
            "fork [1.0, 2.0]\nspawn [1.0, 2.0]\nforkserver [1.0, 2.0]\n",
            id="multiprocessing",
        ),
        pytest.param(
            "from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor\n"
            "with ProcessPoolExecutor(2) as pool: print(list(pool.map(math.sqrt, [9])))\n"
            "with ThreadPoolExecutor(2) as pool: print(list(pool.map(math.sqrt, [16])))",
            "[3.0]\n[4.0]\n",
            id="executors",
        ),
        pytest.param(
            "import asyncio, subprocess\nprocess = await asyncio.create_subprocess_exec('echo', 'a', stdout=subprocess.PIPE)\n"
            "print(await asyncio.gather(process.communicate(), asyncio.to_thread(lambda: 2)))",
            "[(b'a\\n', None), 2]\n",
            id="asyncio",
        ),
        pytest.param("from scipy import optimize, stats\nprint(round(optimize.brentq(lambda x: x**2 - 2, 0, 2), 6), "
                     "round(stats.norm.ppf(.975), 4))", "1.414214 1.96\n", id="scipy"),
    ],
)  # fmt: skip
def test_it_computes(kernel: Running, code: str, expected: str) -> None:
    """Each by itself: with pytest-xdist the others may have another kernel."""
    given = (
        "import math, numpy as np, pyarrow as pa, pyarrow.parquet as pq\n"
        "X = np.random.default_rng(2).random((3000, 8)); y = (X[:, 0] > .5).astype(int)\n"
        "pq.write_table(pa.table({'a': range(200_000), 'b': [1, 2] * 100_000}), 't.parquet')"
    )
    kernel.run(given)

    assert kernel.run(code).out == expected


def test_workers_find_the_modules_beside_the_notebook(kernel: Running) -> None:
    said = kernel.run(
        "import pathlib, joblib, multiprocessing\npathlib.Path('beside.py').write_text('def twice(x): return 2 * x')\nimport beside\n"
        "for way in ('spawn', 'forkserver'):\n"
        "    with multiprocessing.get_context(way).Pool(1) as pool:\n"
        "        print(pool.map_async(beside.twice, [1, 2]).get(60))\n"
        "print(joblib.Parallel(n_jobs=2)(joblib.delayed(beside.twice)(n) for n in (3, 4)))"
    )

    assert said.out == "[2, 4]\n[2, 4]\n[6, 8]\n"


def test_rich_and_pandas_print_colour_and_html(kernel: Running) -> None:
    said = kernel.run("import rich.jupyter, rich.table\nrich.jupyter.print(rich.table.Table(title='rich'))")

    assert said.status == "ok", said.traceback
    assert "<pre" in said.results[-1]["text/html"]


def test_a_widget_talks_to_its_client(kernel: Running) -> None:
    assert kernel.run("import ipywidgets\nslider = ipywidgets.IntSlider(value=3)\nslider").status == "ok"
    said = kernel.run("print(slider.comm.comm_id, slider.comm.target_name)").out.split()
    content = {"comm_id": said[0], "data": {"method": "update", "state": {"value": 7}, "buffer_paths": []}}
    kernel.client.shell_channel.send(kernel.client.session.msg("comm_msg", content))

    assert said[1] == "jupyter.widget"
    assert kernel.run("print(slider.value)").out == "7\n"
    assert (
        kernel.run("print(sorted(get_ipython().kernel.comm_manager.targets))").out.count("jupyter.widget")
        >= 1
    )


def test_the_debugger_attaches(kernel: Running) -> None:
    def ask(sequence: int, command: str, arguments: dict[str, object]) -> dict[str, object]:
        content = {"type": "request", "seq": sequence, "command": command, "arguments": arguments}
        kernel.client.control_channel.send(kernel.client.session.msg("debug_request", content))
        return json.loads(json.dumps(kernel.client.get_control_msg(timeout=PATIENCE_S)["content"]))  # type: ignore[no-any-return]

    who = {
        "clientID": "test",
        "adapterID": "",
        "pathFormat": "path",
        "linesStartAt1": True,
        "columnsStartAt1": True,
    }
    assert ask(1, "initialize", who)["success"]
    dumped = ask(2, "dumpCell", {"code": "broken = 1\nx = broken + 1"})
    assert str(dumped["body"]["sourcePath"]).endswith(".py")  # type: ignore[index]
    assert ask(3, "debugInfo", {})["body"]["isStarted"] is True  # type: ignore[index]
    assert ask(4, "disconnect", {"restart": False, "terminateDebuggee": False})["success"]
    assert kernel.run("print(1)").out == "1\n"
