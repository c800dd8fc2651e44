"""A report as one self-contained HTML page: figures inside it, no script, nothing that is loaded from elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape as html_escaped

from escapedim.records.ours import Mark
from escapedim.reporting.export.document import Chapter, Picture, too_long
from escapedim.reporting.tables.brief import brief, numeric
from escapedim.reporting.tables.plain import Table
from escapedim.text import visible

MARK = Mark(
    '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="generator" content="escapedim">'
)
"""How a page begins."""

_CSS = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; border-top: 1px solid #8886; padding-top: 1rem; }
.about { opacity: .75; font-size: .9rem; overflow-wrap: anywhere; }
figure { margin: 1.5rem 0; }
figure img { background: #fff; padding: .5rem; max-width: 100%; height: auto; box-sizing: border-box; }
figcaption, .caption { font-size: .85rem; opacity: .85; text-align: left; padding: .4rem 0; max-width: 60rem; }
.caption { margin: 1.5rem 0 0; }
.table { overflow-x: auto; margin: 0 0 1.5rem; }
table { border-collapse: collapse; font-size: .8rem; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .6rem; border-bottom: 1px solid #8884; text-align: left; white-space: nowrap; }
td.long { white-space: normal; min-width: 22rem; }
th { vertical-align: bottom; white-space: normal; border-bottom: 2px solid #8888; }
.number { text-align: right; }
@media print { body { max-width: none; } h2 { break-before: page; } figure, tr { break-inside: avoid; } }
"""
_LONG = 40


def escaped(text: str) -> str:
    """Return text that a page shows as it is, without characters that a terminal would obey."""
    return html_escaped(visible(text))


def page(chapters: Sequence[Chapter]) -> str:
    """Return the page."""
    body = "\n".join(_chapter(chapter, number) for number, chapter in enumerate(chapters))
    return (
        f"{MARK.text}\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>escapedim report</title>\n<style>{_CSS}</style>\n</head>\n<body>\n<h1>escapedim report</h1>\n"
        f"{_contents(chapters)}\n{body}\n</body>\n</html>\n"
    )


def _contents(chapters: Sequence[Chapter]) -> str:
    if len(chapters) < 2:
        return ""
    links = " · ".join(f'<a href="#c{number}">{escaped(one.title)}</a>' for number, one in enumerate(chapters))
    return f"<nav>{links}</nav>"


def _chapter(chapter: Chapter, number: int) -> str:
    told = "\n".join(f"<p><b>{escaped(name)}.</b> {escaped(sentence)}</p>" for name, sentence in chapter.told)
    pictures = "\n".join(_picture(picture) for picture in chapter.pictures)
    tables = "\n".join(_table(table) for table in chapter.tables)
    return (
        f'<section id="c{number}">\n<h2>{escaped(chapter.title)}</h2>\n<p class="about">{escaped(chapter.about)}</p>\n'
        f"{told}\n{pictures}\n{tables}\n</section>"
    )


def _picture(picture: Picture) -> str:
    # As an image, so that the identifiers inside several SVG do not meet.
    data = base64.b64encode(picture.files["svg"]).decode()
    image = f'<img src="data:image/svg+xml;base64,{data}" alt="{escaped(picture.title)}">'
    return f'<figure id="{escaped(picture.name)}">{image}<figcaption>{escaped(picture.caption)}</figcaption></figure>'


def _table(table: Table) -> str:
    caption = f"<b>{escaped(table.name.replace('_', ' ').capitalize())}.</b> {escaped(table.caption)}"
    if rest := too_long(table):
        return f'<p class="caption">{caption} {escaped(rest)}</p>'
    found = brief(table)
    right = [numeric(found, k) for k in range(len(found.columns))]
    head = "".join(f"<th{_class(one)}>{escaped(name)}</th>" for name, one in zip(found.columns, right, strict=True))
    rows = "\n".join(
        "<tr>" + "".join(_cell(str(cell), one) for cell, one in zip(row, right, strict=True)) + "</tr>"
        for row in found.rows
    )
    return (
        f'<p class="caption">{caption}</p>\n<div class="table"><table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody></table></div>"
    )


def _cell(text: str, right: bool) -> str:
    long = ' class="long"' if len(text) > _LONG else ""
    return f"<td{long or _class(right)}>{escaped(text)}</td>"


def _class(right: bool) -> str:
    return ' class="number"' if right else ""
