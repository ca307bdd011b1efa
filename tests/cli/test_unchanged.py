"""`nbdataops run` with nothing to do: what it says, and that every change is seen by the very next run."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from nbdataops.build import footprint
from nbdataops.cli import unchanged
from nbdataops.release.gate import Decision
from nbdataops.release.manifest import Manifest
from nbdataops.release.registry import Registry
from nbdataops.store import witness as witness_module
from nbdataops.workspace import Product
from tests.cli.settled import CommandLine, program_files, same_size, without
from tests.conftest import Notebook


def untimed(text: str) -> str:
    return re.sub(r" in \d+ s\n", " in a while\n", text)


def test_it_says_what_a_whole_run_with_nothing_to_do_says(kept: CommandLine) -> None:
    assert kept.again()
    text = kept.said
    assert kept.again("--json")
    shown = kept.shown
    kept.witness.unlink()

    assert kept.run() == set()
    assert untimed(kept.said) == untimed(text)
    kept.run("--json")
    whole = kept.shown

    assert "nothing to do: " in text
    assert without(shown, "run", "seconds") == without(whole, "run", "seconds")
    assert (shown["seconds"], {s["action"] for s in shown["stages"]}) == (0.0, {"reuse"})


def test_after_a_run_that_executed_it_says_what_the_next_run_would_say(settled: CommandLine) -> None:
    Notebook(settled.root / "methods" / "rate.ipynb").replace("lower=LOWER", "lower=LOWER + 1")
    assert settled.run("--json") == {"methods/rate"}
    ran = settled.shown

    assert settled.again("--json")
    again = settled.shown
    settled.run("--json", "--jobs", "1")
    whole = settled.shown

    assert without(again, "run", "seconds") == without(whole, "run", "seconds")
    assert (again["run"], again["candidate"]) == (ran["run"], ran["candidate"])


def test_no_run_is_recorded_and_to_look_does_not_disturb_it(kept: CommandLine) -> None:
    product = Product(kept.root)
    before = product.status().to_dict()
    product.close()

    assert kept.again()
    after = product.status().to_dict()
    product.close()
    product.plan()
    product.close()

    assert after == before
    assert kept.again()


def test_the_report_is_named_as_seen_from_here(kept: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(kept.root)
    assert kept.again(product=Path())
    inside = kept.said.splitlines()[-1]
    monkeypatch.chdir(kept.root / "data")
    assert kept.again(product=Path())
    beside = kept.said.splitlines()[-1]

    assert inside.startswith("Report   .nbdataops/reports/")
    assert (kept.root / inside.split()[1]).is_file()
    assert beside == f"Report   {kept.root / inside.split()[1]}"


# ---------------------------------------------------------------------- every change is seen
Change = Callable[[Path], object]


def edited(name: str, old: str, new: str) -> Change:
    return lambda root: Notebook(root / name).replace(old, new)


def in_place(name: str, old: str, new: str) -> Change:
    return lambda root: same_size(root / name, old, new)


def changed(name: str, old: str, new: str) -> Change:
    def change(root: Path) -> None:
        text = (root / name).read_text()
        assert old in text
        (root / name).write_text(text.replace(old, new))

    return change


def written(name: str, text: str) -> Change:
    def write(root: Path) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)

    return write


def removed(name: str) -> Change:
    return lambda root: (root / name).unlink()


def deleted(pattern: str) -> Change:
    """The newest of such files: by their time, since two runs of one second have names in any order."""

    def change(root: Path) -> None:
        found = (root / ".nbdataops").glob(pattern)
        max(found, key=lambda path: path.stat().st_mtime_ns).unlink()

    return change


def another_method(root: Path) -> None:
    text = (root / "methods" / "average.ipynb").read_text()
    assert 'family=\\"average' in text
    (root / "methods" / "mean.ipynb").write_text(text.replace('family=\\"average', 'family=\\"mean'))


def another_target(root: Path) -> None:
    """The file becomes a link to one of the same size and time: the inode tells."""
    path = root / "data" / "shops" / "one.csv"
    other = root / "data" / "elsewhere.csv"
    other.write_text(path.read_text().replace("1", "2"))
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    path.unlink()
    path.symlink_to(other)


def stored_file(root: Path, table: str) -> Path:
    """A file in which a table of the newest run lies."""
    product = Product(root)
    tables = {name: snapshot for r in product.journal.results() for name, snapshot in r.output.tables}
    tables |= {name: state.snapshot for name, state in product.world().sources.items()}
    product.close()
    return root / ".nbdataops" / tables[table].partitions[0].columns[0].file


OTHER, SAME = True, False
CHANGES: dict[str, list[tuple[str, Change, set[str], bool]]] = {
    "notebooks": [
        ("code", edited("methods/rate.ipynb", "lower=LOWER", "lower=LOWER + 1"), {"methods/rate"}, OTHER),
        (
            "code of the same size",
            in_place("methods/rate.ipynb", "lower=LOWER", "upper=LOWER"),
            {"methods/rate"},
            OTHER,
        ),
        ("markdown", edited("methods/rate.ipynb", "Every customer goes", "Each customer goes"), set(), OTHER),
        ("a new notebook", another_method, {"methods/mean"}, OTHER),
        ("a notebook less", removed("methods/average.ipynb"), set(), OTHER),
    ],
    "modules": [
        ("a module", in_place("lib/bounds.py", "+ 1", "+ 2"), {"methods/rate"}, OTHER),
        ("a module's module", in_place("lib/floor.py", "= 3", "= 4"), {"methods/rate"}, OTHER),
        ("its layout", in_place("lib/floor.py", "LEAST = 4", "LEAST =4 "), set(), SAME),
        (
            "a package in its place",
            written("lib/bounds/__init__.py", "LOWER = 9\n"),
            {"methods/rate"},
            OTHER,
        ),
    ],
    "the declaration": [
        ("a contract", in_place("contracts/orders.odcs.yaml", "minimum: 0", "minimum: 1"), set(), OTHER),
        (
            "a margin",
            changed("dataproduct.yaml", "validation:\n", "validation:\n  margins: {holdout_total: 0.9}\n"),
            set(),
            OTHER,
        ),
        ("a comment", changed("dataproduct.yaml", "metric:\n", "metric:  # one number\n"), set(), SAME),
    ],
    "sources": [
        (
            "rows of an old day",
            changed("data/orders.csv", "amount\n", "amount\n2025-06-02,c001,12.50\n"),
            {"prepare/customers"},
            OTHER,
        ),
        ("values", in_place("data/orders.csv", ",c001,", ",c002,"), {"prepare/customers"}, OTHER),
        ("a file of a pattern", written("data/more/two.csv", "shop,size\nb,2\n"), set(), OTHER),
        ("that file", in_place("data/more/two.csv", "b,2", "b,3"), set(), OTHER),
        ("that file less", removed("data/more/two.csv"), set(), OTHER),
        ("a link to another file", another_target, set(), OTHER),
    ],
    "the store": [
        (
            "a table less",
            lambda root: stored_file(root, "customers").unlink(),
            {"prepare/customers"},
            SAME,
        ),
        (
            "a table cut short",
            lambda root: os.truncate(stored_file(root, "customers"), 60),
            {"prepare/customers"},
            SAME,
        ),
        ("a source less", lambda root: stored_file(root, "orders").unlink(), set(), SAME),
        ("no report", deleted("reports/*/report.html"), set(), SAME),
        ("no report as JSON", deleted("reports/*/report.json"), set(), SAME),
        ("an executed notebook less", deleted("runs/*/notebooks/*.ipynb"), set(), SAME),
        ("no ledger", removed(".nbdataops/ledger.db"), {"prepare/customers"}, SAME),
    ],
}


@pytest.mark.parametrize("where", CHANGES)
def test_a_change_is_seen_by_the_very_next_run(settled: CommandLine, where: str) -> None:
    settled.again("--json")
    for what, change, executed, other in CHANGES[where]:
        before = settled.shown["candidate"]["digest"]

        change(settled.root)

        assert not settled.again(), what
        ran = settled.run("--json")
        assert executed <= ran, what
        assert bool(executed) == bool(ran), (what, ran)
        assert settled.exit_code == 0, what
        assert (settled.shown["candidate"]["digest"] != before) == other, what
        reports = [settled.root / settled.shown[name] for name in ("report", "report_json")]
        assert all(path.is_file() for path in reports), what
        assert settled.again("--json"), what


def test_a_package_that_was_upgraded_in_place_is_seen(
    settled: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "packages"
    record = place / "fakelib-1.0.dist-info" / "METADATA"
    record.parent.mkdir(parents=True)
    record.write_text("Metadata-Version: 2.1\nName: fakelib\nVersion: 1.0\n")
    (record.parent / "top_level.txt").write_text("fakelib\n")
    (place / "fakelib.py").write_text("")
    monkeypatch.setattr(sys, "path", [*sys.path, str(place)])
    assert not settled.again(), "another place to look for packages"
    rate = Notebook(settled.root / "methods" / "rate.ipynb")
    rate.replace("from lib.bounds", "import fakelib\nfrom lib.bounds")
    settled.run()
    assert settled.again()

    same_size(record, "Version: 1.0", "Version: 1.1")

    assert not settled.again()
    assert "methods/rate" in settled.run()
    assert settled.again()
    (place / "other-1.0.dist-info").mkdir()
    assert not settled.again(), "something was installed"


def test_another_version_of_this_program_is_seen(
    settled: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "program"
    program.mkdir()
    (program / "verdicts.py").write_text("LEAST = 0.9\n")
    monkeypatch.setattr(footprint, "_program", program_files)
    monkeypatch.setattr(footprint, "nbdataops", SimpleNamespace(__file__=str(program / "__init__.py")))
    settled.run()
    assert settled.again()

    same_size(program / "verdicts.py", "0.9", "0.8")

    assert not settled.again()


@pytest.mark.parametrize("what", ["version", "executable", "prefix"])
def test_another_python_takes_the_long_way(
    kept: CommandLine, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(sys, what, "another")

    assert not kept.again()


def test_another_store_takes_the_long_way(
    settled: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    monkeypatch.setenv("NBDATAOPS_STORE", str(other))
    assert not settled.again()
    assert settled.run() >= {"methods/rate"}
    assert settled.again()
    monkeypatch.setenv("NBDATAOPS_STORE", str(settled.root / ".nbdataops"))
    assert settled.again()

    (other / "witness").replace(settled.witness)

    assert not settled.again(), "it tells of another store"


def test_a_store_that_is_declared_is_found_and_another_one_is_not_taken_for_it(settled: CommandLine) -> None:
    spec = settled.root / "dataproduct.yaml"
    spec.write_text(spec.read_text() + "store: 'kept here'  # beside the notebooks\n")
    assert settled.run() >= {"methods/rate"}
    assert settled.again()
    assert (settled.root / "kept here" / "witness").is_file()

    spec.write_text(spec.read_text().replace("kept here", ".nbdataops"))

    assert not settled.again()


def test_arguments_that_count_are_those_of_the_last_run(settled: CommandLine) -> None:
    assert settled.again("--jobs", "3")
    assert settled.again("-j3") is False, "forms that are not plain take the long way"
    assert not settled.again("--as-of", "2026-01-04")
    assert not settled.again("-p", "horizon", "13")
    assert not settled.again("--force", "methods/rate")

    settled.run("--as-of", "2026-01-03")

    assert settled.again("--as-of", "2026-01-03")
    assert settled.again("--as-of=2026-01-03", "--json")
    assert not settled.again()


def test_a_forced_run_leaves_no_witness(settled: CommandLine) -> None:
    assert settled.run("--force", "methods/rate") == {"methods/rate"}

    assert not settled.witness.exists()


def test_on_another_day_or_under_a_clock_that_went_back_it_takes_the_long_way(
    kept: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    tomorrow = datetime.combine(now + timedelta(days=1), datetime.min.time(), UTC).timestamp()

    def holds_at(seconds: float) -> bool:
        monkeypatch.setattr(unchanged, "time", SimpleNamespace(time=lambda: seconds))
        return kept.again()

    assert holds_at(now.timestamp() + 1)
    assert holds_at(tomorrow - 1)
    assert not holds_at(tomorrow)
    assert not holds_at(now.timestamp() - 3600)


def test_evidence_that_grows_too_old_ends_the_witness(
    settled: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbdataops.second_look.evidence_expires", lambda *args: datetime.now(UTC))
    settled.run()

    assert settled.witness.is_file()
    assert not settled.again()


# ---------------------------------------------------------------------- runs that end otherwise
def test_a_run_that_failed_leaves_none_and_the_next_good_one_does(settled: CommandLine) -> None:
    rate = settled.root / "methods" / "rate.ipynb"
    good = rate.read_text()
    Notebook(rate).replace("lower=LOWER", "lower=LOWER / 0")
    settled.run()
    assert settled.exit_code == 1
    assert not settled.witness.exists()
    assert not settled.again()

    rate.write_text(good)

    assert not settled.again()
    assert settled.run() == set()
    assert settled.again()


@pytest.mark.parametrize("verb", ["build", "validate"])
def test_whatever_else_writes_into_the_ledger_ends_it(settled: CommandLine, verb: str) -> None:
    product = Product(settled.root)

    getattr(product, verb)()
    product.close()

    assert not settled.witness.exists()
    assert not settled.again()


def test_a_release_ends_it(settled: CommandLine) -> None:
    product = Product(settled.root)
    registry = Registry(product.journal.ledger)
    manifest = Manifest.from_dict(registry.latest()["manifest"])  # type: ignore[index]
    registry.release(manifest, Decision(True, ()), datetime.now(UTC))
    product.close()

    assert not settled.again()
    assert settled.run() == set()
    assert settled.again()


def test_a_run_that_is_under_way_is_not_overlooked(settled: CommandLine) -> None:
    product = Product(settled.root)
    journal = product.journal
    journal.start_run("r1", "my-ltv", datetime.now(UTC))

    assert not settled.again(), "it lies in the log beside the ledger, the ledger itself is as it was"
    product.close()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: data.replace(b"unverified", b"Validated ", 1),
        lambda data: data.replace(b"witness-1", b"witness-2", 1),
        lambda data: b"\x00" * len(data),
        lambda data: b"{}",
    ],
)
def test_a_damaged_witness_is_none(kept: CommandLine, damage: Callable[[bytes], bytes]) -> None:
    data = kept.witness.read_bytes()
    assert damage(data) != data
    kept.witness.write_bytes(damage(data))

    assert not kept.again()


def test_a_witness_that_may_not_be_read_is_none(kept: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(witness_module, "open", refuse, raising=False)
    assert not kept.again()
    monkeypatch.undo()
    kept.witness.unlink()
    kept.witness.mkdir()

    assert not kept.again()


def test_under_a_strict_umask_it_is_its_owners_alone(settled: CommandLine) -> None:
    before = os.umask(0o077)
    try:
        settled.run()
    finally:
        os.umask(before)

    assert settled.witness.stat().st_mode & 0o777 == 0o600
    assert settled.again()


def test_output_that_cannot_be_written_is_said_as_everywhere(
    kept: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def isatty(self) -> bool:
            return False

        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

        def flush(self) -> None: ...

    monkeypatch.setattr(sys, "stdout", Full())

    assert unchanged.say_again(["--product", str(kept.root)]) == 5


def test_colours_are_for_terminals(kept: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept.again()
    assert "\x1b" not in kept.said
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)

    assert kept.again()

    assert "\x1b[1m" in kept.said
