"""`escapedim compare`: from files to compare.json, its report, and the gates of scripts."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from escapedim.cli.streams import note, standard_output
from escapedim.comparison.compare import CompareSettings, Named, compare, compare_id
from escapedim.comparison.gates import Gate, parse_gate
from escapedim.errors import BadInput
from escapedim.records import provenance, summary
from escapedim.records.atomic import write_through
from escapedim.records.comparison import CompareResult
from escapedim.records.folders import check_out
from escapedim.records.summary import Cost, Label, Summary
from escapedim.regular_files import read_regular
from escapedim.reporting.render import make_console, render

MOST_LIST_BYTES = 1 << 26
"""Of a list of summaries: a hundred thousand runs have a quarter of it."""
GATE = 3
"""Exit code where a gate tripped (design)."""


def run(
    files: Sequence[Path], settings: CompareSettings, fail_if: Sequence[str], out: Path, json: bool, quiet: bool
) -> int:
    """Compare summaries, write and show the result, and return the exit code.

    `@LIST` among the files stands for those that a file names, one a line.

    Raises
    ------
    BadInput
        A file that is no summary, files that do not fit together, a gate or an output path that cannot be.
    """
    gates = [parse_gate(text) for text in fail_if]
    files = [file for path in files for file in _listed(path)]
    _check_files(files, out)
    began = time.monotonic()
    named = [(str(path), summary.read(path)) for path in files]
    identity = compare_id(named, settings)
    replaced = check_out(out, Label(f"compare-{identity}", ""))
    origin = provenance.collect(sys.argv, None, None, None, {"root": settings.seed}, None)
    with summary.taken_as_written(files):
        result = _compared(named, settings)
    found = Summary(
        schema=summary.SCHEMA,
        kind="compare",
        status="complete",
        id=identity,
        config={**vars(settings), "allow": list(settings.allow), "runs": _runs(named)},
        provenance=origin.model_copy(update={"finished": provenance.now()}),
        cost=Cost(wall_s=time.monotonic() - began, peak_rss_mb=provenance.peak_rss_mb()),
        result=result,
    )
    raw = summary.encode(found)
    if replaced:
        note(replaced)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_through(out, raw)
    with standard_output(f"the summary is saved in {out}"):
        if json:
            sys.stdout.write(raw.decode())
        if not quiet:
            with summary.taken_as_written(files):
                render(found, make_console(sys.stderr if json else sys.stdout))
    return _judge(gates, result)


def _compared(named: Sequence[Named], settings: CompareSettings) -> CompareResult:
    try:
        with np.errstate(over="raise", divide="raise", invalid="raise"):
            return compare(named, settings)
    except ArithmeticError as error:
        raise _too_large(str(error)) from None
    except ValidationError as error:  # a sum of counts, each of which is just small enough
        if any(found["type"] != "less_than" for found in error.errors()):
            raise
        raise _too_large("integer overflow") from None


def _too_large(fault: str) -> BadInput:
    return BadInput(
        f"the summaries hold numbers too large to compute with ({fault}); correct them, or leave their file out."
    )


def _listed(path: Path) -> list[Path]:
    if not str(path).startswith("@") or path.exists():
        return [path]
    expected = f"{path}: expected @ and a file with the path of a summary on each line"
    try:
        text = os.fsdecode(read_regular(Path(str(path)[1:]), MOST_LIST_BYTES))
    except OSError as error:
        raise BadInput(f"{expected}, found '{error.strerror}'; correct it.") from None
    if "\0" in text:
        raise BadInput(f"{expected}, found a NUL byte; correct it.")
    # Not by `splitlines`, which breaks lines at letters that the name of a file may hold.
    files = [Path(name) for name in text.replace("\r\n", "\n").split("\n") if name.strip()]
    if not files:
        raise BadInput(f"{expected}, found none; correct it.")
    return files


def _check_files(files: Sequence[Path], out: Path) -> None:
    seen: dict[str, Path] = {}
    for path in files:
        other = seen.setdefault(os.path.realpath(path), path)
        if other is not path:
            raise BadInput(f"{path} is named twice; name each summary once.")
    if os.path.realpath(out) in seen:
        raise BadInput(f"--out {out} is one of the summaries that are compared; choose another --out.")


def _runs(named: Sequence[Named]) -> list[str]:
    return sorted(f"{found.kind}-{found.id}" for _, found in named)


def _judge(gates: Sequence[Gate], found: CompareResult) -> int:
    code = 0
    for gate in gates:
        if gate.trips(found.rows):
            note(f"--fail-if {gate.text!r} is true.")
            code = GATE
        elif not gate.estimated(found.rows):
            note(f"--fail-if {gate.text!r} cannot be told: {gate.key} has no estimate.")
    return code
