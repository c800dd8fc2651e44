"""From summaries to files: every target is checked before anything is drawn, and each file replaced at once."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from escapedim.errors import BadInput
from escapedim.figures.draw import PlannedFigure, figures, skipped
from escapedim.figures.style import FORMATS, saved
from escapedim.records.atomic import write_through
from escapedim.records.ledger import Ledger
from escapedim.records.summary import Summary
from escapedim.reporting import numbers
from escapedim.reporting.export import csv_files, html, markdown
from escapedim.reporting.export.document import Picture, chapters
from escapedim.reporting.material import of_files

CAPTIONS = "captions.md"


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

    @property
    def drawn(self) -> bool:
        """Whether figures are drawn: as files, or inside a page."""
        return self.figures is not None or self.html is not None


def export(summaries: Iterable[tuple[Path, Summary]], targets: Targets, say: Callable[[str], None]) -> None:
    """Write what is asked for, and say what was written and what could not be drawn.

    A file is replaced only where escapedim wrote it. That is looked at for all files before the first is written.

    Raises
    ------
    BadInput
        A target is something else: a file that escapedim did not write, a folder where a file belongs or the reverse.
    """
    materials = of_files(summaries)
    planned = list(figures(materials)) if targets.drawn else []
    tables = csv_files.files(materials) if targets.csv is not None else {}
    _check(targets, planned, tables)
    pictures = [_picture(figure, targets, say) for figure in planned]
    if targets.figures is not None and pictures:
        _write(targets.figures / CAPTIONS, markdown.captions(pictures), "--figures", say)
    for one in skipped(materials) if targets.drawn else ():
        say(f"skipped {one.figure}: {one.reason}")
    if targets.html is not None:
        _write(targets.html, html.page(chapters(materials, pictures)), "--html", say)
    if targets.markdown is not None:
        links = _links(pictures, targets) if targets.figures else {}
        _write(targets.markdown, markdown.page(chapters(materials, pictures), links), "--markdown", say)
    if targets.csv is not None:
        Ledger(targets.csv, "--csv").write(tables)
        say(f"wrote {numbers.counted(len(tables), 'table')} in {targets.csv}")


def _check(targets: Targets, planned: Sequence[PlannedFigure], tables: Mapping[str, bytes]) -> None:
    """Refuse targets that are something else, and make the folders of the others."""
    if targets.html and targets.markdown and _same(targets.html, targets.markdown):
        raise BadInput(f"--html and --markdown are both {targets.html}; name two files.")
    captions = targets.figures / CAPTIONS if targets.figures else None
    pages = [("--html", targets.html, html.MARK), ("--markdown", targets.markdown, markdown.MARK),
             ("--figures", captions, markdown.MARK)]  # fmt: skip
    for option, path, mark in pages:
        if path is not None:
            mark.require(path, option)
    if targets.figures is not None:
        names = (f"{figure.name}.{form}" for figure, form in itertools.product(planned, FORMATS))
        Ledger(targets.figures, "--figures").require_ours(names)
    if targets.csv is not None:
        same = {name: [hashlib.sha256(data).hexdigest()] for name, data in tables.items()}
        Ledger(targets.csv, "--csv").require_ours(tables, same)
    folders = [(option, path.parent) for option, path, _ in pages if path is not None]
    for option, folder in dict.fromkeys([*folders, *([("--csv", targets.csv)] if targets.csv else [])]):
        _make_folder(option, folder)


def _make_folder(option: str, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "a file is in its place" if folder.is_file() else error.strerror
        raise BadInput(f"cannot make the folder {folder}: {reason}; name another one with {option}.") from None


def _same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _picture(planned: PlannedFigure, targets: Targets, say: Callable[[str], None]) -> Picture:
    forms = FORMATS if targets.figures is not None else ("svg",)
    figure = planned.draw()
    files = {form: saved(figure, form, planned.caption) for form in forms}
    if targets.figures is not None:
        Ledger(targets.figures, "--figures").write({f"{planned.name}.{form}": data for form, data in files.items()})
        say(f"wrote {targets.figures / planned.name}.{{{','.join(forms)}}}")
    return Picture(planned.name, planned.title, planned.caption, planned.source, files)


def _links(pictures: Sequence[Picture], targets: Targets) -> dict[str, str]:
    assert targets.figures is not None
    assert targets.markdown is not None
    folder = Path(
        os.path.relpath(os.path.realpath(targets.figures), os.path.dirname(os.path.realpath(targets.markdown)))
    )
    return {picture.name: (folder / f"{picture.name}.png").as_posix() for picture in pictures}


def _write(path: Path, text: str, option: str, say: Callable[[str], None]) -> None:
    # A path of a summary's configuration may hold bytes that are no text.
    write_through(path, text.encode(errors="backslashreplace"), option)
    say(f"wrote {path}")
