"""The JSON schema of `dataproduct.yaml`, for editors: `python -m nbdataops.product.schema` writes it anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nbdataops.product.spec import ProductSpec

PATH = Path(__file__).with_name("dataproduct.schema.json")


def json_schema() -> dict[str, Any]:
    """The schema (JSON Schema 2020-12) as it follows from the models."""
    schema = ProductSpec.model_json_schema()
    metric = schema["$defs"]["MetricContract"]["properties"]
    metric["settles_after"]["default"] = "0 days"  # pydantic shows the parsed default, people write text
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "dataproduct.yaml"}


def schema_text() -> str:
    """The schema as it is kept in the file."""
    return json.dumps(json_schema(), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    PATH.write_text(schema_text(), encoding="utf-8")
