"""From summaries to files: every target is checked before anything is drawn, and each file replaced at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from escapedim.errors import BadInput
from escapedim.records.atomic import write_atomic
from escapedim.records.summary import Summary
from escapedim.reporting import numbers
from escapedim.reporting.export import csv_files, html, markdown
from escapedim.reporting.export.document import Picture, chapters
from escapedim.reporting.material import Material, of_files

CAPTIONS = "captions.md"
_LOOKED_AT = 4096  # Bytes at the start of a file in which its mark stands.


@dataclass(frozen=True)
class Targets:
    """Where a report goes: folders of figures and CSV, files of HTML and Markdown; None is not written."""

    figures: Path | None = None
    html: Path | None = None
    markdown: Path | None = None
    csv: Path | None = None

    def any(self) -> bool:
        """Say whether anything is to be written."""
        return any(path is not None for path in (self.figures, self.html, self.markdown, self.csv))


def export(summaries: Iterable[tuple[Path, Summary]], targets: Targets, say: Callable[[str], None]) -> None:
    """Write what is asked for, and say what was written and what could not be drawn.

    Raises
    ------
    BadInput
        A target is something else: a file that escapedim did not write, a folder where a file belongs or the reverse.
    """
    _check(targets)
    materials = of_files(summaries)
    pictures = _drawn(materials, targets, say) if targets.figures or targets.html else []
    if targets.html is not None:
        _write(targets.html, html.page(chapters(materials, pictures)), "--html", say)
    if targets.markdown is not None:
        links = _links(pictures, targets) if targets.figures else {}
        _write(targets.markdown, markdown.page(chapters(materials, pictures), links), "--markdown", say)
    if targets.csv is not None:
        tables = csv_files.files(materials)
        for name, data in tables.items():
            write_atomic(targets.csv / name, data, "--csv")
        say(f"wrote {numbers.counted(len(tables), 'table')} in {targets.csv}")


def _check(targets: Targets) -> None:
    files = [("--html", targets.html, html.MARK), ("--markdown", targets.markdown, markdown.MARK)]
    captions = None if targets.figures is None else targets.figures / CAPTIONS
    for option, path, mark in (*files, ("--figures", captions, markdown.MARK)):
        if path is not None:
            _check_file(option, path, mark)
    if targets.html and targets.markdown and _same(targets.html, targets.markdown):
        raise BadInput(f"--html and --markdown are both {targets.html}; name two files.")
    for option, folder in (("--figures", targets.figures), ("--csv", targets.csv)):
        if folder is not None:
            _make_folder(option, folder)
    for option, path, _ in files:
        if path is not None:
            _make_folder(option, path.parent)


def _check_file(option: str, path: Path, mark: str) -> None:
    if path.is_dir():
        raise BadInput(f"{option} {path} is a folder; name a file in it.")
    if not path.exists():
        return
    try:
        with path.open("rb") as file:
            start = file.read(_LOOKED_AT)
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}; name another file with {option}.") from None
    if start and mark.encode() not in start:
        raise BadInput(f"{option} {path} is a file that escapedim did not write; name another one, or remove it.")


def _make_folder(option: str, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "a file is in its place" if folder.is_file() else error.strerror
        raise BadInput(f"cannot make the folder {folder}: {reason}; name another one with {option}.") from None


def _same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _drawn(materials: Sequence[Material], targets: Targets, say: Callable[[str], None]) -> list[Picture]:
    from escapedim.figures.draw import figures, skipped
    from escapedim.figures.style import FORMATS, saved

    pictures = []
    forms = FORMATS if targets.figures is not None else ("svg",)
    for drawn in figures(materials):
        files = {form: saved(drawn.figure, form, drawn.caption) for form in forms}
        pictures.append(Picture(drawn.name, drawn.title, drawn.caption, drawn.source, files))
        if targets.figures is not None:
            for form, data in files.items():
                write_atomic(targets.figures / f"{drawn.name}.{form}", data, "--figures")
            say(f"wrote {targets.figures / drawn.name}.{{{','.join(forms)}}}")
    if targets.figures is not None and pictures:
        _write(targets.figures / CAPTIONS, markdown.captions(pictures), "--figures", say)
    for one in skipped(materials):
        say(f"skipped {one.figure}: {one.reason}")
    return pictures


def _links(pictures: Sequence[Picture], targets: Targets) -> dict[str, str]:
    assert targets.figures is not None
    assert targets.markdown is not None
    folder = Path(os.path.relpath(targets.figures.resolve(), targets.markdown.resolve().parent))
    return {picture.name: (folder / f"{picture.name}.png").as_posix() for picture in pictures}


def _write(path: Path, text: str, option: str, say: Callable[[str], None]) -> None:
    # A path of a summary's configuration may hold bytes that are no text.
    write_atomic(path, text.encode(errors="backslashreplace"), option)
    say(f"wrote {path}")
