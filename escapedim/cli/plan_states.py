"""`escapedim sweep PLAN --status`: where the runs of a plan stand, as a table or as JSON."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from escapedim.cli.streams import show, standard_output
from escapedim.reporting.numbers import counted
from escapedim.reporting.page import prose
from escapedim.reporting.render import make_console
from escapedim.reporting.table import Row, text_table
from escapedim.sweeping.runs import SweepRun
from escapedim.sweeping.state import standings
from escapedim.sweeping.sweep_plan import SweepPlan

_MOST_SHOWN = 40


def status(plan: SweepPlan, runs: Sequence[SweepRun], folder: Path, as_json: bool) -> None:
    """Print where the runs stand; those that are complete are only counted."""
    found = standings(runs, folder)
    counts = Counter(one.state for one in found)
    with standard_output():
        if as_json:
            entries = [
                {"run": one.run.name, "stage": one.run.stage, "state": one.state, "detail": one.detail} for one in found
            ]
            sys.stdout.write(json.dumps({"plan": plan.name, "counts": counts, "runs": entries}) + "\n")
            return
        show(f"{plan.name}: {counted_states(counts, len(found))}.")
        rest = [one for one in found if one.state != "complete"]
        ranked = sorted(rest, key=lambda one: ("failed", "running", "missing").index(one.state))
        first_rows(["run", "stage", "state", ""], [[one.run.name, str(one.run.stage), one.state, one.detail]
                                                   for one in ranked], left=4)  # fmt: skip


def counted_states(found: Mapping[Any, int], total: int) -> str:
    """Return "60 runs: 58 complete, 2 missing"."""
    parts = [f"{found[state]:,} {state}" for state in ("complete", "running", "failed", "missing") if found.get(state)]
    return f"{counted(total, 'run')}: {', '.join(parts) or 'none'}"


def first_rows(header: Row, rows: Sequence[Row], left: int, copied: bool = False) -> None:
    """Print the first rows of a table, if there are any, and how many more there are.

    The last column is text of any length: where it does not fit beside its row it goes below, in lines of its own, or
    if it is to be `copied` in one line.
    """
    if rows:
        width = make_console(sys.stdout).width
        show("\n".join(_with_text(header, rows[:_MOST_SHOWN], left, width, copied)))
    if len(rows) > _MOST_SHOWN:
        show(f"and {len(rows) - _MOST_SHOWN:,} more (--json has all)")


def _with_text(header: Row, rows: Sequence[Row], left: int, width: int, copied: bool) -> Iterator[str]:
    head, rule, *lines = text_table(header[:-1], [row[:-1] for row in rows], left=left)
    texts = [row[-1] for row in rows]
    beside = len(rule) + 2 + max(map(len, [header[-1], *texts])) <= width
    yield f"{head.ljust(len(rule))}  {header[-1]}".rstrip() if beside else head
    yield rule + "─" * (2 + max(map(len, texts))) * beside
    for line, text in zip(lines, texts, strict=True):
        if beside:
            yield f"{line.ljust(len(rule))}  {text}".rstrip()
        else:
            yield line
            yield from ([f"  {text}"] if copied else prose(f"  {text}", width, "  ")) if text else []
