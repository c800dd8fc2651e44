"""Files in a folder of a user's: what was written here is known, whatever else is there."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

import pytest

from escapedim.errors import BadInput
from escapedim.records.ledger import LEDGER, Ledger, hash_of


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    found = Ledger(tmp_path, "--csv")
    found.write({"a.csv": b"1", "b.csv": b"2"})
    return found


def test_own_files_are_replaced(ledger, tmp_path):
    ledger.require_ours(["a.csv", "b.csv", "new.csv"])
    ledger.write({"a.csv": b"3"})
    assert ((tmp_path / "a.csv").read_bytes(), (tmp_path / "b.csv").read_bytes()) == (b"3", b"2")
    ledger.require_ours(["a.csv", "b.csv"])


def refused(ledger: Ledger, *names: str) -> bool:
    with suppress(BadInput):
        ledger.require_ours(names)
        return False
    return True


def test_a_file_that_was_changed_since_is_the_users(ledger, tmp_path):
    (tmp_path / "a.csv").write_bytes(b"1, and a remark")
    with pytest.raises(
        BadInput, match=r"--csv .*a\.csv is a file that escapedim did not write, or that was changed sin"
    ):
        ledger.require_ours(["a.csv"])
    assert refused(ledger, "b.csv", "a.csv")
    assert not refused(ledger, "b.csv")


@pytest.mark.parametrize(
    "kind", ["file", "pipe", "folder", "link to nothing", "link to itself", "link to mine", "secret"]
)
def test_what_else_is_there_is_refused(ledger, tmp_path, kind, monkeypatch):
    path = tmp_path / "c.csv"
    if kind == "file":
        path.write_bytes(b"")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "secret":  # root may read everything
        path.write_bytes(b"mine")
        monkeypatch.setattr(
            "escapedim.records.ledger.read_regular", lambda path: (_ for _ in ()).throw(PermissionError)
        )
    else:
        (tmp_path / "mine").write_bytes(b"mine")
        path.symlink_to({"nothing": "nowhere", "itself": path, "mine": tmp_path / "mine"}[kind.rpartition(" ")[2]])
    assert refused(ledger, "c.csv")


def test_what_would_be_written_anyway_may_be_there(ledger, tmp_path):
    (tmp_path / "c.csv").write_bytes(b"3")
    ledger.require_ours(["c.csv"], {"c.csv": [hashlib.sha256(b"3").hexdigest()]})


def test_what_is_no_longer_wanted_is_removed_where_it_is_ours(ledger, tmp_path):
    (tmp_path / "b.csv").write_bytes(b"changed")
    (tmp_path / "c.csv").write_bytes(b"mine")
    ledger.write({"d.csv": b"4"}, obsolete=["a.csv", "b.csv", "c.csv"])
    assert sorted(path.name for path in tmp_path.iterdir()) == [LEDGER, "b.csv", "c.csv", "d.csv"]
    assert set(ledger.recorded()) == {"d.csv"}


@pytest.mark.parametrize("at", range(5))
def test_a_kill_between_any_two_writes_leaves_what_is_known(ledger, tmp_path, monkeypatch, at):
    writes, replace = iter(range(99)), os.replace

    def killed(*names: str) -> None:
        if next(writes) == at:
            raise KeyboardInterrupt
        replace(*names)

    monkeypatch.setattr(os, "replace", killed)
    new = {"a.csv": b"3", "c.csv": b"4"}
    try:
        ledger.write(new)
    except KeyboardInterrupt:
        assert at < 4
    monkeypatch.undo()
    ledger.require_ours(new)
    ledger.write(new)
    assert (tmp_path / "a.csv").read_bytes() == b"3"


@pytest.mark.parametrize("damage", [b"{", b'{"a.csv": 3}', b'{"../x": ["0"]}', b"[" * 9999, b"\0"])
def test_a_damaged_record_is_as_good_as_none(ledger, tmp_path, damage):
    (tmp_path / LEDGER).write_bytes(damage)
    assert ledger.recorded() == {}
    assert refused(ledger, "a.csv")
    ledger.write({"d.csv": b"4"})
    assert set(ledger.recorded()) == {"d.csv"}


def test_a_hash_is_that_of_a_file(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    assert hash_of(tmp_path / "a") == hashlib.sha256(b"1").hexdigest()
    assert hash_of(tmp_path) is hash_of(tmp_path / "none") is None
