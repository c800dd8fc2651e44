"""`restarts`: one wide network against the best of k narrow ones at equal cost. A description; k need not be whole."""

from __future__ import annotations

from escapedim.comparison import commands
from escapedim.comparison.margins import combined_interval
from escapedim.comparison.rows.building import not_measured, percent
from escapedim.comparison.study import Study
from escapedim.records.comparison import Measured, Row
from escapedim.records.experiments import Restarts


def row(study: Study) -> Row:
    """Return the row; its estimate is that of the widest networks."""
    entries = study.entries("restarts")
    if not entries:
        needs = "no narrow networks were held against wide ones"
        return not_measured("restarts", False, "share", needs, commands.restarts(study))
    measured = [_measured(entry) for _, entry in entries]
    widest = max(range(len(entries)), key=lambda at: entries[at][1].width)
    entry, last = entries[widest][1], measured[widest]
    told = "" if last.interval is None else f" ({100 * last.interval[0]:+.1f} to {100 * last.interval[1]:+.1f})"
    difference = "-" if last.estimate is None else f"{100 * last.estimate:+.1f}"
    return Row(
        key="restarts",
        kind="descriptive",
        estimate=last.estimate,
        interval=last.interval,
        unit="share",
        observations=entry.narrow_success.of + entry.wide_success.of,
        sentence=(
            f"One network of width {entry.width} succeeds in {percent(entry.wide_success.rate)}, the best of "
            f"{entry.k:.3g} networks of width {entry.narrow} at equal cost in {percent(entry.best_of_k.value)}: "
            f"{difference}{told} points"
        ),
        method="difference of independent estimates (MOVER) of the wide network's rate and of 1 - (1 - p)^k",
        inputs=list(dict.fromkeys(source.name for source, _ in entries)),
        measured=measured,
    )


def _measured(entry: Restarts) -> Measured:
    wide, best = entry.wide_success, entry.best_of_k
    known = wide.rate is not None and best.value is not None
    interval = None
    if wide.rate is not None and wide.interval and best.value is not None and best.interval:
        interval = combined_interval((wide.rate, wide.interval), (best.value, best.interval))
    return Measured(
        what=f"width {entry.width} against the best of {entry.k:.3g} of width {entry.narrow}",
        x=entry.width,
        estimate=(wide.rate or 0.0) - (best.value or 0.0) if known else None,
        interval=interval,
        observations=wide.of + entry.narrow_success.of,
        predictions={
            name: value for name, value in (("wide", wide.rate), ("best of k", best.value)) if value is not None
        },
    )
