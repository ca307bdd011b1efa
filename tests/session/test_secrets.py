from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from nbdataops.errors import UsageError
from nbdataops.session.secrets import resolve_secret
from tests.session.desk import Desk, answer

VALUE = "hunter2-very-secret"


def test_the_environment_comes_before_the_file_and_the_file_before_the_keyring(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        sys.modules, "keyring", SimpleNamespace(get_password=lambda service, name: f"{service}/{name}")
    )
    desk.assign(secrets={"dsn": {"env": "THE_DSN", "file": "dsn.txt", "keyring": "shop"}})

    assert desk.value('stage.secret("dsn")') == "shop/dsn"
    (desk.folder / "dsn.txt").write_text("from the file\n")
    assert desk.value('stage.secret("dsn")') == "from the file"
    monkeypatch.setenv("THE_DSN", "from the environment")
    assert desk.value('stage.secret("dsn")') == "from the environment"


def test_a_secret_without_a_value_names_what_was_tried(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    monkeypatch.delenv("THE_DSN", raising=False)
    desk.assign(secrets={"dsn": {"env": "THE_DSN", "file": "none.txt", "keyring": "shop"}})

    with pytest.raises(UsageError) as caught:
        desk.value('stage.secret("dsn")')
    for part in (
        "environment variable THE_DSN",
        "none.txt",
        "keyring shop (the package keyring is not installed)",
    ):
        assert part in str(caught.value)


def test_a_secret_that_is_not_declared_is_told_how(desk: Desk) -> None:
    desk.assign(secrets={"dsn": {"env": "THE_DSN"}})

    with pytest.raises(UsageError, match=r"no secret named 'dns' is declared\n  did you mean 'dsn'\?"):
        desk.value('stage.secret("dns")')


def test_a_value_is_neither_shown_by_a_cell_nor_deposited(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THE_DSN", VALUE)
    desk.assign(secrets={"dsn": {"env": "THE_DSN"}})

    made = desk.cell(
        'dsn = stage.secret("dsn")\nstage.read("rfm")\nstage.estimate(a, family="x")', a=answer()
    )

    assert made["dsn"] == VALUE
    assert f"{made['dsn']}" == VALUE
    assert repr(made["dsn"]) == "'***'"
    files = [p for p in desk.folder.rglob("*") if p.is_file()]
    assert files
    assert not [p for p in files if VALUE.encode() in p.read_bytes()]


def test_a_runner_finds_the_same_value_to_redact(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_DSN", VALUE)
    (desk.folder / "token").write_text("abc\r\n")

    assert resolve_secret("dsn", {"dsn": {"env": "THE_DSN"}}) == VALUE
    assert resolve_secret("token", {"token": {"file": "token"}}, desk.folder) == "abc"
    assert resolve_secret("none", {}) is None
    assert resolve_secret("gone", {"gone": {"file": "gone"}}, desk.folder) is None


def test_a_keyring_that_fails_is_no_value(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(service: str, name: str) -> str:
        raise RuntimeError("locked: " + VALUE)

    monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_password=locked))
    desk.assign(secrets={"dsn": {"keyring": "shop"}})

    with pytest.raises(UsageError, match=r"keyring shop \(RuntimeError\)") as caught:
        desk.value('stage.secret("dsn")')
    assert VALUE not in str(caught.value)
