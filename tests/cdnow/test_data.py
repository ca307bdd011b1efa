"""The bundled log is the published one, and the ledger is what its README says it is."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pytest

from tests.cdnow.product import LEDGER, LOG, ROOT

README = (ROOT / "data" / "README.md").read_text(encoding="utf-8")


Ask = Callable[[str], tuple[object, ...]]


@pytest.fixture(scope="module")
def ask() -> Ask:
    """The first row of a query over `orders` and `ledger`."""
    db = duckdb.connect()
    db.execute(f"CREATE TABLE orders AS FROM read_csv('{LOG}')")
    db.execute(f"CREATE TABLE ledger AS FROM read_csv('{LEDGER}')")

    def first_row(query: str) -> tuple[object, ...]:
        return tuple(db.execute(query).fetchall()[0])

    return first_row


def test_the_log_has_the_published_rows_customers_and_cents(ask: Ask) -> None:
    row = ask("SELECT count(*), count(DISTINCT customer_id), sum(cast(sales * 100 AS bigint)) FROM orders")

    assert row == (69_659, 23_570, 250_031_563)


def test_the_log_has_the_published_distinct_days(ask: Ask) -> None:
    assert ask("SELECT count(DISTINCT (customer_id, date)) FROM orders") == (67_591,)


def test_eighty_orders_cost_nothing_and_68_customers_have_never_paid(ask: Ask) -> None:
    paid = "SELECT customer_id FROM orders GROUP BY customer_id HAVING sum(sales) = 0"

    assert ask("SELECT count(*), count(DISTINCT customer_id) FROM orders WHERE sales = 0") == (80, 80)
    assert ask(f"SELECT count(*) FROM ({paid})") == (68,)


def test_255_rows_repeat_an_earlier_one(ask: Ask) -> None:
    assert ask("SELECT (SELECT count(*) FROM orders) - count(*) FROM (SELECT DISTINCT * FROM orders)") == (
        255,
    )


def test_everybody_was_acquired_in_the_first_quarter_of_1997_and_the_log_ends_in_june_1998(ask: Ask) -> None:
    first = "SELECT customer_id, min(date) AS day FROM orders GROUP BY customer_id"

    assert ask(f"SELECT min(day), max(day) FROM ({first})") == (date(1997, 1, 1), date(1997, 3, 25))
    assert ask("SELECT max(date), count(DISTINCT date) FROM orders") == (date(1998, 6, 30), 546)


def test_columns_are_integers_a_date_and_a_number(ask: Ask) -> None:
    kinds = ask("SELECT typeof(customer_id), typeof(date), typeof(cds), typeof(sales) FROM orders LIMIT 1")

    assert kinds == ("BIGINT", "DATE", "BIGINT", "DOUBLE")


def test_the_log_lies_by_customer_and_date_as_its_master_file_does() -> None:
    lines = gzip.decompress(LOG.read_bytes()).decode().splitlines()[1:]
    keys = [(int(line.split(",")[0]), line.split(",")[1]) for line in lines]

    assert keys == sorted(keys)


@pytest.mark.parametrize("path", [LOG, LEDGER], ids=lambda p: p.name)
def test_the_readme_names_the_sha256_of_each_file(path: Path) -> None:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()

    assert f"{digest}  {path.name}" in README
    assert hashlib.sha256(gzip.decompress(LOG.read_bytes())).hexdigest() in README


def test_the_gzip_header_carries_no_time_and_no_name() -> None:
    header = LOG.read_bytes()[:10]

    assert header[3] == 0, "no optional fields, e.g. a file name"
    assert header[4:8] == bytes(4), "no time"


def test_the_ledger_is_the_sql_of_the_readme_over_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / LOG.name).write_bytes(LOG.read_bytes())
    statement = re.search(r"```sql\n(.+?)\n```", README, flags=re.DOTALL)
    assert statement is not None
    monkeypatch.chdir(tmp_path)

    duckdb.connect().execute(statement.group(1))

    assert (tmp_path / "data" / "finance.csv").read_text() == LEDGER.read_text()


def test_the_ledger_has_the_months_revenue_and_transactions_of_the_log(ask: Ask) -> None:
    row = ask("SELECT count(*), sum(cast(revenue * 100 AS bigint)), sum(transactions) FROM ledger")

    assert row == (18, 250_031_563, 67_591)
