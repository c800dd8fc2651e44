"""What may be replaced at a path that the user named: a file that begins as those do which escapedim writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from escapedim.errors import BadInput
from escapedim.regular_files import open_regular


@dataclass(frozen=True)
class Mark:
    """Text with which a kind of file begins, by which it is known as written by escapedim."""

    text: str

    def require(self, path: Path, option: str) -> None:
        """Raise unless escapedim may write here: nothing exists, the file is empty, or it bears the mark.

        Raises
        ------
        BadInput
            Another file, or what is no file; `option` is what the user would change.
        """
        mark = self.text.encode()
        try:
            if path.is_dir():
                raise BadInput(f"{option} {path} is a folder, expected a file; choose another {option}.")
            with open_regular(path) as file:
                start = file.read(len(mark))
        except (FileNotFoundError, NotADirectoryError):
            return  # who makes the folder reports a file in its place
        except OSError as error:
            raise BadInput(f"cannot read {path}: {error.strerror}; choose another {option}.") from None
        if start and start != mark:
            raise BadInput(
                f"{option} {path} is a file that escapedim did not write; choose another {option}, or remove it."
            )
