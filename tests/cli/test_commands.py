"""The command line from outside: what goes to stdout, what to stderr, and the exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def nbdataops(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nbdataops", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False, timeout=120)


def error_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    shown = json.loads(done.stdout)
    assert shown["ok"] is False
    assert set(shown["error"]) == {"code", "what", "where", "todo", "detail"}
    return shown["error"]  # type: ignore[no-any-return]


def test_an_unknown_verb_suggests_the_nearest(tmp_path: Path) -> None:
    done = nbdataops("biuld", cwd=tmp_path)

    assert done.returncode == 2
    assert "did you mean 'build'?" in done.stderr


def test_no_product_here_is_usage_and_says_what_to_do(tmp_path: Path) -> None:
    done = nbdataops("plan", "--json", cwd=tmp_path)

    assert done.returncode == 2
    assert "nbdataops init" in error_of(done)["todo"]


def test_an_unknown_option_is_usage_in_json_too(tmp_path: Path) -> None:
    done = nbdataops("plan", "--json", "--colour", cwd=tmp_path)

    assert done.returncode == 2
    assert error_of(done)["code"] == "usage"


def test_init_copies_a_product_that_plans_and_refuses_a_folder_that_is_not_empty(tmp_path: Path) -> None:
    made = nbdataops("init", "mine", "--json", cwd=tmp_path)
    again = nbdataops("init", "mine", cwd=tmp_path)

    assert made.returncode == 0
    assert "dataproduct.yaml" in json.loads(made.stdout)["files"]
    assert again.returncode == 2
    assert "not empty" in again.stderr

    plan = nbdataops("plan", "--json", cwd=tmp_path / "mine" / "methods")
    assert plan.returncode == 0
    shown = json.loads(plan.stdout)
    assert {s["action"] for s in shown["stages"]} == {"run", "reuse"}
    assert all({"stage", "action", "reasons", "seconds"} <= set(s) for s in shown["stages"])


def test_init_of_an_unknown_reference_names_what_there_is(tmp_path: Path) -> None:
    done = nbdataops("init", "mine", "--from", "cdnov", cwd=tmp_path)

    assert done.returncode == 2
    assert "did you mean 'cdnow'?" in done.stderr


def test_status_before_any_run_says_how_to_start(blank: Path) -> None:
    done = nbdataops("status", cwd=blank)

    assert done.returncode == 0
    assert "nbdataops run" in done.stdout


def test_release_before_any_run_refuses(blank: Path) -> None:
    done = nbdataops("release", "--json", cwd=blank)

    assert done.returncode == 3
    assert error_of(done)["code"] == "refused"


def test_report_of_what_is_not_built_is_usage(blank: Path) -> None:
    done = nbdataops("report", cwd=blank)

    assert done.returncode == 2
    assert "nbdataops run" in done.stderr


def test_doctor_is_well_on_a_sound_product_and_names_what_is_broken(blank: Path) -> None:
    well = nbdataops("doctor", "--json", cwd=blank)
    (blank / "dataproduct.yaml").write_text("product: x\nmetrik: {}\n")
    broken = nbdataops("doctor", cwd=blank)

    assert well.returncode == 0
    assert json.loads(well.stdout)["ok"] is True
    assert broken.returncode == 2
    assert "did you mean 'metric'?" in broken.stdout


def test_a_broken_notebook_is_named_with_cell_and_line(blank: Path) -> None:
    (blank / "methods" / "rate.ipynb").write_text("{not json")

    done = nbdataops("plan", "--json", cwd=blank)

    assert done.returncode == 2
    assert error_of(done)["where"]["file"] == "methods/rate.ipynb"


def test_an_unknown_parameter_suggests_the_nearest(blank: Path) -> None:
    done = nbdataops("plan", "-p", "horizont", "13", cwd=blank)

    assert done.returncode == 2
    assert "horizon" in done.stderr


@pytest.mark.parametrize("bad", ["import os; x", "class", "a b", "__builtins__"])
def test_a_malicious_parameter_name_is_refused(blank: Path, bad: str) -> None:
    done = nbdataops("plan", "-p", bad, "1", cwd=blank)

    assert done.returncode == 2


def test_a_bad_date_is_usage(blank: Path) -> None:
    done = nbdataops("plan", "--as-of", "1997-13-01", cwd=blank)

    assert done.returncode == 2
    assert "not a date" in done.stderr


def test_an_as_of_beyond_the_data_is_refused_with_what_would_do(blank: Path) -> None:
    done = nbdataops("plan", "--as-of", "2030-01-01", cwd=blank)

    assert done.returncode == 3
    assert "--as-of 2026-01-04" in done.stderr


@pytest.mark.kernel
def test_run_json_is_one_documented_object_and_the_second_run_executes_nothing(blank: Path) -> None:
    first, second = nbdataops("run", "--json", cwd=blank), nbdataops("run", "--json", cwd=blank)
    released = nbdataops("release", "--json", cwd=blank)
    validated = nbdataops("validate", "--json", cwd=blank)
    report = nbdataops("report", "--json", cwd=blank)
    status = nbdataops("status", "--json", cwd=blank)

    assert first.returncode == 0, first.stderr
    one, two = json.loads(first.stdout), json.loads(second.stdout)
    assert set(one) == {
        "run", "product", "as_of", "seconds", "stages", "study", "candidate", "report", "report_json", "notebooks",
    }  # fmt: skip
    assert {s["action"] for s in one["stages"]} == {"run", "reuse"}
    assert {s["action"] for s in two["stages"]} == {"reuse"}
    assert {"kind", "subject", "against", "verdict", "estimate", "lower", "upper"} <= set(
        one["study"]["evidence"][0]
    )
    assert one["study"]["label"] == "unverified"
    assert one["candidate"]["decision"] == "refused"
    assert one["candidate"]["reasons"]
    assert two["candidate"]["digest"] == one["candidate"]["digest"]
    assert two["run"] == one["run"], "a run with nothing to do is none"
    assert (blank / one["report"]).is_file()
    assert (blank / one["report_json"]).is_file()
    assert all((blank / path).is_file() for path in one["notebooks"].values())
    assert (released.returncode, json.loads(released.stdout)["decision"]) == (3, "refused")
    assert validated.returncode == 3
    assert report.returncode == 0
    assert Path(json.loads(report.stdout)["report"]).is_file()
    assert [r["state"] for r in json.loads(status.stdout)["runs"]] == ["succeeded"] * 2
