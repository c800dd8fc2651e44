"""What figures and exported tables are made of: results by name, and the rows and laws of a comparison.

It comes from several summaries, or from one compare.json alone, which holds the results that it compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from escapedim.errors import BadInput
from escapedim.records.columns import Model
from escapedim.records.comparison import Compared, CompareResult, Laws, Row
from escapedim.records.results import RESULTS
from escapedim.records.summary import SCHEMA, Cost, Provenance, Summary

M = TypeVar("M", bound=Model)
LONGEST_NAME = 60
"""Bytes of a source's name, at most: a file is named after a comparison, a source in it, and what it shows."""


@dataclass(frozen=True)
class Source:
    """One result, the name that it has in files and captions, and the summary that it is from."""

    name: str
    summary: Summary

    @property
    def kind(self) -> str:
        """The kind of the summary, such as "lottery"."""
        return self.summary.kind

    @property
    def result(self) -> Model:
        """What was found."""
        return self.summary.result


@dataclass(frozen=True)
class Material:
    """Results to draw from. `name` is that of a comparison, `rows` and `laws` are its own; empty without one."""

    sources: tuple[Source, ...]
    name: str = ""
    rows: tuple[Row, ...] = ()
    laws: Laws | None = None
    comparison: CompareResult | None = None

    def results(self, model: type[M]) -> list[tuple[str, M]]:
        """Return the results of one kind with their names."""
        return [(source.name, source.result) for source in self.sources if isinstance(source.result, model)]


def of_files(summaries: Iterable[tuple[Path, Summary]]) -> list[Material]:
    """Return one material of all plain summaries, and one of each comparison; names are those of the files.

    Two files of one name in different folders are told apart by a number.

    Raises
    ------
    BadInput
        A comparison holds a source that is not what its kind says.
    """
    taken: set[str] = set()
    plain: list[Source] = []
    compared: list[Material] = []
    for path, summary in summaries:
        name = unique(path.stem, taken, LONGEST_NAME)
        result: Model = summary.result
        if isinstance(result, CompareResult):
            compared.append(_checked(path, result, name))
        else:
            plain.append(Source(name, summary))
    return [*([Material(tuple(plain))] if plain else []), *compared]


def _checked(path: Path, result: CompareResult, name: str) -> Material:
    try:
        return of_comparison(result, name)
    except ValueError:
        fault = f"{path} holds a source that is not a result of its kind"
        raise BadInput(f"{fault}; write it again with `escapedim compare`.") from None


def of_comparison(result: CompareResult, name: str = "compare") -> Material:
    """Return the material of a comparison; its sources are held against the models of their kinds.

    Raises
    ------
    ValueError
        A source is not what its kind says.
    """
    taken: set[str] = set()
    sources = tuple(Source(unique(Path(one.name).stem, taken, LONGEST_NAME), _summary(one)) for one in result.sources)
    return Material(sources, name, tuple(result.rows), result.laws, result)


def unique(name: str, taken: set[str], longest: int = 3 * LONGEST_NAME) -> str:
    """Return a name for files that is not in `taken`, and put it there; letters of no file name become "-".

    It has about `longest` bytes at most, since file systems take names of 255.
    """
    clean = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "summary"
    clean = clean.encode()[:longest].decode(errors="ignore")
    found, number = clean, 1
    while found in taken:
        number += 1
        found = f"{clean}-{number}"
    taken.add(found)
    return found


def _summary(one: Compared) -> Summary:
    return Summary(
        schema=SCHEMA,
        kind=one.kind,
        status=one.status,
        id=one.ids[0] if one.ids else "0" * 16,
        config=one.config,
        provenance=Provenance(version=one.version),
        cost=Cost(),
        result=RESULTS[one.kind].model_validate(one.result),
    )
