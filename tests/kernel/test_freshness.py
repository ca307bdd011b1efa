"""A warm kernel is never stale: what was installed, edited, set or started since the server loaded is seen at once."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nbdataops.kernel.cold import recorded
from nbdataops.kernel.status import statuses
from nbdataops.kernel.watched_state import SWITCH
from tests.kernel.environments import Environment
from tests.kernel.kernels import Running, Servers

pytestmark = pytest.mark.kernel
Start = Callable[..., Running]


@pytest.fixture(scope="module")
def environment(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    made = Environment(tmp_path_factory.mktemp("env") / "one", servers)
    made.install("parcel", "VERSION = 0", "0")
    return made


@pytest.fixture(params=["watched", "compared"])
def look(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers watch the disk, or compare everything each time."""
    monkeypatch.setenv(SWITCH, "off" if request.param == "compared" else "")


def preloaded(kernel: Running, module: str) -> bool:
    """Whether a module was there before the kernel imported anything."""
    return kernel.run(f"import sys\nprint({module!r} in sys.modules)").out == "True\n"


@pytest.mark.usefixtures("look")
def test_an_upgrade_is_seen_by_the_next_kernel(environment: Environment, start: Start) -> None:
    environment.install("parcel", "VERSION = 1", "1")
    spec = environment.kernelspec(["parcel"])
    before = start(spec)
    assert preloaded(before, "parcel")
    assert before.run("import parcel\nprint(parcel.VERSION)").out == "1\n"

    environment.install("parcel", "VERSION = 2", "2")
    after = start(spec)

    assert preloaded(after, "parcel")
    assert after.run("import parcel\nprint(parcel.VERSION)").out == "2\n"
    assert before.run("print(parcel.VERSION)").out == "1\n"


@pytest.mark.usefixtures("look")
def test_a_package_edited_in_place_is_seen_by_the_next_kernel(environment: Environment, start: Start) -> None:
    module = environment.install("edited", "VERSION = 1")
    spec = environment.kernelspec(["edited"])
    assert start(spec).run("import edited\nprint(edited.VERSION)").out == "1\n"

    module.write_text("VERSION = 'edited in place'")

    assert start(spec).run("import edited\nprint(edited.VERSION)").out == "edited in place\n"


@pytest.mark.usefixtures("look")
def test_a_package_that_comes_or_goes_is_seen_by_the_next_kernel(
    environment: Environment, start: Start
) -> None:
    spec = environment.kernelspec(["parcel"])
    start(spec)
    module = environment.install("newcomer", "HERE = True")
    assert start(spec).run("import newcomer\nprint(newcomer.HERE)").out == "True\n"

    module.unlink()
    shutil.rmtree(module.parent)

    assert start(spec).run("import newcomer").error == "ModuleNotFoundError"


@pytest.mark.usefixtures("look")
def test_a_package_folder_that_is_replaced_or_linked_is_seen_by_the_next_kernel(
    environment: Environment, start: Start, tmp_path: Path
) -> None:
    module = environment.install("restless", "VERSION = 0")
    spec = environment.kernelspec(["restless"])
    look = "import restless\nprint(restless.VERSION)"
    assert start(spec).run(look).out == "0\n"

    shutil.copytree(module.parent, tmp_path / "another")
    (tmp_path / "another" / "__init__.py").write_text("VERSION = 'another folder'")
    module.parent.rename(tmp_path / "before")
    (tmp_path / "another").rename(module.parent)
    assert start(spec).run(look).out == "another folder\n"

    module.parent.rename(tmp_path / "another")
    module.parent.symlink_to(tmp_path / "before")
    assert start(spec).run(look).out == "0\n"

    (tmp_path / "before" / "__init__.py").write_text("VERSION = 'behind the link'")
    assert start(spec).run(look).out == "behind the link\n"
    module.parent.unlink()


def test_a_server_watches_and_its_kernels_have_nothing_of_it(
    environment: Environment, warm: Servers, start: Start
) -> None:
    kernel = start(environment.kernelspec(["parcel"]))

    watching = [s["watches"] for s in statuses(warm.folder) if kernel.pid in {k["pid"] for k in s["kernels"]}]
    assert watching == [True]
    opened = kernel.run(
        "import os\nprint(*(os.readlink(f'/dev/fd/{n}') for n in range(64) if os.path.exists(f'/dev/fd/{n}')))"
    )
    assert "socket:" in opened.out
    assert not {"anon_inode:inotify", "mountinfo"} & {Path(name).name for name in opened.out.split()}


def test_an_edited_project_module_is_seen_by_the_next_kernel(start: Start, tmp_path: Path) -> None:
    (tmp_path / "features.py").write_text("ANSWER = 1")
    assert start(cwd=str(tmp_path)).run("import features\nprint(features.ANSWER)").out == "1\n"

    (tmp_path / "features.py").write_text("ANSWER = 22")

    assert start(cwd=str(tmp_path)).run("import features\nprint(features.ANSWER)").out == "22\n"


@pytest.mark.parametrize("way", ["PYTHONPATH", ".pth file", "the user's own packages"])
@pytest.mark.usefixtures("look")
def test_a_folder_that_appears_on_the_path_is_seen_by_the_next_kernel(
    servers: Servers, start: Start, tmp_path: Path, way: str
) -> None:
    environment = Environment(tmp_path / "environment", servers)
    environment.install("parcel", "VERSION = 0")
    folder, variables = tmp_path / "later", {"HOME": str(tmp_path)}
    if way == "PYTHONPATH":
        variables["PYTHONPATH"] = str(folder)
    elif way == ".pth file":
        (environment.packages / "later.pth").write_text(f"# a comment\n\n{folder}\n")
    else:
        settings = environment.root / "pyvenv.cfg"
        settings.write_text(settings.read_text().replace("packages = false", "packages = true"))
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        folder = tmp_path / ".local" / "lib" / version / "site-packages"
    spec = environment.kernelspec(["parcel"])
    assert start(spec, env=variables).run("import of_later").error == "ModuleNotFoundError"

    folder.mkdir(parents=True)
    (folder / "of_later.py").write_text("HERE = True")

    kernel = start(spec, env=variables)
    assert preloaded(kernel, "parcel")
    assert kernel.run("import of_later\nprint(of_later.HERE)").out == "True\n"


@pytest.mark.usefixtures("look")
def test_another_environment_is_another_interpreter_with_other_packages(
    environment: Environment, servers: Servers, start: Start, tmp_path: Path
) -> None:
    other = Environment(tmp_path / "two", servers)
    environment.install("both", "WHOSE = 'one'")
    other.install("both", "WHOSE = 'two'")
    look = "import both, sys\nprint(both.WHOSE, sys.prefix)"

    one, two = start(environment.kernelspec(["both"])), start(other.kernelspec(["both"]))

    assert one.run(look).out == f"one {environment.root}\n"
    assert two.run(look).out == f"two {other.root}\n"


# ------------------------------------------------------------------ environment variables
def test_a_variable_that_a_library_reads_when_it_is_loaded_has_the_clients_value(
    environment: Environment, start: Start
) -> None:
    """The first is known by name, the second belongs to a preloaded package, the third was seen being read."""
    variables = ("OMP_NUM_THREADS", "LOADED_MODE", "SET_FAR_AWAY")
    environment.install("loaded", f"import os\nSEEN = [os.environ.get(name) for name in {variables}]")
    spec = environment.kernelspec(["loaded"])
    clients: list[dict[str, str]] = [{}, dict.fromkeys(variables, "3"), {"SET_FAR_AWAY": "4"}, {}]

    kernels = [start(spec, env=client) for client in clients]

    assert all(preloaded(kernel, "loaded") for kernel in kernels)
    seen = [kernel.run("import loaded\nloaded.SEEN").result for kernel in kernels]
    assert seen == [str([client.get(name) for name in variables]) for client in clients]


def test_other_python_paths_are_searched(start: Start, tmp_path: Path) -> None:
    (tmp_path / "on_the_path.py").write_text("HERE = True")

    said = start(env={"PYTHONPATH": str(tmp_path)}).run("import on_the_path\nprint(on_the_path.HERE)")

    assert said.out == "True\n"


# ------------------------------------------------------------------ modules that must not be preloaded
HALVED = {
    "threader": (
        "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()",
        "starts a thread",
    ),
    "caller": ("import socket\nSOCKET = socket.socket()", "opened socket"),
    "looper": ("import select\nPOLL = select.epoll()", "opened anon_inode"),
    "asker": ("from IPython import get_ipython\nSHELL = get_ipython()", "asks for the running IPython"),
    "quitter": ("raise SystemExit(3)", "SystemExit"),
    "reacher": (
        "import sys\nsys.path.insert(0, {folder!r})\nimport of_a_project",
        "is not an installed package",
    ),
}


def test_modules_that_a_fork_would_halve_are_left_to_the_kernel_and_so_is_what_imports_them(
    environment: Environment, warm: Servers, start: Start, tmp_path: Path
) -> None:
    (tmp_path / "of_a_project.py").write_text("")
    for name, (source, _) in HALVED.items():
        environment.install(name, source.format(folder=str(tmp_path)))
        environment.install(f"uses_{name}", f"import {name}")
    wanted = [*HALVED, *(f"uses_{name}" for name in HALVED), "parcel"]

    kernel = start(environment.kernelspec(wanted))

    loaded = kernel.run("import sys\nprint(*sys.modules)").out.split()
    assert set(wanted) & set(loaded) == {"parcel"}
    [server] = [s for s in statuses(warm.folder) if "threader" in s["excluded"]]
    assert {name: why for name, (_, why) in HALVED.items() if why not in server["excluded"][name]} == {}
    assert {name for name in HALVED if f"uses_{name}" not in server["excluded"]} == set()
    assert kernel.run("import asker\nprint(asker.SHELL is get_ipython())").out == "True\n"
    before, after = (kernel.run(f"import threading\n{code}\nthreading.active_count()").result
                     for code in ("", "import threader"))  # fmt: skip
    assert int(after) == int(before) + 1


@pytest.mark.parametrize(
    ("name", "reason"), [("threader", "a thread"), ("caller", "socket:"), ("looper", "anon_inode:")]
)
def test_where_pythons_own_start_brings_what_a_fork_halves_kernels_start_cold_with_a_reason(
    servers: Servers, start: Start, tmp_path: Path, name: str, reason: str
) -> None:
    environment = Environment(tmp_path / name, servers)
    (environment.packages / "sitecustomize.py").write_text(HALVED[name][0])

    kernel = start(environment.kernelspec(["numpy"]), expect_warm=False)

    assert kernel.run("print(6 * 7)").out == "42\n"
    assert reason in str(kernel.cold_reason)
    assert "from the start, of sitecustomize or a .pth file" in str(kernel.cold_reason)
    assert recorded(servers.folder)[-1].reason == kernel.cold_reason


# ------------------------------------------------------------------ what comes first on the path
@pytest.mark.parametrize("file", ["parcel.py", "parcel/__init__.py"])
def test_a_projects_module_of_a_preloaded_name_comes_first(
    environment: Environment, start: Start, tmp_path: Path, file: str
) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text("VERSION = 'mine'")

    kernel = start(environment.kernelspec(["parcel"]), expect_warm=False, cwd=str(tmp_path))

    assert kernel.run("import parcel\nprint(parcel.VERSION)").out == "mine\n"
    assert "hides a module" in str(kernel.cold_reason)


def test_a_folder_that_is_no_package_hides_nothing(
    environment: Environment, start: Start, tmp_path: Path
) -> None:
    (tmp_path / "parcel").mkdir()

    kernel = start(environment.kernelspec(["parcel"]), cwd=str(tmp_path))

    assert preloaded(kernel, "parcel")


def test_a_projects_own_matplotlibrc_counts(start: Start, tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("lines.linewidth: 7.5\n")

    kernel = start("nbdataops", expect_warm=False, cwd=str(tmp_path))

    assert kernel.run("import matplotlib\nprint(matplotlib.rcParams['lines.linewidth'])").out == "7.5\n"
    assert "matplotlibrc" in str(kernel.cold_reason)
