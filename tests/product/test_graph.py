"""Stages and tables that fit together, and every way in which they do not."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbdataops.errors import DeclarationError, GraphError
from nbdataops.product.declared import NotebookStage, Read, Write
from nbdataops.product.graph import Graph, build_graph
from nbdataops.product.notebook import find_notebooks
from nbdataops.product.spec import ProductSpec, load_spec
from tests.product.written import (
    IMPORT,
    PRODUCT,
    parameters,
    write_notebook,
    write_product,
    write_tiny_stages,
)


@pytest.fixture
def product(tmp_path: Path) -> Path:
    write_tiny_stages(write_product(tmp_path))
    return tmp_path


def graph_of(root: Path) -> Graph:
    return build_graph(load_spec(root), find_notebooks(root)[0])


def refused(root: Path) -> DeclarationError:
    with pytest.raises(DeclarationError) as caught:
        graph_of(root)
    assert caught.value.todo
    return caught.value


def test_a_product_that_fits_has_an_order(product: Path) -> None:
    graph = graph_of(product)

    assert graph.order == ("prepare/clean", "checks/outcome", "prepare/rfm", "methods/naive")
    assert graph.writers == {"purchases": "prepare/clean", "rfm": "prepare/rfm"}
    assert graph.outcome == "checks/outcome"
    assert graph.methods == ("methods/naive",)
    assert graph.tables == ("orders", "purchases", "rfm")
    assert set(graph.stages) == set(graph.order)


def test_the_graph_answers_who_writes_and_who_needs(product: Path) -> None:
    graph = graph_of(product)

    assert graph.writer("rfm") == "prepare/rfm"
    assert graph.writer("orders") is graph.sources["orders"]
    assert graph.upstream("methods/naive") == ("prepare/clean", "prepare/rfm")
    assert graph.parents("methods/naive") == ("prepare/rfm",)
    assert graph.upstream("prepare/clean") == ()
    assert graph.inputs("checks/outcome") == ("purchases",)
    assert graph.readers("purchases") == ("checks/outcome", "prepare/rfm")
    with pytest.raises(GraphError, match="no table 'rmf'") as caught:
        graph.writer("rmf")
    assert caught.value.todo == "did you mean 'rfm'?"


def test_a_graph_survives_pickling(product: Path) -> None:
    graph = graph_of(product)

    copy = pickle.loads(pickle.dumps(graph))

    assert (copy.stages, copy.order, copy.writers) == (graph.stages, graph.order, graph.writers)
    assert copy.upstream("methods/naive") == graph.upstream("methods/naive")


def test_labels_come_from_past_origins_so_they_are_not_upstream(product: Path) -> None:
    write_notebook(
        product, "methods/gb", IMPORT, 'p = stage.labelled("rfm", ["x"])\nstage.estimate(p, family="s")'
    )

    graph = graph_of(product)

    assert graph.upstream("methods/gb") == ()
    assert graph.inputs("methods/gb") == ()
    assert "methods/gb" in graph.readers("rfm")
    assert graph.order.index("methods/gb") > max(
        graph.order.index(n) for n in ("prepare/rfm", "checks/outcome")
    )


def test_queries_find_tables_in_any_case(product: Path) -> None:
    write_notebook(product, "view", IMPORT, 'stage.sql("select * from RFM join Orders using (customer_id)")')

    graph = graph_of(product)

    assert set(graph.inputs("view")) == {"rfm", "orders"}
    assert graph.upstream("view") == ("prepare/clean", "prepare/rfm")


@pytest.mark.parametrize(
    ("call", "todo"),
    [
        ('stage.read("purchase")', "did you mean 'purchases'?"),
        ('stage.labelled("rfmm", ["x"])', "did you mean 'rfm'?"),
        ('stage.sql("select * from promo")', "stage.sql(..., promo=frame)"),
        ("stage.sql(\"select * from 'a.parquet'\")", "known: orders, purchases, rfm"),
    ],
)
def test_an_unknown_table_is_refused(product: Path, call: str, todo: str) -> None:
    write_notebook(product, "view", IMPORT, f"x = 1\n{call}")

    error = refused(product)

    assert str(error).startswith("view.ipynb, cell 2, line 2: there is no table ")
    assert todo in error.todo


def test_all_unknown_tables_are_named_at_once(product: Path) -> None:
    write_notebook(product, "view", IMPORT, 'stage.read("a")\nstage.read("b")')

    error = refused(product)

    assert "no table 'a'" in error.what
    assert "view.ipynb, cell 2, line 2: there is no table 'b'" in error.detail


def test_two_writers_are_refused(product: Path) -> None:
    write_notebook(product, "prepare/rfm2", IMPORT, 'stage.write("rfm", 1, key="k")')

    error = refused(product)

    assert error.what == "table 'rfm' has two writers: prepare/rfm (cell 2, line 2) and prepare/rfm2"
    assert str(error).startswith("prepare/rfm2.ipynb, cell 2, line 1: ")


def test_a_stage_that_writes_a_source_is_refused(product: Path) -> None:
    write_notebook(product, "prepare/orders", IMPORT, 'stage.write("orders", 1, key="k")')

    error = refused(product)

    assert "'orders' is a source (dataproduct.yaml, line 14)" in error.what
    assert str(error).startswith("prepare/orders.ipynb, cell 2, line 1: ")


@pytest.mark.parametrize("name", ["Orders", "RFM"])
def test_tables_that_differ_only_by_case_are_refused(product: Path, name: str) -> None:
    write_notebook(product, "zz", IMPORT, f'stage.write("{name}", 1, key="k")')

    assert "differ only by case" in refused(product).what


def test_a_ring_is_named(product: Path) -> None:
    for name, reads, writes in (("a", "t3", "t1"), ("b", "t1", "t2"), ("c", "t2", "t3")):
        write_notebook(
            product, name, IMPORT, f'x = stage.read("{reads}")\nstage.write("{writes}", x, key="k")'
        )

    error = refused(product)

    assert error.what == "these stages wait for each other: a needs c, which needs b, which needs a"
    assert str(error).startswith("a.ipynb, cell 2, line 1: ")
    assert "b.ipynb, cell 2, line 1: b reads 't1'" in error.detail


def test_a_stage_that_reads_its_own_table_is_refused(product: Path) -> None:
    write_notebook(product, "a", IMPORT, 'stage.write("t", stage.sql("select * from T"), key="k")')

    assert refused(product).what == "a reads 't', which it writes itself"


def test_an_outcome_that_needs_a_labelled_method_is_a_ring(product: Path) -> None:
    source = 'p = stage.labelled("rfm", ["x"])\nstage.write("t", p, key="k")\nstage.estimate(p, family="s")'
    write_notebook(product, "methods/gb", IMPORT, source)
    write_notebook(product, "checks/outcome", IMPORT, 'stage.outcome(stage.read("t"))')

    assert "wait for each other: checks/outcome needs methods/gb" in refused(product).what


def test_two_outcomes_are_refused(product: Path) -> None:
    write_notebook(product, "checks/second", IMPORT, "stage.outcome(1)")

    assert refused(product).what == "two notebooks publish an outcome: checks/outcome and checks/second"


def test_validation_without_an_outcome_is_refused(product: Path) -> None:
    (product / "checks/outcome.ipynb").unlink()
    assert graph_of(product).outcome is None

    write_product(product, "validation: {origins: 2}")
    error = refused(product)

    assert "no notebook publishes an outcome" in error.what
    assert str(error).startswith("dataproduct.yaml, line 15: ")


def test_labels_without_an_outcome_are_refused(product: Path) -> None:
    (product / "checks/outcome.ipynb").unlink()
    write_notebook(
        product, "methods/gb", IMPORT, 'p = stage.labelled("rfm", ["x"])\nstage.estimate(p, family="s")'
    )

    assert str(refused(product)).startswith(
        "methods/gb.ipynb, cell 2, line 1: stage.labelled needs an outcome"
    )


@pytest.mark.parametrize(
    ("old", "new", "what", "line"),
    [
        ("table: rfm", "table: rmf", "the population is table 'rmf'", 5),
        (
            "methods/naive",
            "methods/naiv",
            "the primary method is 'methods/naiv', and there is no such notebook",
            11,
        ),
        ("methods/naive", "prepare/rfm", "that notebook publishes no estimate", 11),
        ("methods/naive", "methods/naive[deep]", "has no variant 'deep'", 11),
    ],
)
def test_the_contract_must_name_what_exists(product: Path, old: str, new: str, what: str, line: int) -> None:
    write_product(product, base=PRODUCT.replace(old, new))

    error = refused(product)

    assert what in error.what
    assert str(error).startswith(f"dataproduct.yaml, line {line}: ")


def test_a_variant_may_be_the_primary_method(product: Path) -> None:
    base = PRODUCT.replace("methods/naive", "methods/naive[short]")
    write_product(product, "variants: {methods/naive: {short: {window: 4}}}", base=base)

    assert graph_of(product)


def test_parameters_of_the_declaration_are_checked_with_the_graph(product: Path) -> None:
    write_product(product, "parameters: {windw: 3}")

    assert (
        str(refused(product))
        == "dataproduct.yaml, line 15: there is no parameter 'windw'\n  did you mean 'window'?"
    )


def test_a_parameter_may_name_a_table(product: Path) -> None:
    write_notebook(product, "view", IMPORT, parameters('table: str = "rfm"'), "stage.read(table)")

    assert graph_of(product).inputs("view") == ("rfm",)


BASE = PRODUCT.replace("table: rfm", "table: orders")


@pytest.fixture(scope="module")
def any_spec(tmp_path_factory: pytest.TempPathFactory) -> ProductSpec:
    return load_spec(write_product(tmp_path_factory.mktemp("any"), base=BASE))


@given(st.lists(st.sets(st.integers(0, 7)), min_size=1, max_size=8), st.randoms())
def test_in_any_graph_without_a_ring_writers_come_before_readers(
    any_spec: ProductSpec, parents: list[set[int]], random: object
) -> None:
    stages = [NotebookStage("methods/naive", Path("n"), "method", family="f", is_fit=False)]
    for n, above in enumerate(parents):
        reads = tuple(Read(f"t{p}", None, 1, 1) for p in sorted(above) if p < n)
        stages.append(
            NotebookStage(
                f"s{n}", Path("s"), "prepare", reads=reads, writes=(Write(f"t{n}", ("k",), None, 1, 1),)
            )
        )
    shuffled = list(stages)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    graph = build_graph(any_spec, shuffled)

    assert sorted(graph.order) == sorted(s.name for s in stages)
    for name in graph.order:
        before = graph.order[: graph.order.index(name)]
        assert set(graph.upstream(name)) <= set(before)
        assert set(graph.parents(name)) == {graph.writers[r.table] for r in graph.stages[name].reads}
    assert graph.order == build_graph(any_spec, stages).order
