"""`literal_tickets`: the failure rate q against q_lit, the share of wide networks none of whose subnetworks wins alone.

Both are of the same networks, so that they are compared in pairs, at each width and over all: a width that contradicts
a prediction is enough, and all must show it. Where not all subnetworks were trained q_lit is an upper bound: then q
above it refutes both predictions, and q below it decides nothing. Widths where hardly any network could be below q_lit,
or where none succeeds, are no evidence of equality.
"""

from __future__ import annotations

from collections.abc import Sequence

from escapedim.comparison.commands import isolate
from escapedim.comparison.counted import pooled, pooled_pairs
from escapedim.comparison.margins import paired_above, paired_below, paired_interval
from escapedim.comparison.rows.building import Pairs, PValues, either, equality, not_measured, percent, with_sum
from escapedim.comparison.statistics import mcnemar
from escapedim.comparison.study import Study
from escapedim.comparison.widths import is_whole
from escapedim.records.comparison import Measured, Prediction, Row
from escapedim.records.experiments import Isolation


def row(study: Study) -> Row:
    """Return the row."""
    entries = study.entries("isolation")
    if not entries:
        return not_measured("literal_tickets", True, "share", "no subnetworks were trained alone", isolate(study))
    whole = [entry for _, entry in entries if is_whole(study, entry)]
    chosen = whole or [entry for _, entry in entries]
    tables = _tables(chosen)
    roomy = _tables([entry for entry in whole if _room(entry, study.margin)])
    first, second, of = pooled_pairs(entry.table for entry in chosen)
    q, q_lit = pooled(entry.q for entry in chosen), pooled(entry.q_lit for entry in chosen)
    return Row(
        key="literal_tickets",
        kind="directional",
        estimate=(first - second) / of if of else None,
        interval=paired_interval(first, second, of),
        unit="share",
        observations=of,
        prediction_tickets=Prediction(text="q = q_lit", low=-study.margin, high=study.margin),
        prediction_escape=Prediction(text="q below q_lit", low=study.margin, high=1.0),
        **(_p_values(tables, roomy, bool(whole), study.margin) if of else PValues()),
        sentence=_sentence(q.rate, q_lit.rate, bool(whole), mcnemar(first, second))
        + ("" if roomy else ": too few could be below, or none succeeds, so that equality is no finding"),
        method="exact paired tests of q_lit - q against the margin (Bonferroni), at each width and over all",
        inputs=list(dict.fromkeys(source.name for source, _ in entries)),
        measured=[_measured(study, entry) for _, entry in entries],
    )


def _room(entry: Isolation, margin: float) -> bool:
    return (entry.q_lit.rate or 0.0) > margin and (entry.q.rate or 0.0) < 1 - margin


def _tables(entries: Sequence[Isolation]) -> list[Pairs]:
    """Return the pairs of each width."""
    widths = sorted({entry.width for entry in entries})
    return [pooled_pairs(entry.table for entry in entries if entry.width == width) for width in widths]


def _p_values(tables: Sequence[Pairs], roomy: Sequence[Pairs], whole: bool, margin: float) -> PValues:
    """Return the p-values of both predictions and of their contraries."""
    beyond = [paired_below(*pairs, -margin) for pairs in with_sum(tables)]
    if not whole:
        return {"p_tickets": either(*beyond), "p_escape": either(*beyond), "p_not_tickets": 1.0, "p_not_escape": 1.0}
    above = [paired_above(*pairs, margin) for pairs in with_sum(tables)]
    below = [paired_below(*pairs, margin) for pairs in with_sum(roomy)]
    return {
        "p_tickets": either(*above, *beyond),
        "p_escape": either(*below) if roomy else either(*beyond),
        "p_not_tickets": equality(roomy, margin),
        "p_not_escape": max((paired_above(*pairs, margin) for pairs in roomy), default=1.0),
    }


def _measured(study: Study, entry: Isolation) -> Measured:
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
        note="" if is_whole(study, entry) else "not all subnetworks: q_lit is an upper bound",
    )


def _sentence(q: float | None, q_lit: float | None, whole: bool, p: float | None) -> str:
    bound = "" if whole else "at most "
    exact = "" if p is None else f" (exact McNemar test: p = {p:.2g})"
    return f"{percent(q)} of wide networks fail, and {bound}{percent(q_lit)} have no subnetwork that wins alone{exact}"
