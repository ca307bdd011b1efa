"""The JSON schema that editors check `dataproduct.yaml` with."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from nbdataops.product.schema import PATH, json_schema, schema_text
from nbdataops.product.yaml_lines import parse_yaml
from tests.product.test_spec import FULL
from tests.product.written import PRODUCT


def as_json(text: str) -> Any:
    """YAML as an editor sees it: dates are texts."""
    return json.loads(json.dumps(parse_yaml(text, "a.yaml").value, default=str))


def test_the_published_schema_is_the_one_of_the_models() -> None:
    assert PATH.read_text(encoding="utf-8") == schema_text(), "run: python -m nbdataops.product.schema"


@pytest.mark.parametrize("text", [PRODUCT, FULL])
def test_a_good_declaration_is_valid(text: str) -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    jsonschema.validate(as_json(text), json_schema(), cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("horizon: 39", "horizon: x"),
        ("as_of:", "asof:"),
        ("value: revenue", "value: sales"),
        ("origins: last 3 matured", "origins: last few"),
        ("step: 13 weeks", "step: 13"),
        ("label: corroborated", "label: good"),
        ("{holdout_total: 0.05}", "{holdout: 0.05}"),
        ("orders:  {path", "or ders:  {path"),
    ],
)
def test_a_bad_declaration_is_not(old: str, new: str) -> None:
    assert old in FULL

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(
            as_json(FULL.replace(old, new)), json_schema(), cls=jsonschema.Draft202012Validator
        )


def test_every_key_is_described() -> None:
    schema = json_schema()
    objects = [schema, *schema["$defs"].values()]

    bare = [
        f"{o['title']}.{name}"
        for o in objects
        for name, key in o["properties"].items()
        if not key.get("description")
    ]

    assert bare == []
