import errno
import os
import signal
import stat
import subprocess
import sys

import pytest

from escapedim.errors import EscapedimError
from escapedim.records import atomic

WRITER = """
import sys
from pathlib import Path
from escapedim.records.atomic import write_atomic
path = Path(sys.argv[1])
write_atomic(path, b"a" * 200_000)
print("ready", flush=True)
while True:
    for letter in (b"b", b"c"):
        write_atomic(path, letter * 200_000)
"""


def failing(code):
    def fail(*_args, **_kwargs):
        raise OSError(code, os.strerror(code))

    return fail


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_creates_and_replaces(tmp_path):
    path = tmp_path / "lottery.json"
    for content in (b"first", b"", b"second" * 1000):
        atomic.write_atomic(path, content)
        assert path.read_bytes() == content
    assert names(tmp_path) == ["lottery.json"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_mode_honours_umask(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        atomic.write_atomic(tmp_path / "file", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


def test_writes_through_a_link(tmp_path):
    (tmp_path / "disk").mkdir()
    link = tmp_path / "lottery.json"
    link.symlink_to(tmp_path / "disk" / "real.json")
    atomic.write_through(link, b"x")
    assert link.is_symlink()
    assert (tmp_path / "disk" / "real.json").read_bytes() == b"x"
    atomic.write_atomic(link, b"y")  # of our own files none is a link
    assert not link.is_symlink()
    assert (tmp_path / "disk" / "real.json").read_bytes() == b"x"


@pytest.mark.parametrize("call", ["fsync", "replace", "open"])
@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (
            errno.ENOSPC,
            "No space left on device; free space or choose another --out, then repeat the command.",
        ),
        (errno.EIO, "Input/output error; choose another --out, then repeat the command."),
    ],
)
def test_failure_keeps_the_old_content(tmp_path, monkeypatch, call, code, remedy):
    path = tmp_path / "train.json"
    atomic.write_atomic(path, b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, call, failing(code))
        with pytest.raises(EscapedimError) as caught:
            atomic.write_atomic(path, b"new")
    assert str(caught.value) == f"cannot write {path}: {remedy}"
    assert caught.value.exit_code == 1
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["train.json"]


def test_an_interrupt_leaves_nothing_behind(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        atomic.write_atomic(tmp_path / "x", b"x")
    assert names(tmp_path) == []


def test_folders_that_cannot_be_flushed_are_accepted(tmp_path, monkeypatch):
    real = os.fsync

    def fsync(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    atomic.write_atomic(tmp_path / "x", b"x")
    assert (tmp_path / "x").read_bytes() == b"x"


def test_missing_folder_is_one_sentence(tmp_path):
    with pytest.raises(EscapedimError, match=r"cannot write .*: No such file or directory; choose another --out"):
        atomic.write_atomic(tmp_path / "missing" / "x", b"x")


def test_a_killed_writer_leaves_a_whole_file(tmp_path):
    path = tmp_path / "file"
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
        with writer:
            assert writer.stdout.readline() == b"ready\n"
            writer.send_signal(signal.SIGKILL)
        content = path.read_bytes()
        assert len(content) == 200_000
        assert len(set(content)) == 1
    atomic.remove_leftovers(tmp_path)
    assert names(tmp_path) == ["file"]


def test_remove_leftovers(tmp_path):
    checkpoints = tmp_path / "checkpoints"
    (checkpoints / "deeper").mkdir(parents=True)
    kept = [
        tmp_path / "train.json",
        tmp_path / "notes.tmp",
        checkpoints / "a.safetensors",
        tmp_path / ".hidden",
    ]
    kept += [checkpoints / "deeper" / ".x.1.tmp"]
    gone = [tmp_path / ".train.json.12.0a.tmp", checkpoints / ".a.safetensors.12.tmp"]
    for path in kept + gone:
        path.write_bytes(b"x")
    (tmp_path / ".folder.tmp").mkdir()
    atomic.remove_leftovers(tmp_path)
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in gone)


def test_remove_dead_spares_the_living_and_what_has_another_name(tmp_path):
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    named = [f".{name}.{pid}.0123abcd.tmp" for name in ("a.json", "b.json") for pid in (gone.pid, os.getpid())]
    others = ["a.json", f".a.json.{gone.pid}.tmp", f".a.json.{gone.pid}.0123abcd.tmp.txt"]
    for name in named + others:
        (tmp_path / name).write_bytes(b"x")
    atomic.remove_dead(tmp_path, "a.json")
    assert names(tmp_path) == sorted(named[1:] + others)
    atomic.remove_dead(tmp_path)
    assert names(tmp_path) == sorted([named[1], named[3], *others])
    atomic.remove_dead(tmp_path / "absent")


def test_create_never_replaces(tmp_path):
    path = tmp_path / "claim"
    assert atomic.create(path, b"one")
    assert not atomic.create(path, b"two")
    assert path.read_bytes() == b"one"
    assert names(tmp_path) == ["claim"]


def test_create_without_hard_links(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "link", failing(errno.EPERM))
    test_create_never_replaces(tmp_path)


def test_create_recognises_its_own_link(tmp_path, monkeypatch):
    real = os.link

    def answered_twice(source, target):
        real(source, target)
        raise FileExistsError(errno.EEXIST, "File exists")

    monkeypatch.setattr(os, "link", answered_twice)
    assert atomic.create(tmp_path / "claim", b"one")
