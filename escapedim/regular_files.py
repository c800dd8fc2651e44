"""Opens regular files only: reading a pipe would wait for ever, and a device may never end."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path
from typing import BinaryIO

_PIECE = 2**20


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading.

    Raises
    ------
    OSError
        It cannot be opened, or is something else: a folder, a pipe, a socket, a device.
    """
    try:
        _check(path, os.stat(path).st_mode)  # before it is opened: to open a device may have effects
        # Something else may be in its place by now; without O_NONBLOCK a pipe would wait for somebody who writes.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError:  # a NUL byte in the path
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from None
    try:
        _check(path, os.fstat(descriptor).st_mode)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path, most: int | None = None) -> bytes:
    """Return the bytes of a regular file of at most `most` bytes; errors as in `open_regular`, and EFBIG."""
    with open_regular(path) as file:
        return read_rest(file, path, most)


def read_rest(file: BinaryIO, path: Path, most: int | None = None) -> bytes:
    """Return what is left of an open file of `open_regular`; errors as in `read_regular`."""
    parts: list[bytes] = []
    left = sys.maxsize if most is None else most + 1
    while left:
        # In pieces, because to ask for `left` bytes would take as much memory at once.
        part: bytes | None = file.read(min(left, _PIECE))
        if part is None:  # some files of the kernel's make readers wait
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if not part:
            return b"".join(parts)
        parts.append(part)
        left -= len(part)
    raise OSError(errno.EFBIG, f"larger than {most:,} bytes", str(path))


def open_appending(path: Path) -> BinaryIO:
    """Open a regular file for writing at its end, or make one; errors as in `open_regular`, and for a link."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o666)
    try:
        _check(path, os.fstat(descriptor).st_mode)
        return os.fdopen(descriptor, "ab")
    except BaseException:
        os.close(descriptor)
        raise


def _check(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
