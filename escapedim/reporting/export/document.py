"""What a page holds: chapters of sentences, pictures and tables; HTML and Markdown are two forms of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from escapedim.reporting import settings, story
from escapedim.reporting.material import Material, Source
from escapedim.reporting.numbers import TIE
from escapedim.reporting.tables import collect, comparing
from escapedim.reporting.tables.plain import Table

LONGEST = 60
"""Rows of a table on a page; longer ones, such as that of all members, are for CSV."""


@dataclass(frozen=True)
class Picture:
    """A drawn figure: the name of its files, title, caption, source, and its bytes by format."""

    name: str
    title: str
    caption: str
    source: str
    files: dict[str, bytes]


@dataclass(frozen=True)
class Chapter:
    """One result, or a comparison: what it is, what was found, its pictures and its tables."""

    title: str
    about: str
    told: tuple[story.Told, ...]
    pictures: tuple[Picture, ...]
    tables: tuple[Table, ...]


def chapters(materials: Sequence[Material], pictures: Sequence[Picture]) -> list[Chapter]:
    """Return a chapter of each comparison, one of pictures that are of no single source, and one of each source."""
    found = []
    for material in materials:
        found.append(_whole(material, pictures))
        found += [_of_source(source, material, pictures) for source in material.sources]
    return [chapter for chapter in found if chapter.told or chapter.pictures or chapter.tables]


def too_long(table: Table) -> str:
    """Return what stands in the place of a table that is too long for a page, or nothing."""
    return f"{len(table.rows):,} rows: --csv DIR writes them." if len(table.rows) > LONGEST else ""


def _whole(material: Material, pictures: Sequence[Picture]) -> Chapter:
    own = tuple(picture for picture in pictures if picture.source == material.name)
    title = f"Comparison: {material.name}" if material.comparison is not None else "Summary"
    names = ", ".join(source.name for source in material.sources)
    about = f"Compared: {names}." if material.comparison is not None else f"Results: {names}."
    return Chapter(title, about, tuple(story.of_comparison(material)), own, tuple(comparing.tables(material)))


def _of_source(source: Source, material: Material, pictures: Sequence[Picture]) -> Chapter:
    name = f"{material.name}/{source.name}" if material.name else source.name
    own = tuple(picture for picture in pictures if picture.source == name)
    return Chapter(name, _about(source), tuple(story.of_source(source)), own, tuple(collect.of_source(source)))


def _about(source: Source) -> str:
    summary = source.summary
    version = summary.provenance.version
    parts = [
        f"Kind {summary.kind}, status {summary.status}, id {summary.id}, escapedim {version}.",
        f"{settings.what(summary.config)}." if settings.what(summary.config) else "",
        settings.recipe(summary.config),
        settings.pruning(summary.config),
    ]
    return " ".join(part for part in parts if part).replace(TIE, " ")
