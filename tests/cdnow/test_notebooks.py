"""The notebooks of the reference product: committed clean, short cells, understood as stages."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from nbdataops.product.notebook import find_notebooks, read_notebook
from tests.cdnow.product import NOTEBOOKS, ROOT, content, name_of, source

METHODS = {
    "methods/bg_nbd": ("latent-attrition", True),
    "methods/pareto_nbd": ("latent-attrition", True),
    "methods/mbg_cnbd": ("latent-attrition", True),
    "methods/bg_nbd_log_spend": ("latent-attrition", True),
    "methods/bg_bb": ("latent-attrition", True),
    "methods/cohort": ("cohort", True),
    "methods/markov_chain": ("markov", True),
    "methods/gradient_boosting": ("supervised", True),
    "methods/rfm_cell": ("supervised", True),
    "methods/zero_inflated_lognormal": ("supervised", True),
    "methods/naive": ("naive", False),
}
SUPERVISED = {name for name, (family, _) in METHODS.items() if family == "supervised"}
LONGEST_CELL = 15

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)


def test_the_product_has_the_notebooks_that_its_readme_lists() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert {name_of(p) for p in NOTEBOOKS} == set(re.findall(r"\]\((\w+/\w+)\.ipynb\)", readme))


@every_notebook
def test_a_notebook_is_valid_in_the_newest_format_with_stable_cell_ids(path: Path) -> None:
    notebook = content(path)

    nbformat.validate(nbformat.from_dict(notebook))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-z][a-z-]*", cell_id) for cell_id in ids), "ids are words, not random"


@every_notebook
def test_a_notebook_is_committed_without_outputs(path: Path) -> None:
    for cell in content(path)["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
        assert set(cell["metadata"]) <= {"tags"}


@every_notebook
def test_a_notebook_opens_with_a_title_and_its_question_and_ends_with_a_sentence(path: Path) -> None:
    cells = content(path)["cells"]
    opening = source(cells[0])

    assert cells[0]["cell_type"] == cells[-1]["cell_type"] == "markdown"
    assert opening.startswith("# ")
    assert "**Question.**" in opening
    assert "**What it cannot know.**" in opening
    assert len(source(cells[-1]).splitlines()) <= 3


@every_notebook
def test_cells_are_short(path: Path) -> None:
    for cell in content(path)["cells"]:
        if cell["cell_type"] == "code":
            lines = source(cell).splitlines()
            assert len(lines) <= LONGEST_CELL, f"cell {cell['id']}"
            assert max(map(len, lines)) <= 110, f"cell {cell['id']}"


@every_notebook
def test_the_parameters_cell_is_tagged_and_comes_before_all_other_code(path: Path) -> None:
    code = [cell for cell in content(path)["cells"] if cell["cell_type"] == "code"]
    tagged = [i for i, cell in enumerate(code) if "parameters" in cell["metadata"].get("tags", [])]

    assert tagged == ([] if name_of(path) == "prepare/clean" else [0])


@every_notebook
def test_a_notebook_draws_a_plot_with_a_title_and_labelled_axes(path: Path) -> None:
    code = "\n".join(source(cell) for cell in content(path)["cells"] if cell["cell_type"] == "code")

    panels = code.count("set_title(")
    assert panels >= 1
    assert code.count("xlabel=") >= panels
    assert code.count("ylabel=") >= panels


@every_notebook
def test_a_notebook_is_a_stage_that_names_the_columns_it_reads(path: Path) -> None:
    stage = read_notebook(ROOT, path)

    assert stage is not None
    assert stage.name == name_of(path)
    assert all(read.columns for read in stage.reads)


def test_every_notebook_is_a_stage_and_nothing_is_left_out() -> None:
    stages, ignored = find_notebooks(ROOT)

    assert [stage.name for stage in stages] == [name_of(p) for p in NOTEBOOKS]
    assert ignored == ()


@pytest.mark.parametrize(("name", "family", "is_fit"), [(n, *m) for n, m in METHODS.items()])
def test_a_method_has_its_family_refits_where_it_can_and_ends_by_validating(
    name: str, family: str, is_fit: bool
) -> None:
    path = ROOT / f"{name}.ipynb"
    stage = read_notebook(ROOT, path)

    assert stage is not None
    assert (stage.role, stage.family, stage.is_fit) == ("method", family, is_fit)
    assert {"as_of", "horizon"} <= {p.name for p in stage.parameters}
    code = [source(cell) for cell in content(path)["cells"] if cell["cell_type"] == "code"]
    assert code[-2].startswith("stage.estimate(")
    assert code[-1] == "stage.validate()"


def test_whoever_sees_labels_is_supervised_and_sees_only_those_of_its_training_horizon() -> None:
    stages, _ = find_notebooks(ROOT)
    labelled = {stage.name: stage.labelled for stage in stages if stage.labelled}

    assert set(labelled) == SUPERVISED
    for (call,) in labelled.values():
        assert call.table == "rfm"
        assert str(getattr(call.horizon, "name", "")) == "train_horizon"


def test_every_method_is_there_and_says_what_it_assumes_or_when_to_trust_it() -> None:
    assert {name_of(p) for p in NOTEBOOKS if p.parent.name == "methods"} == set(METHODS)
    for name in METHODS:
        opening = source(content(ROOT / f"{name}.ipynb")["cells"][0])
        assert any(f"**{said}" in opening for said in ("What it assumes.", "When to trust it.", "Why")), name


def test_only_boosting_pays_for_scikit_learn() -> None:
    texts = {name_of(p): p.read_text(encoding="utf-8") for p in NOTEBOOKS}

    assert {name for name, text in texts.items() if "TwoPartBoosting" in text} == {
        "methods/gradient_boosting"
    }
    assert not [name for name, text in texts.items() if "sklearn" in text]


def test_a_check_of_the_ledger_is_required() -> None:
    stage = read_notebook(ROOT, ROOT / "checks" / "finance.ipynb")

    assert stage is not None
    assert stage.role == "check"
    assert all(evidence.required for evidence in stage.evidence)
    assert {evidence.name for evidence in stage.evidence} == {
        "months on one side only",
        "monthly revenue",
        "monthly transactions",
    }
