"""`complement`: winning narrow networks with the rest redrawn: A is 1 where the ticket decides, 0 where the rest does.

A = (P_winner - P_fresh) / (P_retest - P_fresh). Both predictions are points, taken with a margin of a quarter: A = 1 is
3/4 and more, A = 0 is 1/4 and less, and in between neither holds. They are tested by one-sided t tests over tickets,
which are clusters. Several widths are parts of one prediction: one that contradicts it is enough, and all must show it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from escapedim.comparison import commands
from escapedim.comparison.rows.building import PValues, either, not_measured, percent
from escapedim.comparison.study import INDEX_MARGIN, Study, StudySource
from escapedim.comparison.tickets import entry_shares, index_above, index_below
from escapedim.records.comparison import Measured, Prediction, Row
from escapedim.records.experiments import Complement

SCALE = 1.0


def row(study: Study) -> Row:
    """Return the row; its estimate is that of the width with the most tickets among those that are decided."""
    entries = study.entries("complement")
    if not entries:
        needs = "no ticket was put among other units"
        return not_measured("complement", True, "share", needs, commands.complement(study))
    known = [pair for pair in entries if pair[1].index.value is not None]
    best = max(known or entries, key=lambda pair: len(pair[1].winners.tickets))[1]
    return Row(
        key="complement",
        kind="directional",
        estimate=best.index.value,
        interval=best.index.interval,
        unit="index",
        observations=_tickets(known or entries),
        prediction_tickets=Prediction(text="A = 1", low=1 - INDEX_MARGIN, high=1.0),
        prediction_escape=Prediction(text="A = 0", low=0.0, high=INDEX_MARGIN),
        **(_p_values([entry for _, entry in known]) if known else PValues()),
        sentence="; ".join([_sentence(best), *(_more(entry) for _, entry in known if entry is not best)]),
        method="t tests over tickets of A at 3/4 and at 1/4, by the linear contrast of Fieller's interval"
        + (f" (Bonferroni over {len(known)} widths)" if len(known) > 1 else ""),
        inputs=list(dict.fromkeys(source.name for source, _ in entries)),
        measured=[_measured(pair) for pair in entries],
    )


def _p_values(entries: Sequence[Complement]) -> PValues:
    """Return the p-values of both predictions and of their contraries."""
    high, low = 1 - INDEX_MARGIN, INDEX_MARGIN
    return {
        "p_tickets": either(*(_p(index_below, entry, high) for entry in entries)),
        "p_escape": either(*(_p(index_above, entry, low) for entry in entries)),
        "p_not_tickets": max(_p(index_above, entry, high) for entry in entries),
        "p_not_escape": max(_p(index_below, entry, low) for entry in entries),
    }


def _p(test: Callable[..., float], entry: Complement, value: float) -> float:
    shares = entry_shares(entry.winners.tickets, entry.draws, 1 if entry.deterministic else entry.draws)
    return test(shares, (entry.fresh.count, entry.fresh.of), value)


def _tickets(entries: Sequence[tuple[StudySource, Complement]]) -> int:
    """Return the number of tickets; one that is put into several widths is one."""
    return len(
        {(source.name, entry.units, at) for source, entry in entries for at in range(len(entry.winners.tickets))}
    )


def _measured(pair: tuple[StudySource, Complement]) -> Measured:
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
