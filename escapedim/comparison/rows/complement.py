"""`complement`: winning narrow networks with the rest redrawn: A is 1 where the ticket decides, 0 where the rest does.

A = (P_winner - P_fresh) / (P_retest - P_fresh). Both predictions are points, tested by t tests over tickets, which are
clusters; several widths are parts of one prediction. A truth in between would pass for either where data are few: so
1/2 must be rejected too before one of them has won.
"""

from __future__ import annotations

from escapedim.comparison.commands import command
from escapedim.comparison.rows.parts import either, not_measured, percent
from escapedim.comparison.study import Source, Study
from escapedim.comparison.tickets import index_p
from escapedim.records.comparison import Measured, Prediction, Row
from escapedim.records.experiments import Complement

SCALE = 1.0


def row(study: Study) -> Row:
    """Return the row; its estimate is that of the width with the most tickets among those that are decided."""
    entries = study.entries("complement")
    if not entries:
        wanted = command(study, "widen", {"--complement": str(study.base_width or 1)})
        return not_measured("complement", True, "share", "no ticket was put among other units", wanted)
    known = [pair for pair in entries if pair[1].index.value is not None]
    tests = [(_p(entry, 1.0), _p(entry, 0.0)) for _, entry in known]
    middles = [_p(entry, 0.5) for _, entry in known]
    best = max(known or entries, key=lambda pair: len(pair[1].winners.tickets))[1]
    return Row(
        key="complement",
        kind="directional",
        estimate=best.index.value,
        interval=best.index.interval,
        unit="index",
        observations=sum(len(entry.winners.tickets) for _, entry in known or entries),
        prediction_tickets=Prediction(text="A = 1", low=1.0, high=1.0),
        prediction_escape=Prediction(text="A = 0", low=0.0, high=0.0),
        p_tickets=either(*(p for p, _ in tests)) if tests else None,
        p_escape=either(*(p for _, p in tests)) if tests else None,
        p_midpoint=max(middles) if middles else None,
        sentence="; ".join([_sentence(best), *(_more(entry) for _, entry in known if entry is not best)]),
        method="t tests over tickets of A = 1, of A = 0 and of 1/2, by the linear contrast of Fieller's interval"
        + (f" (Bonferroni over {len(tests)} widths)" if len(tests) > 1 else ""),
        inputs=list(dict.fromkeys(source.name for source, _ in entries)),
        measured=[_measured(pair) for pair in entries],
    )


def _p(entry: Complement, value: float) -> float:
    return index_p(_shares(entry), (entry.fresh.count, entry.fresh.of), value)


def _shares(entry: Complement) -> list[tuple[float, float | None]]:
    """Return of each winning ticket the share of its networks that succeed, and of its retests."""
    return [
        (
            ticket.successes[f"{SCALE:g}"] / entry.draws,
            None if ticket.retest is None else ticket.retest / (1 if entry.deterministic else entry.draws),
        )
        for ticket in entry.winners.tickets
    ]


def _measured(pair: tuple[Source, Complement]) -> Measured:
    entry = pair[1]
    fresh = {} if entry.fresh.rate is None else {"fresh": entry.fresh.rate}
    retest = {} if entry.winners.retest.value is None else {"retest": entry.winners.retest.value}
    return Measured(
        what=f"width {entry.width}, tickets of {entry.units} units",
        x=entry.width,
        estimate=entry.index.value,
        interval=entry.index.interval,
        observations=len(entry.winners.tickets),
        predictions={**fresh, **retest},
        note=entry.reason,
    )


def _more(entry: Complement) -> str:
    """Return A at a further width, since all widths are parts of one prediction."""
    interval = entry.index.interval
    bounds = "" if interval is None else f" ({interval[0]:.2f} to {interval[1]:.2f})"
    return f"at width {entry.width} A = {entry.index.value:.2f}{bounds}"


def _sentence(entry: Complement) -> str:
    winner = next((one.rate.value for one in entry.winners.surrounded if one.scale == SCALE), None)
    told = (
        f"Networks of width {entry.width} around a winning ticket of {entry.units} units succeed in {percent(winner)}, "
        f"fresh ones in {percent(entry.fresh.rate)}, tickets alone again in {percent(entry.winners.retest.value)}"
    )
    if entry.index.value is None or entry.index.interval is None:
        return f"{told}; A is not estimated: {entry.reason}"
    low, high = entry.index.interval
    return f"{told}: A = {entry.index.value:.2f} ({low:.2f} to {high:.2f})"
