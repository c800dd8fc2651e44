"""`literal_tickets`: the failure rate q against q_lit, the share of wide networks none of whose subnetworks wins alone.

Both are of the same networks, so that they are compared in pairs. With sampled subsets q_lit is an upper bound: then
q above it refutes both predictions, and q below it decides nothing.
"""

from __future__ import annotations

from escapedim.comparison.commands import command
from escapedim.comparison.margins import paired_above, paired_below, paired_interval
from escapedim.comparison.rows.parts import either, not_measured, percent, pooled, pooled_pairs
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
    interval = paired_interval(first, second, of)
    above = 1.0 if not whole else paired_above(first, second, of, study.margin)
    tickets = either(above, paired_below(first, second, of, -study.margin))
    # Where hardly any network could be below q_lit, or none succeeds, equality is no finding, unless q is far above.
    room = (q_lit.rate or 0.0) > study.margin and (q.rate or 0.0) < 1 - study.margin
    room = room or tickets < study.level / 8
    return Row(
        key="literal_tickets",
        kind="directional",
        estimate=(first - second) / of if of else None,
        interval=interval,
        unit="share",
        observations=of,
        prediction_tickets=Prediction(text="q = q_lit", low=-study.margin, high=study.margin),
        prediction_escape=Prediction(text="q below q_lit", low=study.margin, high=1.0),
        p_tickets=tickets if of else None,
        p_escape=paired_below(first, second, of, study.margin) if of and room else None,
        sentence=_sentence(q.rate, q_lit.rate, bool(whole), mcnemar(first, second))
        + ("" if room else ": nothing else was possible"),
        method="paired score tests (Tango 1998) of q_lit - q against the margin, over all widths together",
        inputs=list(dict.fromkeys(source.name for source, _ in chosen)),
        measured=[_measured(entry) for _, entry in entries],
    )


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
