"""Two reports of the benchmark against each other: quotients only.

Every ratio is of two sides that one run measured in turns, so it can be held against that of another day or machine;
times cannot. What differs is said to differ only where the ranges of the two runs do not meet, and the ratios are more
than a tenth apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarking.cells import LONGEST_LINE, paragraphs
from benchmarking.timing import Ratio
from escapedim.errors import BadInput
from escapedim.reporting.page import Block, block
from escapedim.reporting.table import text_table

NAMES = ("case", "task", "inputs", "network", "name", "members", "round", "dtype", "program", "threads")
"""Fields that tell the entries of a list apart."""
OWN = ("gpu", "dense_ratio", "jobs_ratio")
"""Rows and fields whose ratios have escapedim on both sides: they say nothing of what a change has gained."""
APART = 1.1


@dataclass(frozen=True)
class Change:
    """One ratio of both reports."""

    name: str
    then: Ratio
    now: Ratio

    @property
    def verdict(self) -> str:
        """Say in a word what the ranges allow to say."""
        if self.now.max < self.then.min and self.now.ratio * APART < self.then.ratio:
            return "slower"
        return "faster" if self.now.min > self.then.max and self.now.ratio > APART * self.then.ratio else "as before"


def read_report(file: Path) -> dict[str, Any]:
    """Read what an earlier run has written.

    Raises
    ------
    BadInput
        It cannot be read, or is no report of the benchmark.
    """
    try:
        report: Any = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise BadInput(f"--against {file}: {error}; give a file that --json has written.") from None
    known = isinstance(report, dict) and report.get("schema") == "escapedim.benchmark/2"
    if not known or not all(isinstance(report.get(part), dict) for part in ("rows", "scale")):
        raise BadInput(f"--against {file}: expected a report of this benchmark, as --json writes it.")
    return dict(report)


def unlike(now: Mapping[str, Any], then: Mapping[str, Any]) -> list[str]:
    """Return in what two runs differ, so that even their ratios are not of the same work."""
    parts = [(key, now.get(key), then.get(key)) for key in ("cores", "cpu")]
    parts += [("torch", *(one.get("versions", {}).get("torch") for one in (now, then)))]
    parts += [(key, value, then["scale"].get(key)) for key, value in now["scale"].items() if key != "repeats"]
    return [f"{key} {value} and not {before}" for key, value, before in parts if value != before]


def changes(now: Mapping[str, Any], then: Mapping[str, Any]) -> list[Change]:
    """Return the ratios that both reports have, in the order of the new one."""
    before = dict(_ratios(then["rows"], ()))
    return [Change(name, before[name], ratio) for name, ratio in _ratios(now["rows"], ()) if name in before]


def against_blocks(
    file: Path, found: Sequence[Change], differences: Sequence[str] = (), width: int = LONGEST_LINE
) -> list[Block]:
    """Return the comparison for a console of `width` characters; `differences` of the runs go before it."""
    title = block([f"Ratios against {file.name}"], "bold")
    if not found:
        return [title, block(["The two runs have no ratio in common: measure the same rows."])]
    lines = [
        ("\n".join(_broken(change.name)), f"{change.then.ratio:.2f}\n{change.then.min:.2f}..{change.then.max:.2f}",
         f"{change.now.ratio:.2f}\n{change.now.min:.2f}..{change.now.max:.2f}", change.verdict)
        for change in found
    ]  # fmt: skip
    legend = (
        "Ratio, and min..max of its turns below it: another side of the same run over escapedim, so larger is faster. "
        "Slower or faster: by more than a tenth, and the ranges do not meet."
    )
    warning = [f"This run has {', '.join(differences)}: what follows compares different work."] if differences else []
    table = block(text_table(["", "then", "now", ""], lines))
    return [title, block(paragraphs(warning, width)), table, block(paragraphs([legend], width))]


def _broken(name: str, longest: int = 24) -> list[str]:
    lines = [""]
    for part in name.split(" / "):
        joined = f"{lines[-1]} / {part}" if lines[-1] else part
        if len(joined) > longest and lines[-1]:
            lines.append(f"  {part}")
        else:
            lines[-1] = joined
    return lines


def _ratios(node: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Ratio]]:
    if isinstance(node, Mapping):
        if set(node) == {"ratio", "min", "max"}:
            yield " / ".join(path), Ratio(**node)
            return
        for key, value in node.items():
            if key not in OWN:
                yield from _ratios(value, (*path, key))
    elif isinstance(node, list):
        for entry in node:
            yield from _ratios(entry, (*path, _label(entry)) if isinstance(entry, Mapping) else path)


def _label(entry: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {entry[key]}" if isinstance(entry[key], int) else str(entry[key])
                     for key in NAMES if key in entry)  # fmt: skip
