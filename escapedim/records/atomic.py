"""The one writer of files: a kill, a full disk or a lost node leaves the old file or the new one.

Everything is written to a temporary file in the same folder and flushed to the disk, before its name
changes. A process killed in between leaves `.NAME.PID.TOKEN.tmp`, which `remove_leftovers` deletes.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from escapedim.errors import EscapedimError
from escapedim.records.holder import process_started

_TEMPORARY = re.compile(r"\.(.+)\.([0-9]+)\.[0-9a-f]{8}\.tmp")
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF, errno.EACCES)


def write_atomic(path: Path, data: bytes, option: str = "--out", require: Callable[[], None] | None = None) -> None:
    """Replace what is at `path`, or create it; readers see all of the old bytes or all of the new ones.

    `option` is what the user would change if the file cannot be written. `require` raises what should keep the old
    content; it is asked when all but the change of names is done.

    Raises
    ------
    EscapedimError
        The file cannot be written; the old content is still there, and nothing else.
    """
    with _explained(path, option), temporary(path, data) as complete:
        if require is not None:
            require()
        os.replace(complete, path)
        _sync_folder(path.parent)


def write_through(path: Path, data: bytes, option: str = "--out", require: Callable[[], None] | None = None) -> None:
    """Do as `write_atomic` for a path that the user named: a symbolic link stays, and what it points to is replaced."""
    # Replacing the link itself would silently move the file to another disk.
    write_atomic(Path(os.path.realpath(path)), data, option, require)


def create(path: Path, data: bytes) -> bool:
    """Create `path` with all of its content at once; False when another process was first.

    Raises
    ------
    EscapedimError
        The file cannot be written.
    """
    with _explained(path, "--out"), temporary(path, data) as complete:
        try:
            os.link(complete, path)
        except FileExistsError:
            # Over NFS a repeated request reports the link that its first try has made.
            return _same_file(complete, path)
        except FileNotFoundError:
            # The folder's new holder has removed our temporary file as a leftover.
            return False
        except OSError:
            return _create_without_link(path, data)
    return True


@contextmanager
def temporary(path: Path, data: bytes) -> Iterator[Path]:
    """Write a flushed temporary file in the folder of `path`, and remove it at the end if it is still there.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    # The token keeps processes of equal pid on two hosts, or in two containers, out of each other's file.
    name = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        _write_new(name, data)
        yield name
    finally:
        with suppress(OSError):
            name.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Delete the temporary files that killed processes left in a run folder and in its subfolders."""
    for pattern in (".*.tmp", "*/.*.tmp"):
        for leftover in folder.glob(pattern):
            with suppress(OSError):
                leftover.unlink()


def remove_dead(folder: Path, name: str | None = None) -> None:
    """Delete what killed processes left of one file, or of all, where others may be writing too.

    A process is judged by its id on this host. One of another host that is just writing finds its file gone, and says
    so: nothing but that moment's work is lost.
    """
    with suppress(OSError):
        for leftover in map(_TEMPORARY.fullmatch, os.listdir(folder)):
            if leftover and name in (None, leftover[1]) and process_started(int(leftover[2])) is None:
                with suppress(OSError):
                    (folder / leftover[0]).unlink()


def _write_new(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _create_without_link(path: Path, data: bytes) -> bool:
    # Some file systems (FAT, some FUSE and SMB mounts) have no hard links; exclusive creation they have.
    try:
        _write_new(path, data)
    except FileExistsError:
        return False
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return True


def _same_file(one: Path, other: Path) -> bool:
    with suppress(OSError):
        return os.path.samefile(one, other)
    return False


def _sync_folder(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return  # a folder that may be written but not listed
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)


@contextmanager
def _explained(path: Path, option: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        remedy = f"{'free space or ' if error.errno in NO_SPACE else ''}choose another {option}"
        reason = error.strerror or str(error)
        raise EscapedimError(f"cannot write {path}: {reason}; {remedy}, then repeat the command.") from error
