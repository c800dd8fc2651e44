import os

import pytest

from escapedim.errors import BadInput
from escapedim.records.ours import Mark

MARK = Mark("<!-- mark -->")


@pytest.mark.parametrize("content", [b"", b"<!-- mark -->", b"<!-- mark -->\nand more"])
def test_ours_pass(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    MARK.require(tmp_path / "a", "--html")
    MARK.require(tmp_path / "nothing", "--html")
    MARK.require(tmp_path / "a" / "in a file", "--html")  # who makes the folder says so


@pytest.mark.parametrize("content", [b"mine", b"mine, which quotes <!-- mark -->", b"<!-- mark"])
def test_others_are_refused(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(BadInput, match=r"--html .*a is a file that escapedim did not write; choose another --html, or"):
        MARK.require(tmp_path / "a", "--html")


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, words in ((tmp_path, "is a folder"), (tmp_path / "pipe", "not a regular file")):
        with pytest.raises(BadInput, match=words):
            MARK.require(path, "--html")
