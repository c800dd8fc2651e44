"""Files that are none: each is told at once, whatever would happen if it were opened."""

import errno
import os
import socket

import pytest

from escapedim.regular_files import open_appending, open_regular, read_regular


@pytest.fixture
def pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def test_a_file_is_read_whole_or_refused(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    (tmp_path / "link").symlink_to(path)
    assert read_regular(path) == read_regular(path, 5) == read_regular(tmp_path / "link") == b"12345"
    with pytest.raises(OSError, match="larger than 4 bytes") as told:
        read_regular(path, 4)
    assert told.value.errno == errno.EFBIG


def test_a_pipe_a_device_a_socket_and_a_folder_are_not_waited_for(tmp_path, pipe):
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        for path in (pipe, tmp_path / "socket", tmp_path, "/dev/zero", "/dev/null"):
            with pytest.raises(OSError, match="not a regular file"):
                open_regular(path)


def test_what_takes_the_place_of_a_file_meanwhile_is_refused_too(tmp_path, pipe, monkeypatch):
    (tmp_path / "a").write_bytes(b"1")
    looked_at = os.stat(tmp_path / "a")
    monkeypatch.setattr(os, "stat", lambda path: looked_at)
    with pytest.raises(OSError, match="not a regular file"):
        open_regular(pipe)


def test_what_can_be_no_path_is_not_there():
    for path in ("a\0b", "nowhere"):
        with pytest.raises(FileNotFoundError):
            open_regular(path)


def test_a_log_goes_on_at_its_end_and_is_no_pipe(tmp_path, pipe):
    for text in (b"1", b"2"):
        with open_appending(tmp_path / "log") as file:
            file.write(text)
    assert (tmp_path / "log").read_bytes() == b"12"
    with pytest.raises(OSError, match="No such device"):
        open_appending(pipe)
