"""A candidate pins everything by content; the gate is asked in earnest by `release`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nbdataops.errors import ExitCode, RefusedError
from nbdataops.workspace import Options, Product
from tests.conftest import Notebook

Open = Callable[[], Product]


def test_a_rebuild_of_the_same_is_the_same_candidate(opened: Open) -> None:
    first = opened().run().candidate

    again = opened().run(Options(force=frozenset({"methods/rate", "prepare/customers"}))).candidate

    assert again.digest == first.digest
    assert again.receipts["run"] != first.receipts["run"]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("methods/rate.ipynb", "lower=4", "lower=5"),
        ("data/orders.csv", "c001", "c001x"),
        ("dataproduct.yaml", "seed: 0", "seed: 1"),
        ("contracts/orders.odcs.yaml", "version: 1.0.0", "version: 1.0.1"),
    ],
)
def test_whatever_the_number_depends_on_changes_the_digest(
    opened: Open, blank: Path, file: str, old: str, new: str
) -> None:
    spec = blank / "dataproduct.yaml"
    spec.write_text(spec.read_text().replace("  replicates: 20", "  replicates: 20\n  seed: 0"))
    before = opened().run().candidate.digest
    path = blank / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))

    assert opened().run().candidate.digest != before


def test_the_manifest_pins_files_by_sha256_and_names_no_entity(opened: Open) -> None:
    manifest = opened().run().candidate.to_dict()

    pins = manifest["content"]["sources"]["orders"]["columns"]
    assert all(len(sha) == 64 for columns in pins.values() for sha in columns.values())
    assert "c001" not in str(manifest)


def test_release_without_a_run_refuses(opened: Open) -> None:
    with pytest.raises(RefusedError, match="no candidate"):
        opened().release()


def test_release_of_an_unverified_candidate_is_refused_with_reasons(opened: Open) -> None:
    opened().run()

    released = opened().release()

    assert released.exit_code is ExitCode.REFUSED
    assert released.number is None
    assert "the label is unverified, and the policy requires corroborated" in released.decision.reasons


def test_evidence_is_stale_once_anything_changed_after_the_run(opened: Open, blank: Path) -> None:
    opened().run()
    Notebook(blank / "methods" / "rate.ipynb").replace("lower=4", "lower=5")

    released = opened().release()

    assert released.exit_code is ExitCode.REFUSED
    assert any("stale" in reason and "methods/rate" in reason for reason in released.decision.reasons)


def test_an_accepted_candidate_becomes_a_release_and_keeps_its_number(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nbdataops import verbs
    from nbdataops.release.gate import Decision

    opened().run()
    monkeypatch.setattr(verbs, "decide", lambda *args, **kwargs: Decision(True, ()))

    one, two = opened().release(), opened().release()

    assert (one.number, two.number) == (1, 1)
    assert one.exit_code is ExitCode.OK
