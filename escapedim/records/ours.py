"""What may be replaced: files that escapedim wrote, known by a mark in them."""

from __future__ import annotations

import os
from pathlib import Path

from escapedim.errors import BadInput
from escapedim.records.regular import open_regular

_LOOKED_AT = 1 << 16  # bytes at the start and at the end of a file, in which its mark stands


def require_ours(path: Path, mark: bytes, option: str, at_start: bool = False) -> None:
    """Let a path pass where nothing is, an empty file, or one with this mark.

    Raises
    ------
    BadInput
        Another file, or none that can be read; `option` is what the user would change.
    """
    if path.is_dir():
        raise BadInput(f"{option} {path} is a folder, expected a file; choose another {option}.")
    try:
        with open_regular(path) as file:
            start = file.read(_LOOKED_AT)
            file.seek(max(file.tell(), os.fstat(file.fileno()).st_size - _LOOKED_AT))
            end = file.read()
    except FileNotFoundError:
        return
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}; choose another {option}.") from None
    if start and not (start.startswith(mark) if at_start else mark in start or mark in end):
        raise BadInput(
            f"{option} {path} is a file that escapedim did not write; choose another {option}, or remove it."
        )
