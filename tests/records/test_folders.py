import errno
import json
import os

import pytest

from escapedim.errors import BadInput
from escapedim.records.folders import RunPaths, check_out
from escapedim.records.summary import Label

ID = "0123456789abcdef"

NEW = Label("lottery-0123456789abcdef", "escapedim-runs/lottery-0123456789abcdef")


def existing(tmp_path, *names):
    for name in names:
        (tmp_path / "escapedim-runs" / name).mkdir(parents=True)


@pytest.mark.parametrize(
    ("there", "force", "expected"),
    [
        ([], False, f"lottery-{ID}"),
        ([], True, f"lottery-{ID}"),
        ([f"lottery-{ID}"], False, f"lottery-{ID}"),
        ([f"lottery-{ID}"], True, f"lottery-{ID}-2"),
        ([f"lottery-{ID}", f"lottery-{ID}-2"], False, f"lottery-{ID}-2"),
        ([f"lottery-{ID}", f"lottery-{ID}-2"], True, f"lottery-{ID}-3"),
        ([f"lottery-{ID}-9", f"lottery-{ID}-10"], False, f"lottery-{ID}-10"),
        ([f"lottery-{ID}-10"], True, f"lottery-{ID}-11"),
        ([f"train-{ID}", "lottery-fedcba9876543210-7", f"lottery-{ID}-old"], False, f"lottery-{ID}"),
        ([f"lottery-{ID}", f"lottery-{ID}-02", f"lottery-{ID}-1"], False, f"lottery-{ID}"),
    ],
)
def test_locate(tmp_path, there, force, expected):
    existing(tmp_path, *there)
    paths = RunPaths.locate(tmp_path / "my.json", "lottery", ID, force)
    assert paths.folder == tmp_path / "escapedim-runs" / expected


def test_paths(tmp_path):
    paths = RunPaths.locate(tmp_path / "my.json", "lottery", ID, False)
    folder = tmp_path / "escapedim-runs" / f"lottery-{ID}"
    assert paths.out == tmp_path / "my.json"
    assert paths.summary == folder / "lottery.json"
    assert paths.checkpoints == folder / "checkpoints"
    assert paths.checkpoint("round-3") == folder / "checkpoints" / "round-3.safetensors"
    assert not (tmp_path / "escapedim-runs").exists()


def test_prepare_leaves_empty_folders(tmp_path):
    paths = RunPaths.locate(tmp_path / "new" / "my.json", "train", ID, False)
    paths.prepare()
    paths.prepare()
    assert sorted(path.relative_to(paths.folder).name for path in paths.folder.rglob("*")) == ["checkpoints"]
    assert os.listdir(tmp_path / "new") == ["escapedim-runs"]


@pytest.mark.parametrize("place", ["out", "out/escapedim-runs", f"out/escapedim-runs/train-{ID}"])
def test_prepare_finds_a_file_in_place_of_a_folder(tmp_path, place):
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_text("x")
    with pytest.raises(BadInput, match=r"expected a folder at .*, found a file in its path; choose another --out"):
        RunPaths.locate(tmp_path / "out" / "train.json", "train", ID, False).prepare()


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.ENOSPC])
@pytest.mark.parametrize("blocked", ["out", "checkpoints"])
def test_prepare_tries_to_write(tmp_path, monkeypatch, code, blocked):
    real = os.open

    def refuse(path, flags, *rest, **more):
        if flags & os.O_CREAT and os.path.basename(os.path.dirname(path)) == blocked:
            raise OSError(code, os.strerror(code))
        return real(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(BadInput, match=rf"cannot write in .*{blocked}: {os.strerror(code)}; choose another --out"):
        RunPaths.locate(tmp_path / "out" / "train.json", "train", ID, False).prepare()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"weights",
        b"[]",
        b"{}",
        b'{"schema": 1}',
        b'{"schema": "other/1"}',
        b'{"schema": "escapedim.summary/1"',
        b"\x93NUMPY\x01\x00" + b"\x00" * 10_000,
        b'{"schema": "escapedim.summary/1", "x": \xff}',
    ],
)
def test_check_out_refuses_foreign_files(tmp_path, content):
    out = tmp_path / "out.json"
    out.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        check_out(out, NEW)
    assert str(caught.value) == (
        f"--out {out} exists and is not a complete escapedim summary; choose another --out or remove it."
    )
    assert out.read_bytes() == content


@pytest.mark.parametrize("schema", ["escapedim.summary/1", "escapedim.summary/2"])
def test_check_out_accepts_summaries_of_the_run_and_of_runs_whose_folder_is_here(tmp_path, schema):
    out, folder = tmp_path / "out.json", "escapedim-runs/lottery-fedcba9876543210"
    for name in (folder, NEW.folder):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "lottery.json").write_text("{}")
    document = {"schema": schema, "padding": "x" * 10_000, "kind": "lottery", "id": "0123456789abcdef"}
    document["provenance"] = {"run_folder": NEW.folder}
    other = document | {"id": "fedcba9876543210", "provenance": {"run_folder": folder}}
    for there, said in ((document, ""), (other, f"is the summary of {folder}, where the original stays; that of")):
        text = "\n " + json.dumps(there)
        out.write_text(text)
        assert said in check_out(out, NEW)
        assert out.read_text() == text


def test_check_out_accepts_what_does_not_exist(tmp_path):
    check_out(tmp_path / "out.json", NEW)
    check_out(tmp_path / "missing" / "out.json", NEW)
    assert list(tmp_path.iterdir()) == []


def test_check_out_refuses_folders(tmp_path):
    with pytest.raises(BadInput, match=r"is a folder, expected a file; add a file name such as .*lottery\.json"):
        check_out(tmp_path, NEW)


def test_check_out_refuses_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadInput, match="is not a regular file; choose another --out"):
        check_out(tmp_path / "pipe", NEW)


def test_a_link_into_a_run_folder_is_followed(tmp_path):
    folder = tmp_path / "escapedim-runs" / "lottery-0123456789abcdef"
    folder.mkdir(parents=True)
    (tmp_path / "link").symlink_to(folder)
    (tmp_path / "x.json").symlink_to(folder / "lottery.json")
    for out in (tmp_path / "link" / "new.json", tmp_path / "x.json"):
        with pytest.raises(BadInput, match="is inside a run folder"):
            check_out(out, NEW)


@pytest.mark.parametrize("name", ["lottery.json", "another.json", "checkpoints/x.json"])
def test_nothing_is_written_into_a_run_folder(tmp_path, name):
    with pytest.raises(BadInput, match="is inside a run folder; choose another --out"):
        check_out(tmp_path / "escapedim-runs" / "lottery-0123456789abcdef" / name, NEW)
