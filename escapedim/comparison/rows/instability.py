"""`instability`: the error barrier between copies of a ticket trained under two orders of the data. A description."""

from __future__ import annotations

from escapedim.comparison.commands import rewind
from escapedim.comparison.rows.building import not_measured
from escapedim.comparison.statistics import paired_difference
from escapedim.comparison.study import Study
from escapedim.records.comparison import Measured, Row
from escapedim.records.rewinding import Line, RewindResult

_STABLE = 0.02  # Frankle et al. 2020
_ORDERS = "data orders"


def row(study: Study) -> Row:
    """Return the row; its estimate is that of the last round at the first rewind point."""
    found = [(source, result) for source, result in study.of(RewindResult) if _lines(result)]
    if not found:
        needs = "no ticket was trained under two orders of the data"
        return not_measured("instability", False, "error", needs, rewind(study))
    lines = [line for _, result in found for line in _lines(result)]
    measured = [_measured(line) for line in lines]
    last = max(line.round for line in lines)
    at = next(place for place, line in enumerate(lines) if line.round == last)
    line, own = lines[at], measured[at]
    told = "" if own.interval is None else f" ({100 * own.interval[0]:.2f} to {100 * own.interval[1]:.2f})"
    percent = "-" if own.estimate is None else f"{100 * own.estimate:.2f}"
    stable = {True: "stable", False: "not stable", None: "not judged"}[line.stable]
    if own.interval is not None and own.interval[0] < _STABLE < own.interval[1]:
        stable += f" in the mean, with {100 * _STABLE:g} points inside the interval"
    return Row(
        key="instability",
        kind="descriptive",
        estimate=own.estimate,
        interval=own.interval,
        unit="error",
        observations=own.observations,
        sentence=(
            f"At round {line.round}, rewound to step {line.to:,}, the barrier in {line.error} between copies of the "
            f"ticket is {percent}{told} points: {stable}"
        ),
        method="mean over replicates with its t interval; stable below 2 points (Frankle et al. 2020)",
        inputs=[source.name for source, _ in found],
        measured=measured,
    )


def _lines(result: RewindResult) -> list[Line]:
    return [line for line in result.instability if line.between == _ORDERS]


def _measured(line: Line) -> Measured:
    known = [value for value in line.barriers if value is not None]
    found = paired_difference(known, [0.0] * len(known)) if known else None
    return Measured(
        what=f"round {line.round}, rewound to step {line.to or 0:,}",
        x=line.density,
        estimate=None if found is None else found.mean,
        interval=None if found is None else found.interval,
        observations=len(known),
        predictions={} if line.aligned_mean is None else {"aligned": line.aligned_mean},
    )
