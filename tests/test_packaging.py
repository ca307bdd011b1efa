"""What pip installs is all that is needed, and nothing else: from a wheel, away from the checkout."""

from __future__ import annotations

import configparser
import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from nbdataops import __version__
from tests.conftest import Notebook

REPOSITORY = Path(__file__).parent.parent
ENTRY_POINTS = {
    "console_scripts": {"nbdataops": "nbdataops.cli:main"},
    "papermill.engine": {"nbdataops": "nbdataops.build.engine_entry:Engine"},
    "jupyter_client.kernel_provisioners": {"nbdataops-warm": "nbdataops.kernel.provisioner:WarmProvisioner"},
}
LEFTOVERS = (
    "notebooks/blank/.nbdataops/ledger.sqlite",
    "notebooks/blank/data/.nbdataops/ledger.sqlite",
    "notebooks/blank/checks/.ipynb_checkpoints/outcome-checkpoint.ipynb",
    "nbdataops/store/__pycache__/ledger.cpython-311.pyc",
    "nbdataops/store/ledger.pyc",
)


def ignored(path: Path, root: Path) -> bool:
    """Whether git leaves a file or folder out: .gitignore's lines are names anywhere, or paths from the top."""
    slash = "/" if path.is_dir() else ""
    name, relative = path.name + slash, path.relative_to(root).as_posix() + slash
    patterns = (REPOSITORY / ".gitignore").read_text().split()
    return name == ".git/" or any(
        fnmatch.fnmatchcase(relative if "/" in pattern.rstrip("/") else name, pattern) for pattern in patterns
    )


def tracked_files(folder: Path, root: Path) -> Iterator[Path]:
    """Files that git would track under `folder`."""
    for path in sorted(folder.iterdir()):
        if ignored(path, root):
            continue
        if path.is_dir():
            yield from tracked_files(path, root)
        else:
            yield path


def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(REPOSITORY / "setup.cfg", encoding="utf-8")
    return parser


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def of_the_house() -> dict[str, Path]:
    """Every file under nbdataops/ and every file of the reference products, by its place in a wheel."""
    files = {
        p.relative_to(REPOSITORY).as_posix(): p
        for p in tracked_files(REPOSITORY / "nbdataops", REPOSITORY)
        if p.suffix != ".pyc"
    }
    products = REPOSITORY / "notebooks"
    for path in tracked_files(products, REPOSITORY):
        files["nbdataops/reference/" + path.relative_to(products).as_posix()] = path
    return files


# ------------------------------------------------------------------ the declaration
def test_setup_cfg_lists_every_package_and_the_reference_products() -> None:
    folders = {
        ".".join(p.parent.relative_to(REPOSITORY).parts)
        for p in (REPOSITORY / "nbdataops").rglob("__init__.py")
    }

    assert sorted(lines(setup_cfg()["options"]["packages"])) == sorted(folders | {"nbdataops.reference"})


def test_every_folder_with_python_files_is_a_package() -> None:
    folders = {p.parent for p in (REPOSITORY / "nbdataops").rglob("*.py")}

    assert [f for f in folders if not (f / "__init__.py").is_file()] == []


def test_the_metadata_is_complete() -> None:
    metadata, options = setup_cfg()["metadata"], setup_cfg()["options"]
    classifiers = lines(metadata["classifiers"])

    assert metadata["description"]
    assert metadata["license"] == "Apache-2.0"
    assert "Apache License" in (REPOSITORY / metadata["license_files"]).read_text()
    assert (REPOSITORY / metadata["long_description"].removeprefix("file:").strip()).is_file()
    assert options["python_requires"] == ">=3.11"
    assert "Typing :: Typed" in classifiers
    assert [c for c in classifiers if c.startswith("Operating System ::")]
    minors = sorted(c.split(" :: ")[-1] for c in classifiers if re.search(r"Python :: 3\.\d+$", c))
    assert minors[0] == options["python_requires"].removeprefix(">=")


def test_no_file_names_this_machine_or_a_package_index() -> None:
    places = ["work", "root", "home", "Users"]  # spelt apart: this file is looked at too
    folders = [rf"(?<![\w.:/-])/{place}/\w" for place in places]
    hosts = [r"py" + r"pi\.org", "python" + r"hosted\.org", "index" + "-url", "find" + "-links"]
    checkout = [re.escape(str(REPOSITORY)) + r"\b"] if len(REPOSITORY.parts) > 2 else []
    forbidden = re.compile("|".join(folders + hosts + checkout))

    found = []
    for path in tracked_files(REPOSITORY, REPOSITORY):
        content = path.read_bytes()
        if b"\0" in content[:8000]:
            continue  # not a text
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
            if match := forbidden.search(line):
                found.append(f"{path.relative_to(REPOSITORY)}:{number}: {match.group()}")

    assert found == []


# ------------------------------------------------------------------ the wheel
@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of a copy of what git would track, with leftovers of work thrown in that must not travel."""
    copy, out = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("wheel")
    for path in tracked_files(REPOSITORY, REPOSITORY):
        target = copy / path.relative_to(REPOSITORY)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    for name in LEFTOVERS:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(b"left over")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "--wheel-dir", str(out), str(copy)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [built] = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def content(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def test_the_wheel_holds_the_package_and_the_reference_products_and_nothing_else(
    content: dict[str, bytes],
) -> None:
    info, data = f"nbdataops-{__version__}.dist-info/", f"nbdataops-{__version__}.data/"
    packaged = {name for name in content if not name.startswith((info, data))}

    assert packaged == set(of_the_house())
    files = ("kernel.json", "logo-32x32.png", "logo-64x64.png", "logo-svg.svg")
    assert {name for name in content if name.startswith(data)} == {
        f"{data}data/share/jupyter/kernels/nbdataops/{file}" for file in files
    }


@pytest.mark.parametrize(
    "name",
    [
        "nbdataops/py.typed",
        "nbdataops/product/dataproduct.schema.json",
        "nbdataops/report/templates/report.html.j2",
        "nbdataops/lab/static/panel.js",
        "nbdataops/ltv/reference/published.csv",
        "nbdataops/ltv/reference/data/cdnow_sample.csv",
        "nbdataops/reference/cdnow/dataproduct.yaml",
        "nbdataops/reference/cdnow/data/cdnow.csv.gz",
        "nbdataops/reference/cdnow/contracts/orders.odcs.yaml",
        "nbdataops/reference/cdnow/methods/bg_nbd.ipynb",
        "nbdataops/reference/blank/dataproduct.yaml",
        "nbdataops/reference/blank/data/orders.csv",
        "nbdataops/reference/blank/checks/outcome.ipynb",
    ],
)
def test_the_wheel_holds_a_file_as_it_is_in_the_checkout(content: dict[str, bytes], name: str) -> None:
    assert content[name] == of_the_house()[name].read_bytes()


def test_the_wheel_declares_its_entry_points(content: dict[str, bytes]) -> None:
    parser = configparser.ConfigParser(delimiters=("=",))
    parser.read_string(content[f"nbdataops-{__version__}.dist-info/entry_points.txt"].decode())

    assert {name: dict(parser[name]) for name in parser.sections()} == ENTRY_POINTS


# ------------------------------------------------------------------ installed
@dataclass(frozen=True)
class Installed:
    """An environment with the wheel, and an empty folder to work in."""

    root: Path
    folder: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A program of the environment, run in the empty folder, knowing nothing of the checkout."""
        names = ("PYTHONPATH", "PYTHONHOME", "NBDATAOPS_STORE", "NBDATAOPS_ASSIGNMENT")
        environment = {k: v for k, v in os.environ.items() if k not in names}
        program = str(self.root / "bin" / command[0])
        return subprocess.run(
            [program, *command[1:]],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def answer(self, *command: str) -> str:
        done = self.run(*command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel in an environment of its own, which borrows the packages that nbdataops needs from this one.

    They are borrowed by a path in a .pth file: paths come after the environment's own, and .pth files in them (such
    as that of an editable install) are not followed, so `nbdataops` can only be the wheel's.
    """
    root = tmp_path_factory.mktemp("environment")
    venv.create(root, with_pip=False)
    python = root / "bin" / "python"
    [packages] = root.glob("lib/python*/site-packages")
    borrowed = [p for p in sys.path if Path(p).name in {"site-packages", "dist-packages"}]
    (packages / "borrowed.pth").write_text("\n".join(borrowed) + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps"]
    done = subprocess.run(
        [*pip, "--no-index", "--ignore-installed", str(wheel)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    folder = tmp_path_factory.mktemp("elsewhere")
    started = Installed(root, folder)
    started.answer("nbdataops", "init", "x", "--from", "cdnow")
    return started


def test_every_module_of_the_installed_package_imports_and_is_the_wheels(installed: Installed) -> None:
    code = """if True:
        import importlib, json, pkgutil, sys
        import nbdataops
        for found in pkgutil.walk_packages(nbdataops.__path__, "nbdataops."):
            if not found.name.endswith("__main__"):
                importlib.import_module(found.name)
        print(json.dumps({n: m.__file__ for n, m in sys.modules.items() if n.split(".")[0] == "nbdataops"}))
    """
    files = json.loads(installed.answer("python", "-c", code))

    assert {"nbdataops", "nbdataops.cli.run", "nbdataops.lab.panel", "nbdataops.validate.study"} <= set(files)
    assert {n for n, f in files.items() if not Path(f).is_relative_to(installed.root)} == set()


def test_a_reference_product_is_copied_out_of_the_wheel_whole(installed: Installed) -> None:
    source = REPOSITORY / "notebooks" / "cdnow"
    expected = {p.relative_to(source): p.read_bytes() for p in tracked_files(source, REPOSITORY)}

    copied = {p: (installed.folder / "x" / p).read_bytes() for p in expected}

    assert copied == expected


def test_the_installed_package_plans_the_product(installed: Installed) -> None:
    plan = json.loads(installed.answer("nbdataops", "plan", "--product", "x", "--json"))

    assert plan["product"]
    assert {"prepare/rfm", "methods/bg_nbd"} <= {s["stage"] for s in plan["stages"]}
    assert "run" in {s["action"] for s in plan["stages"]}


def test_the_doctor_finds_the_installed_package_fit(installed: Installed) -> None:
    answer = json.loads(installed.answer("nbdataops", "doctor", "--product", "x", "--json"))

    assert answer["ok"], [c for c in answer["checks"] if not c["ok"]]
    python = next(c["what"] for c in answer["checks"] if c["name"] == "python")
    assert python.endswith(str(installed.root / "bin" / "python"))


def test_the_installed_package_recomputes_published_numbers_from_its_own_data(installed: Installed) -> None:
    command = ("python", "-m", "nbdataops.ltv.reference", "--json", "--model")
    answers = [json.loads(installed.answer(*command, model)) for model in ("MBGNBD", "BGBB")]

    assert all(answer["agree"] == answer["of"] > 0 for answer in answers)
    assert {row["data"] for answer in answers for row in answer["rows"]} >= {"cdnow-sample", "donations"}


def test_jupyter_and_papermill_find_what_the_wheel_brings(installed: Installed) -> None:
    code = """if True:
        import json
        from jupyter_client.kernelspec import KernelSpecManager
        from papermill.engines import papermill_engines
        engine = papermill_engines.get_engine("nbdataops")
        print(json.dumps([KernelSpecManager().find_kernel_specs()["nbdataops"], engine.__module__]))
    """
    folder, engine = json.loads(installed.answer("python", "-c", code))

    assert Path(folder) == installed.root / "share" / "jupyter" / "kernels" / "nbdataops"
    assert engine == "nbdataops.build.engine_entry"


@pytest.mark.kernel
def test_a_stage_runs_in_a_kernel_of_the_installed_package(installed: Installed) -> None:
    installed.answer("nbdataops", "init", "y")

    report = json.loads(
        installed.answer("nbdataops", "build", "prepare/customers", "--product", "y", "--json")
    )

    assert {s["state"] for s in report["stages"]} == {"succeeded"}


@pytest.mark.kernel
def test_a_notebook_runs_in_a_warm_kernel_of_the_installed_package(
    installed: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the kernelspec that the wheel brought, and with nbdataops itself among what was imported ahead."""
    place = tempfile.mkdtemp(prefix="nbdk-")  # short: sockets lie in it
    monkeypatch.setenv("NBDATAOPS_KERNEL_DIR", place)
    monkeypatch.delenv("NBDATAOPS_KERNELS", raising=False)
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    cell = "import sys\nprint('pandas' in sys.modules, 'nbdataops.stage' in sys.modules, sys.prefix)"
    Notebook.write(installed.folder / "in.ipynb", [cell])
    try:
        specs = json.loads(installed.answer("python", "-m", "jupyter_client.kernelspecapp", "list", "--json"))
        logos = {p.name for p in Path(specs["kernelspecs"]["nbdataops"]["resource_dir"]).glob("logo-*")}
        installed.answer("python", "-m", "papermill", "-k", "nbdataops", "in.ipynb", "out.ipynb")
        status = json.loads(installed.answer("nbdataops", "kernel", "status", "--json"))
    finally:
        installed.answer("nbdataops", "kernel", "stop", "--now")
        shutil.rmtree(place)
    [cell] = json.loads((installed.folder / "out.ipynb").read_text())["cells"]

    assert logos == {"logo-32x32.png", "logo-64x64.png", "logo-svg.svg"}
    assert cell["outputs"][0]["text"] == [f"True True {installed.root}\n"]
    assert status["cold_starts"] == []
    assert [server["forks"] >= 1 for server in status["servers"]] == [True]
