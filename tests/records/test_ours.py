import os

import pytest

from escapedim.errors import BadInput
from escapedim.records.ours import Mark

LONG = 1 << 18


@pytest.mark.parametrize("content", [b"", b"a MARK", b"MARK" + bytes(LONG), bytes(LONG) + b"MARK."])
def test_ours_pass(tmp_path, content):
    path = tmp_path / "a"
    path.write_bytes(content)
    Mark("MARK").require(path, "--csv")
    Mark("MARK").require(tmp_path / "nothing", "--csv")


@pytest.mark.parametrize("content", [b"mine", bytes(LONG) + b"MARK" + bytes(LONG)])
def test_others_are_refused(tmp_path, content):
    path = tmp_path / "a"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"--csv .*a is a file that escapedim did not write; choose another --csv, or"):
        Mark("MARK").require(path, "--csv")


def test_a_mark_may_have_to_be_at_the_start(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"MARK,x")
    Mark("MARK", at_start=True).require(path, "--csv")
    path.write_bytes(b"x,MARK")
    with pytest.raises(BadInput):
        Mark("MARK", at_start=True).require(path, "--csv")


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, words in ((tmp_path, "is a folder"), (tmp_path / "pipe", "not a regular file")):
        with pytest.raises(BadInput, match=words):
            Mark("MARK").require(path, "--csv")
