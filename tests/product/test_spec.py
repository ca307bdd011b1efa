"""`dataproduct.yaml`: what it says, and every way in which it can be wrong."""

from __future__ import annotations

import pickle
from datetime import date
from pathlib import Path

import pytest

from nbdataops.errors import SpecError
from nbdataops.product.durations import Duration
from nbdataops.product.spec import Margins, load_spec
from nbdataops.validate.margins import Margins as JudgedMargins
from tests.product.written import PRODUCT, write_product

FULL = """\
product: cdnow-ltv
metric:
  name: ltv
  entity: customer_id
  population: {table: rfm, cohort: cohort, segments: [first_basket]}
  value: revenue
  unit: USD
  components: {transactions: count of distinct days}
  time_unit: week
  time_zone: Europe/Berlin
  horizon: 39
  discount_rate: 0
  settles_after: 2 weeks
  primary: methods/bg_nbd
as_of: latest
store: ../store
sources:
  orders:  {path: data/*.csv.gz, contract: contracts/orders.odcs.yaml, event_time: date, key: order_id}
  finance: {path: data/finance.parquet, format: parquet, key: [month, unit], complete_to: 1998-06-30}
parameters: {seed: 7, methods/bg_nbd: {rate: 0.5}}
variants:
  methods/gradient_boosting: {deep: {max_leaf_nodes: 31}}
validation:
  origins: last 3 matured
  step: 13 weeks
  horizons: [13, 39]
  replicates: 20
  seed: 1
  margins: {holdout_total: 0.05}
execution: {cell_timeout_s: 60, stage_timeout_s: 600, output_limit_mb: 1}
release:
  require: {label: corroborated}
  evidence_max_age_days: 7
secrets: {dsn: {env: DSN}, key: {file: key.txt}}
"""


def test_a_full_declaration_is_read(tmp_path: Path) -> None:
    spec = load_spec(write_product(tmp_path, base=FULL))

    assert (spec.product, spec.root, spec.as_of, spec.store) == ("cdnow-ltv", tmp_path, "latest", "../store")
    metric = spec.metric
    assert (metric.name, metric.entity, metric.value, metric.unit) == ("ltv", "customer_id", "revenue", "USD")
    assert (metric.population.table, metric.population.cohort) == ("rfm", "cohort")
    assert metric.population.segments == ("first_basket",)
    assert (metric.time_unit, metric.time_zone, metric.horizon) == ("week", "Europe/Berlin", 39)
    assert (metric.settle_days, metric.primary, metric.discount_rate) == (14, "methods/bg_nbd", 0.0)
    orders, finance = spec.sources["orders"], spec.sources["finance"]
    assert (orders.name, orders.root, orders.path, orders.key) == (
        "orders",
        tmp_path,
        "data/*.csv.gz",
        ("order_id",),
    )
    assert (orders.contract, orders.event_time, orders.format) == ("contracts/orders.odcs.yaml", "date", None)
    assert (finance.format, finance.key, finance.complete_to) == (
        "parquet",
        ("month", "unit"),
        date(1998, 6, 30),
    )
    assert spec.parameters == {"seed": 7, "methods/bg_nbd": {"rate": 0.5}}
    assert spec.variants == {"methods/gradient_boosting": {"deep": {"max_leaf_nodes": 31}}}
    assert spec.validation is not None
    assert (spec.validation.origins, spec.validation.replicates, spec.validation.seed) == (3, 20, 1)
    assert (spec.validation.margins.holdout_total, spec.validation.margins.holdout_cohort) == (0.05, 0.20)
    assert (spec.origin_step, spec.horizons) == (Duration(13, "week"), (13, 39))
    assert (spec.execution.cell_timeout_s, spec.execution.output_limit_mb) == (60, 1.0)
    assert (spec.release.require.label, spec.release.evidence_max_age_days) == ("corroborated", 7)
    assert spec.secret_providers == {"dsn": {"env": "DSN"}, "key": {"file": "key.txt"}}


def test_a_short_declaration_has_defaults(tmp_path: Path) -> None:
    spec = load_spec(write_product(tmp_path))

    assert spec.validation is None
    assert (spec.as_of, spec.store, spec.metric.time_zone) == (date(1997, 9, 30), None, "UTC")
    assert (spec.execution.output_limit_mb, spec.release.require.label) == (5.0, "validated")
    assert (spec.metric.settle_days, spec.metric.population.segments) == (0, ())
    assert (spec.horizons, spec.origin_step) == ((39,), Duration(39, "week"))


def test_the_step_between_origins_is_the_shortest_horizon_by_default(tmp_path: Path) -> None:
    spec = load_spec(write_product(tmp_path, "validation: {horizons: [26, 13]}"))

    assert (spec.horizons, spec.origin_step) == ((13, 26, 39), Duration(13, "week"))
    assert spec.validation is not None
    assert (spec.validation.origins, spec.validation.replicates) == (4, 50)


def test_default_margins_are_those_that_judge() -> None:
    assert Margins().model_dump() == JudgedMargins().to_dict()


@pytest.mark.parametrize("as_of", ["1997-09-30", "'1997-09-30'"])
def test_a_date_may_be_quoted(tmp_path: Path, as_of: str) -> None:
    spec = load_spec(write_product(tmp_path, base=PRODUCT.replace("1997-09-30", as_of)))

    assert spec.as_of == date(1997, 9, 30)


@pytest.mark.parametrize(
    ("old", "new", "line", "what", "todo"),
    [
        (
            "unit: USD",
            "unit: USD\n  unitt: USD",
            8,
            "there is no key 'unitt' in metric",
            "did you mean 'unit'?",
        ),
        ("as_of:", "asof:", 12, "there is no key 'asof'", "did you mean 'as_of'?"),
        ("event_time: date", "event: date", 14, "there is no key 'event' in sources.orders", "'event_time'?"),
        ("cohort: cohort", "cohorts: c", 5, "there is no key 'cohorts' in metric.population", "'cohort'?"),
        ("  entity: customer_id\n", "", 2, "metric.entity is missing", "add it: the column that identifies"),
        ("product: tiny-ltv\n", "", 1, "product is missing", "add it: the product's name"),
        (
            "horizon: 39",
            "horizon: '39'",
            10,
            "metric.horizon should be a whole number, not '39'",
            "how far ahead",
        ),
        (
            "horizon: 39",
            "horizon: 39.0",
            10,
            "metric.horizon should be a whole number, not 39.0",
            "how far ahead",
        ),
        (
            "horizon: 39",
            "horizon: 0",
            10,
            "metric.horizon should be greater than or equal to 1, not 0",
            "how far",
        ),
        (
            "horizon: 39",
            "horizon:",
            10,
            "metric.horizon should be a whole number, not nothing",
            "how far ahead",
        ),
        (
            "horizon: 39",
            "horizon: [39]",
            10,
            "metric.horizon should be a whole number, not a list",
            "how far ahead",
        ),
        (
            "horizon: 39",
            "horizon: true",
            10,
            "metric.horizon should be a whole number, not true",
            "how far ahead",
        ),
        ("unit: USD", "unit: 3", 7, "metric.unit should be a text, not 3", "quote it"),
        ("unit: USD", "unit: ''", 7, "metric.unit should have at least 1 character", "unit of the value"),
        (
            "value: revenue",
            "value: revenu",
            6,
            "metric.value should be 'revenue' or 'margin'",
            "mean 'revenue'?",
        ),
        (
            "time_unit: week",
            "time_unit: weeks",
            9,
            "metric.time_unit should be 'day', 'week'",
            "mean 'week'?",
        ),
        ("horizon: 39", "horizon: 39\n  time_zone: Europe/Berln", 11, "an IANA time zone", "IANA"),
        ("horizon: 39", "horizon: 39\n  time_zone: ../etc/passwd", 11, "an IANA time zone", "IANA"),
        ("horizon: 39", "horizon: 39\n  settles_after: 30", 11, "should be a duration", "returns"),
        ("horizon: 39", "horizon: 39\n  settles_after: 1 month", 11, "should be in days or weeks", "returns"),
        ("horizon: 39", "horizon: 39\n  discount_rate: .nan", 11, "should be", "per year"),
        ("horizon: 39", "horizon: 39\n  discount_rate: 1", 11, "should be less than 1", "per year"),
        ("{table: rfm, cohort: cohort}", "rfm", 5, "metric.population should be `key: value` lines", "whom"),
        (
            "{table: rfm, cohort: cohort}",
            "{table: r f m}",
            5,
            "a character that it cannot have",
            "one row per",
        ),
        ("as_of: 1997-09-30", "as_of: today", 12, "as_of should be a date such as 1997-09-30, or latest", ""),
        ("as_of: 1997-09-30", "as_of: 1997-09-30 12:00:00", 12, "as_of should be a date", ""),
        ("as_of: 1997-09-30", "as_of: 1997-09-31", 12, "is no date", ""),
        ("orders: {path", "my orders: {path", 14, "'my orders' is no name that sources can have", "letters"),
        ("path: data/orders.csv", "path: ''", 14, "should be the path of a file", "relative to the product"),
        ("path: data/orders.csv, ", "", 14, "sources.orders.path is missing", "file, folder or glob"),
        ("event_time: date", "format: json", 14, "sources.orders.format should be 'csv' or 'parquet'", ""),
        ("event_time: date", "complete_to: soon", 14, "should be a date such as 1997-09-30", "the last day"),
        ("tiny-ltv", "tiny ltv", 1, "product has a character that it cannot have", "the product's name"),
        ("tiny-ltv", "../ltv", 1, "product has a character that it cannot have", "the product's name"),
        (
            "as_of: 1997",
            "product: b\nas_of: 1997",
            12,
            "'product' is given twice (first in line 1)",
            "keep one",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, line: int, what: str, todo: str
) -> None:
    assert old in PRODUCT

    with pytest.raises(SpecError) as caught:
        load_spec(write_product(tmp_path, base=PRODUCT.replace(old, new)))

    error = caught.value
    assert error.where is not None
    assert what in str(error)
    assert todo in str(error)
    assert f"line {line}" in str(error)
    assert error.where.file == "dataproduct.yaml"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("validation: {origins: 0}", "validation.origins should be a whole number from 1"),
        (
            "validation: {origins: last few}",
            'validation.origins should be a whole number from 1, or "last 4 matured"',
        ),
        ("validation: {origins: true}", "validation.origins should be"),
        ("validation: {step: 0 weeks}", "validation.step should be longer than nothing"),
        ("validation: {step: 13}", "validation.step should be a duration"),
        ("validation: {horizons: 13}", "validation.horizons should be a list, not 13"),
        ("validation: {horizons: [13, 0]}", "validation.horizons[2] should be greater than or equal to 1"),
        ("validation: {replicates: -1}", "validation.replicates should be"),
        ("validation: {margins: {holdout: 0.1}}", "there is no key 'holdout' in validation.margins"),
        ("validation: {margins: {holdout_total: 0}}", "holdout_total should be greater than 0"),
        ("validation: {margins: {holdout_total: .inf}}", "holdout_total should be a finite number"),
        ("validation: {margins: {cohort_ccc: 1}}", "cohort_ccc should be less than 1"),
        ("validation: []", "validation should be `key: value` lines, not a list"),
        ("execution: {cell_timeout_s: 0}", "execution.cell_timeout_s should be"),
        ("execution: {output_limit_mb: -1}", "execution.output_limit_mb should be greater than 0"),
        ("release: {require: {label: good}}", "release.require.label should be 'validated', 'corroborated'"),
        ("release: {evidence_max_age_days: 0}", "release.evidence_max_age_days should be"),
        ("secrets: {dsn: hunter2}", "secrets.dsn should be `key: value` lines"),
        ("secrets: {dsn: {}}", "secrets.dsn should be either {env: NAME} or {file: path}"),
        ("secrets: {dsn: {env: A, file: b}}", "secrets.dsn should be either {env: NAME} or {file: path}"),
        ("secrets: {dsn: {env: A B}}", "secrets.dsn.env has a character"),
        ("parameters: [1]", "parameters should be names with their values"),
        ("parameters: {a: {b: {c: 1}}}", "should be a value, or a list of values"),
        ("parameters: {a: [{b: 1}]}", "should be a value, or a list of values"),
        ("variants: {a: {b: 1}}", "variants.a.b should be names with their values"),
        ("variants: {a: {'b]': {}}}", "'b]' is no name that variants.a can have"),
        ("store: ''", "store should be the path"),
    ],
)
def test_every_section_is_strict(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_spec(write_product(tmp_path, text))

    assert what in caught.value.what
    assert str(caught.value).startswith("dataproduct.yaml, line 15: ")


def test_a_secret_is_never_repeated_in_an_error(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load_spec(write_product(tmp_path, "secrets: {dsn: hunter2, key: [hunter2], env: {env: hunter 2}}"))

    assert "hunter" not in str(caught.value)


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    broken = PRODUCT.replace("horizon: 39", "horizont: 39").replace("unit: USD", "unit: 3") + "releas: {}\n"

    with pytest.raises(SpecError) as caught:
        load_spec(write_product(tmp_path, base=broken))

    text = str(caught.value)
    assert text.startswith("dataproduct.yaml, line 2: metric.horizon is missing")
    assert "also, line 7: metric.unit should be a text, not 3" in text
    assert "also, line 10: there is no key 'horizont' in metric (did you mean 'horizon'?)" in text
    assert "also, line 15: there is no key 'releas' (did you mean 'release'?)" in text


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n", "text"])
def test_a_file_without_keys_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_spec(write_product(tmp_path, base=text))

    assert "nbdataops init" in caught.value.todo


@pytest.mark.parametrize(
    ("name", "todo"), [("dataproduct.yml", "rename dataproduct.yml"), ("other.yaml", "nbdataops init")]
)
def test_a_missing_file_is_an_error_that_helps(tmp_path: Path, name: str, todo: str) -> None:
    (tmp_path / name).write_text(PRODUCT)

    with pytest.raises(SpecError, match=r"there is no dataproduct\.yaml") as caught:
        load_spec(tmp_path)

    assert todo in caught.value.todo


def test_the_digest_covers_content_alone(tmp_path: Path) -> None:
    plain = load_spec(write_product(tmp_path, base=FULL))
    (tmp_path / "moved").mkdir()
    commented = FULL.replace("product:", "# why\n\nproduct:").replace("as_of: latest\n", "")
    moved = load_spec(write_product(tmp_path / "moved", base=commented))
    other = load_spec(write_product(tmp_path, base=FULL.replace("seed: 7", "seed: 7.0")))

    assert moved.digest == plain.digest
    assert hash(moved) == hash(plain)
    assert other.digest != plain.digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("cdnow-ltv", "cdnow"),
        ("horizon: 39", "horizon: 40"),
        ("as_of: latest", "as_of: 2020-01-01"),
        ("store: ../store", "store: ../other"),
        ("event_time: date", "event_time: day"),
        ("complete_to: 1998-06-30", "complete_to: 1998-06-29"),
        ("{seed: 7,", "{seed: 8,"),
        ("rate: 0.5", "rate: 0.6"),
        ("max_leaf_nodes: 31", "max_leaf_nodes: 30"),
        ("last 3 matured", "last 2 matured"),
        ("step: 13 weeks", "step: 13 days"),
        ("horizons: [13, 39]", "horizons: [26, 39]"),
        ("holdout_total: 0.05", "holdout_total: 0.06"),
        ("cell_timeout_s: 60", "cell_timeout_s: 61"),
        ("label: corroborated", "label: validated"),
        ("{env: DSN}", "{env: DSN2}"),
    ],
)
def test_what_is_declared_counts_in_the_digest(tmp_path: Path, old: str, new: str) -> None:
    assert old in FULL
    before = load_spec(write_product(tmp_path, base=FULL)).digest

    assert load_spec(write_product(tmp_path, base=FULL.replace(old, new))).digest != before


def test_a_declaration_is_frozen_and_survives_pickling(tmp_path: Path) -> None:
    spec = load_spec(write_product(tmp_path, base=FULL))
    copy = pickle.loads(pickle.dumps(spec))

    assert copy == spec
    assert copy.root == tmp_path
    assert copy.sources["orders"].name == "orders"
    assert copy.place("sources", "orders") == spec.place("sources", "orders")
    with pytest.raises(ValueError, match="frozen"):
        spec.product = "other"


def test_places_lead_back_into_the_file(tmp_path: Path) -> None:
    spec = load_spec(write_product(tmp_path))

    assert str(spec.place("sources", "orders")) == "dataproduct.yaml, line 14"
    assert str(spec.place("metric", "primary")) == "dataproduct.yaml, line 11"
    assert str(spec.place("metric", "time_zone")) == "dataproduct.yaml, line 2"
