"""A report as GitHub Markdown: sentences, tables with their captions, and links to figures that were written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from escapedim.records.ours import Mark
from escapedim.reporting.export.document import Chapter, Picture, too_long
from escapedim.reporting.tables.brief import brief, numeric
from escapedim.reporting.tables.plain import Table
from escapedim.text import visible

MARK = Mark("<!-- escapedim report -->")
"""The first line, by which a file is known to be one of ours."""

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$])")


def page(chapters: Sequence[Chapter], links: Mapping[str, str]) -> str:
    """Return the page; `links` are the paths of figures by name, and those without one are left out."""
    parts = [MARK.text, "# escapedim report"]
    for chapter in chapters:
        parts += [f"## {escaped(chapter.title)}", escaped(chapter.about)]
        parts += [f"**{escaped(name)}.** {escaped(sentence)}" for name, sentence in chapter.told]
        parts += [_picture(picture, links[picture.name]) for picture in chapter.pictures if picture.name in links]
        parts += [part for table in chapter.tables for part in _table(table)]
    return "\n\n".join(part for part in parts if part) + "\n"


def captions(pictures: Sequence[Picture]) -> str:
    """Return the captions of figures by the names of their files."""
    parts = [f"**{escaped(picture.name)}.** {escaped(picture.caption)}" for picture in pictures]
    return "\n\n".join([MARK.text, *parts]) + "\n"


def escaped(value: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", visible(" ".join(value.split())))


def _picture(picture: Picture, link: str) -> str:
    return f"![{escaped(picture.title)}](<{visible(link)}>)\n\n*{escaped(picture.caption)}*"


def _table(table: Table) -> list[str]:
    caption = f"**{escaped(table.name.replace('_', ' ').capitalize())}.** {escaped(table.caption)}"
    if rest := too_long(table):
        return [f"{caption} {rest}"]
    found = brief(table)
    lines = [
        _row(found.columns),
        f"|{'|'.join('---:' if numeric(found, k) else '---' for k in range(len(found.columns)))}|",
        *(_row([str(cell) for cell in row]) for row in found.rows),
    ]
    return [caption, "\n".join(lines)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(escaped(cell) for cell in cells)} |"
