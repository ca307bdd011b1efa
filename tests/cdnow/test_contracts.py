"""The contracts hold on the bundled data, and refuse what really goes wrong with deliveries."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from open_data_contract_standard.model import OpenDataContractStandard

from nbdataops.errors import SourceError
from nbdataops.ingest.source import SourceState, ingest
from nbdataops.product.spec import load_spec
from nbdataops.store.locations import Store
from nbdataops.store.snapshots import SnapshotStore
from tests.cdnow.product import ROOT

Lines = list[str]
Deliver = Callable[[str], SourceState]


@pytest.fixture
def product(tmp_path: Path) -> Path:
    """A copy of the product's declaration, contracts and data."""
    copy = tmp_path / "cdnow"
    for folder in ("data", "contracts"):
        shutil.copytree(ROOT / folder, copy / folder)
    shutil.copy(ROOT / "dataproduct.yaml", copy)
    return copy


@pytest.fixture
def deliver(product: Path, tmp_path: Path) -> Deliver:
    """Ingest a source of the copy by name."""

    def ingest_it(name: str) -> SourceState:
        store = tmp_path / "store"
        source = load_spec(product).sources[name]
        return ingest(source, SnapshotStore(store), Store(store), today=date(1998, 7, 1))

    return ingest_it


def rewrite(path: Path, change: Callable[[Lines], Lines]) -> None:
    """Change the rows of a file; the header stays."""
    packed = path.name.endswith(".gz")
    raw = path.read_bytes()
    header, *rows = (gzip.decompress(raw) if packed else raw).decode().splitlines()
    text = "\n".join([header, *change(rows), ""]).encode()
    path.write_bytes(gzip.compress(text, compresslevel=1) if packed else text)


@pytest.mark.parametrize("name", ["orders", "finance"])
def test_a_contract_is_valid_odcs_for_others_tools(name: str) -> None:
    contract = OpenDataContractStandard.from_file(str(ROOT / "contracts" / f"{name}.odcs.yaml"))

    assert contract.apiVersion == "v3.1.0"
    assert contract.kind == "DataContract"


@pytest.mark.parametrize(("name", "rows"), [("orders", 69_659), ("finance", 18)])
def test_the_bundled_data_keep_their_contract(deliver: Deliver, name: str, rows: int) -> None:
    state = deliver(name)

    assert state.snapshot.rows == rows
    assert state.complete_to == date(1998, 6, 30)
    assert not state.may_leak
    assert state.inferred == (), "the contract declares the type of every column"
    assert state.contract is not None
    assert state.contract.accepted
    assert state.contract.quarantined == 0


def test_zero_dollar_orders_warn_and_stay(deliver: Deliver) -> None:
    state = deliver("orders")

    assert state.contract is not None
    warnings = {rule.id: rule.bad for rule in state.contract.rules if rule.state != "pass"}
    assert warnings == {"zero_dollar_orders": 80}
    assert state.snapshot.rows == 69_659


def cells(row: str, **changed: str) -> str:
    """A line of the log with some of its values changed."""
    values = dict(zip(("customer_id", "date", "cds", "sales"), row.split(","), strict=True))
    return ",".join((values | changed).values())


FAULTS: dict[str, tuple[str, Callable[[Lines], Lines]]] = {
    "the file holds everything twice": ("not_delivered_twice", lambda rows: rows + rows),
    "the delivery breaks off": ("the_log_is_whole", lambda rows: rows[:60_000]),
    "a day is missing": ("every_day_is_there", lambda rows: [r for r in rows if ",1997-11-28," not in r]),
    "amounts are in cents": (
        "amounts_are_dollars",
        lambda rows: [cells(r, sales=str(round(100 * float(r.split(",")[3])))) for r in rows],
    ),
    "an amount is negative": ("sales.range", lambda rows: [cells(rows[0], sales="-11.77"), *rows[1:]]),
    "an amount is missing": ("sales.required", lambda rows: [cells(rows[0], sales=""), *rows[1:]]),
    "an amount is text": ("sales.type", lambda rows: [cells(rows[0], sales="eleven"), *rows[1:]]),
    "a date is in another notation": ("date.type", lambda rows: [cells(rows[0], date="31.12.97"), *rows[1:]]),
    "a date lies before the shop's log": (
        "date.range",
        lambda rows: [cells(rows[0], date="1996-12-31"), *rows[1:]],
    ),
    "a customer has no number": (
        "customer_id.required",
        lambda rows: [cells(rows[0], customer_id=""), *rows[1:]],
    ),
    "an order is for no CD": ("cds.range", lambda rows: [cells(rows[0], cds="0"), *rows[1:]]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_log_is_refused_by_the_rule_that_is_there_for_it(
    product: Path, deliver: Deliver, fault: str
) -> None:
    rule, change = FAULTS[fault]
    rewrite(product / "data" / "cdnow.csv.gz", change)

    with pytest.raises(SourceError) as refused:
        deliver("orders")

    assert rule in str(refused.value)


def test_a_customer_acquired_later_warns(product: Path, deliver: Deliver) -> None:
    rewrite(product / "data" / "cdnow.csv.gz", lambda rows: [*rows, "23571,1998-06-30,1,14.99"])

    state = deliver("orders")

    assert state.contract is not None
    assert {r.id for r in state.contract.rules if r.state == "warn"} == {"zero_dollar_orders", "one_cohort"}


LEDGER_FAULTS: dict[str, tuple[str, Callable[[Lines], Lines]]] = {
    "a month is missing": ("no_month_is_missing", lambda rows: [*rows[:5], *rows[6:]]),
    "a month is there twice": ("month_end.unique", lambda rows: [*rows, rows[-1]]),
    "a month does not end on its last day": (
        "months_end_on_their_last_day",
        lambda rows: [rows[0].replace("1997-01-31", "1997-02-01"), *rows[1:]],
    ),
}


@pytest.mark.parametrize("fault", LEDGER_FAULTS)
def test_a_faulty_ledger_is_refused_by_the_rule_that_is_there_for_it(
    product: Path, deliver: Deliver, fault: str
) -> None:
    rule, change = LEDGER_FAULTS[fault]
    rewrite(product / "data" / "finance.csv", change)

    with pytest.raises(SourceError) as refused:
        deliver("finance")

    assert rule in str(refused.value)
