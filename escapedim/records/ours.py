"""What may be replaced: files that escapedim wrote, known by a mark in them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from escapedim.errors import BadInput
from escapedim.regular_files import open_regular

_LOOKED_AT = 1 << 16  # bytes at the start and at the end of a file, in which its mark stands


@dataclass(frozen=True)
class Mark:
    """Text by which a kind of file is known as written by escapedim; some have no place for it but the start."""

    text: str
    at_start: bool = False

    def require(self, path: Path, option: str) -> None:
        """Raise unless escapedim may write here: nothing exists, the file is empty, or it bears the mark.

        Raises
        ------
        BadInput
            Another file, or what is no file; `option` is what the user would change.
        """
        if path.is_dir():
            raise BadInput(f"{option} {path} is a folder, expected a file; choose another {option}.")
        try:
            with open_regular(path) as file:
                start = file.read(_LOOKED_AT)
                file.seek(max(file.tell(), os.fstat(file.fileno()).st_size - _LOOKED_AT))
                end = file.read()
        except (FileNotFoundError, NotADirectoryError):
            return  # who makes the folder reports a file in its place
        except OSError as error:
            raise BadInput(f"cannot read {path}: {error.strerror}; choose another {option}.") from None
        mark = self.text.encode()
        if start and not (start.startswith(mark) if self.at_start else mark in start or mark in end):
            raise BadInput(
                f"{option} {path} is a file that escapedim did not write; choose another {option}, or remove it."
            )
