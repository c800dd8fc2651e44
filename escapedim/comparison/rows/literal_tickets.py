"""`literal_tickets`: the failure rate q against q_lit, the share of wide networks none of whose subnetworks wins alone.

Both are of the same networks, so that they are compared in pairs. With sampled subsets q_lit is an upper bound: then
q above it refutes both predictions, and q below it decides nothing. Widths where hardly any network could be below
q_lit, or where none succeeds, are no evidence of equality.
"""

from __future__ import annotations

from collections.abc import Sequence

from escapedim.comparison.commands import command
from escapedim.comparison.counted import pooled, pooled_pairs
from escapedim.comparison.margins import paired_above, paired_below, paired_interval
from escapedim.comparison.rows.parts import PValues, either, not_measured, percent
from escapedim.comparison.statistics import mcnemar
from escapedim.comparison.study import Study
from escapedim.records.comparison import Measured, Prediction, Row
from escapedim.records.experiments import Isolation


def row(study: Study) -> Row:
    """Return the row."""
    entries = study.entries("isolation")
    if not entries:
        wanted = command(study, "widen", {"--isolate": str(study.base_width or 1)})
        return not_measured("literal_tickets", True, "share", "no subnetworks were trained alone", wanted)
    whole = [pair for pair in entries if not pair[1].sampled]
    chosen = whole or entries
    first, second, of = pooled_pairs(entry.table for _, entry in chosen)
    q, q_lit = pooled(entry.q for _, entry in chosen), pooled(entry.q_lit for _, entry in chosen)
    roomy = [entry for _, entry in whole if _room(entry, study.margin)]
    return Row(
        key="literal_tickets",
        kind="directional",
        estimate=(first - second) / of if of else None,
        interval=paired_interval(first, second, of),
        unit="share",
        observations=of,
        prediction_tickets=Prediction(text="q = q_lit", low=-study.margin, high=study.margin),
        prediction_escape=Prediction(text="q below q_lit", low=study.margin, high=1.0),
        **(_p_values((first, second, of), roomy, bool(whole), study.margin) if of else PValues()),
        sentence=_sentence(q.rate, q_lit.rate, bool(whole), mcnemar(first, second))
        + ("" if roomy else ": too few could be below, or none succeeds, so that equality is no finding"),
        method="paired score tests (Tango 1998) of q_lit - q against the margin, over all widths together",
        inputs=list(dict.fromkeys(source.name for source, _ in chosen)),
        measured=[_measured(entry) for _, entry in entries],
    )


def _room(entry: Isolation, margin: float) -> bool:
    return (entry.q_lit.rate or 0.0) > margin and (entry.q.rate or 0.0) < 1 - margin


def _p_values(pairs: tuple[int, int, int], roomy: Sequence[Isolation], whole: bool, margin: float) -> PValues:
    """Return the p-values of both predictions and of their contraries."""
    below, telling = paired_below(*pairs, -margin), pooled_pairs(entry.table for entry in roomy)
    return {
        "p_tickets": either(paired_above(*pairs, margin), below) if whole else below,
        "p_escape": paired_below(*telling, margin) if roomy else below,
        "p_not_tickets": max(paired_below(*telling, margin), paired_above(*telling, -margin)) if roomy else 1.0,
        "p_not_escape": paired_above(*pairs, margin) if whole else 1.0,
    }


def _measured(entry: Isolation) -> Measured:
    first, second, of = pooled_pairs([entry.table])
    return Measured(
        what=f"width {entry.width}: q_lit - q",
        x=entry.width,
        estimate=(first - second) / of if of else None,
        interval=paired_interval(first, second, of),
        observations=of,
        predictions={
            name: found.rate for name, found in (("q", entry.q), ("q_lit", entry.q_lit)) if found.rate is not None
        },
        note="sampled subsets: q_lit is an upper bound" if entry.sampled else "",
    )


def _sentence(q: float | None, q_lit: float | None, whole: bool, p: float | None) -> str:
    bound = "" if whole else "at most "
    exact = "" if p is None else f" (exact McNemar test: p = {p:.2g})"
    return f"{percent(q)} of wide networks fail, and {bound}{percent(q_lit)} have no subnetwork that wins alone{exact}"
