"""One writer a run folder, on file systems whose locks cannot be relied on.

Claims are numbered files, and the highest number holds the folder. The next number is taken by a hard link,
which one process alone can make. A file is deleted only by a process that has seen a higher number, so the
highest number never falls, and a process that creates a lower one too late finds the higher one when it lists
the folder again. Released claims stay as files for the same reason.

A holder on this host (same boot, same pid namespace) is judged by its process; elsewhere by its heartbeat,
the modification time of its claim, against the clock of the file system and not that of a host.
"""

from __future__ import annotations

import errno
import os
import re
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import ValidationError

from escapedim.errors import BadInput, EscapedimError
from escapedim.records import atomic
from escapedim.records.holder import Holder
from escapedim.regular_files import open_regular, read_regular

HEARTBEAT_S = 10.0
STALE_S = 60.0
HELD = " is held by "  # a sweep knows a refusal in a log by it: "run is held by process 7 on node1"
MOST_CLAIM_BYTES = 1 << 16  # ours; a claim has a few hundred

_ATTEMPTS = 100
_DIGITS = 9  # ours: enough for one claim a second over thirty years
_NAME = re.compile(rf"claim-([0-9]{{4,{_DIGITS}}})\.json")


class ClaimLost(EscapedimError):
    """Another process has taken the run folder over; this one must not write there any more."""


class Claim:
    """A held run folder; `acquire` makes one. As a context manager it is released at the end."""

    def __init__(self, path: Path, holder: Holder) -> None:
        self.path = path
        self.holder = holder
        self._stop = threading.Event()
        self._heart = threading.Thread(target=_beat, args=(path, self._stop), name="heartbeat", daemon=True)

    @classmethod
    def acquire(cls, folder: Path) -> Self:
        """Take the folder, or take it over from a holder that is gone.

        Raises
        ------
        BadInput
            Another process (or this one) holds it; says who, and what to do.
        EscapedimError
            The claim cannot be written.
        """
        holder = Holder.this_process()
        for _ in range(_ATTEMPTS):
            top = _highest(folder)
            if top:
                _require_free(_path(folder, top))
            if top == 10**_DIGITS - 1:
                # Nobody gets there honestly, and no number would come after it: whoever put it there holds nothing.
                _path(folder, top).unlink(missing_ok=True)
                continue
            claim = cls(_path(folder, top + 1), holder)
            if atomic.create(claim.path, holder.encode()) and claim._is_highest():
                claim._remove_lower()
                claim._heart.start()
                return claim
        raise EscapedimError(f"cannot claim {folder}: its claim files keep changing; repeat the command.")

    def verify(self) -> None:
        """Check that this process still holds the folder; to be called before anything is written.

        Raises
        ------
        ClaimLost
            The claim has gone, or a higher one is there.
        """
        # Reading the file itself matters: a network file system may answer a listing from its cache.
        if _read(self.path) == self.holder and _highest(self.path.parent) == _number(self.path):
            return
        raise ClaimLost(
            f"this process no longer holds {self.path.parent}: its claim was removed or taken over"
            f"{self._successor()}; it stops without writing."
        )

    def release(self) -> None:
        """Stop the heartbeat and mark the claim as released; does nothing when it was lost."""
        self._stop.set()
        if self._heart.is_alive():
            self._heart.join(timeout=HEARTBEAT_S)
        # A mark that cannot be written is as good as a crash: this process ends, and its claim is stale then.
        with suppress(EscapedimError):
            self.verify()
            atomic.write_atomic(self.path, self.holder.model_copy(update={"released": True}).encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _is_highest(self) -> bool:
        if _highest(self.path.parent) <= _number(self.path):
            return True
        with suppress(OSError):
            self.path.unlink()
        return False

    def _remove_lower(self) -> None:
        for number in _numbers(self.path.parent):
            if number < _number(self.path):
                with suppress(OSError):
                    _path(self.path.parent, number).unlink()

    def _successor(self) -> str:
        holder = _read(_path(self.path.parent, _highest(self.path.parent)))
        if holder is None or holder.token == self.holder.token:
            return ""
        return f" by process {holder.pid} on {holder.host}"


def heartbeat_age_s(path: Path) -> float | None:
    """Return the seconds since the claim's last heartbeat by its file system's clock; None when it has gone.

    Raises
    ------
    EscapedimError
        The folder cannot be written, so that its clock cannot be read.
    """
    beat = _last_heartbeat(path)
    return None if beat is None else _file_system_time(path.parent) - beat


def holder_of(folder: Path) -> tuple[str, float] | None:
    """Return who holds a folder and the age of the last heartbeat in seconds; None if nobody does. Nothing is written.

    The age is by this host's clock, since reading must not touch the file system's.
    """
    top = _highest(folder)
    if not top:
        return None
    holder, beat = _read(_path(folder, top)), _last_heartbeat(_path(folder, top))
    if beat is None or (holder is not None and holder.released):
        return None
    age_s = time.time() - beat
    if not _is_held(holder, age_s):
        return None
    age_s = max(0.0, age_s)
    if holder is None:
        return "an unreadable claim", age_s
    job = f", Slurm job {holder.slurm.name}" if holder.slurm else ""
    return f"process {holder.pid} on {holder.host}{job}", age_s


def _require_free(path: Path) -> None:
    holder = _read(path)
    if holder is not None and holder.released:
        return
    age_s = heartbeat_age_s(path)
    if age_s is None:
        return  # a higher claim exists then, and the listing after our own creation will show it
    if _is_held(holder, age_s):
        raise BadInput(_refusal(path, holder, age_s))


def _is_held(holder: Holder | None, age_s: float) -> bool:
    if holder is not None and holder.on_this_host():
        return holder.is_running()
    # Nor from the future: a clock was set back, and a living holder's next heartbeat would be by the new time.
    return abs(age_s) <= STALE_S


def _refusal(path: Path, holder: Holder | None, age_s: float) -> str:
    beat = f"last heartbeat {max(age_s, 0.0):.0f} s ago"
    elsewhere = f"from another host it is taken over {STALE_S:.0f} s after its last heartbeat"
    if holder is None:
        return f"{path.parent}{HELD}the unreadable claim {path.name} ({beat}); wait: {elsewhere}."
    job = f"Slurm job {holder.slurm.name}, " if holder.slurm else ""
    stop = f"scancel {holder.slurm.name}" if holder.slurm else f"kill {holder.pid}"
    return (
        f"{path.parent}{HELD}process {holder.pid} on {holder.host} "
        f"({job}since {holder.started}, {beat}); "
        f"wait for it, or stop it ('{stop}'), then repeat the command; {elsewhere}."
    )


def _beat(path: Path, stop: threading.Event) -> None:
    while not stop.wait(HEARTBEAT_S):
        try:
            # Without times, so that a network file system stamps its own clock.
            os.utime(path)
        except FileNotFoundError:
            return
        except OSError:
            continue


def _read(path: Path) -> Holder | None:
    try:
        return Holder.model_validate_json(read_regular(path, MOST_CLAIM_BYTES))
    except (OSError, ValidationError):
        return None


def _numbers(folder: Path) -> list[int]:
    try:
        names = os.listdir(folder)
    except OSError as error:
        raise EscapedimError(f"cannot list {folder}: {error.strerror}; choose another --out.") from None
    return [int(match[1]) for match in map(_NAME.fullmatch, names) if match]


def _highest(folder: Path) -> int:
    return max(_numbers(folder), default=0)


def _number(path: Path) -> int:
    match = _NAME.fullmatch(path.name)
    return int(match[1]) if match else 0


def _path(folder: Path, number: int) -> Path:
    return folder / f"claim-{number:04d}.json"


def _last_heartbeat(path: Path) -> float | None:
    # Opening makes NFS ask the server; a bare stat may answer from a cache as old as a stale claim.
    with suppress(OSError), open_regular(path) as file:
        return os.fstat(file.fileno()).st_mtime
    try:
        return path.stat().st_mtime
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ESTALE):
            return None
        raise EscapedimError(f"cannot read {path}: {error.strerror}; choose another --out.") from None


def _file_system_time(folder: Path) -> float:
    try:
        return _time_of_a_new_file(folder)
    except FileNotFoundError:
        # The holder may just have removed it as a leftover.
        with suppress(OSError):
            return _time_of_a_new_file(folder)
        raise EscapedimError(f"cannot write in {folder}; choose another --out.") from None
    except OSError as error:
        raise EscapedimError(f"cannot write in {folder}: {error.strerror}; choose another --out.") from None


def _time_of_a_new_file(folder: Path) -> float:
    with atomic.temporary(folder / "clock", b"") as clock:
        os.utime(clock)
        return clock.stat().st_mtime
