"""`isolation`: wide networks against their own unit subnetworks, trained alone from the same weights in the same order.

Read literally, tickets predict that a wide network succeeds if and only if one of its subnetworks wins alone. Of both
ways to be wrong the rate is tested against the margin, over all widths together: what holds of every width holds of
their sum. With sampled subsets "none wins" is not known, and only "fails although one wins" counts. Where hardly any
wide network fails at all, none can fail in spite of a winner, and where hardly any succeeds, none can without one: such
a rate says nothing against escape dimensions.
"""

from __future__ import annotations

from escapedim.comparison.commands import command
from escapedim.comparison.margins import rate_above, rate_below
from escapedim.comparison.rows.parts import either, not_measured, percent, pooled, share, told
from escapedim.comparison.study import Study
from escapedim.records.comparison import Measured, Prediction, Row
from escapedim.records.experiments import Share


def row(study: Study) -> Row:
    """Return the row."""
    entries = study.entries("isolation")
    if not entries:
        units = str(study.base_width or 1)
        wanted = command(study, "widen", {"--isolate": units})
        return not_measured("isolation", True, "share", "no subnetworks were trained alone", wanted)
    wins = pooled(entry.wins_given_none for _, entry in entries)
    fails = pooled(entry.fails_given_some for _, entry in entries)
    both = [found for found in (wins, fails) if found.of]
    q = pooled(entry.q for _, entry in entries)
    rates = {id(wins): 1 - (q.rate or 0.0), id(fails): q.rate or 0.0}
    tested = [found for found in both if rates[id(found)] > study.margin]
    wrong = share(wins.count + fails.count, wins.of + fails.of)
    return Row(
        key="isolation",
        kind="directional",
        estimate=wrong.rate,
        interval=wrong.interval,
        unit="share",
        observations=wrong.of,
        prediction_tickets=Prediction(text="0, both of the two", low=0.0, high=study.margin),
        prediction_escape=Prediction(text="above 0", low=study.margin, high=1.0),
        p_tickets=either(*(rate_above(one.count, one.of, study.margin) for one in both)) if both else None,
        p_escape=either(*(rate_below(one.count, one.of, study.margin) for one in tested)) if tested else None,
        sentence=_sentence(wins, fails)
        + ("" if tested or not both else f"; {percent(q.rate)} fail in all, so that nothing else was possible"),
        method="exact binomial tests of both rates against the margin (Bonferroni), over all widths together",
        inputs=list(dict.fromkeys(source.name for source, _ in entries)),
        measured=[
            measured
            for _, entry in entries
            for what, found in (
                ("succeed although none wins", entry.wins_given_none),
                ("fail although some win", entry.fails_given_some),
            )
            if found is not None
            for measured in [_measured(f"width {entry.width}: {what}", entry.width, found)]
        ],
    )


def _measured(what: str, width: int, found: Share) -> Measured:
    return Measured(what=what, x=width, estimate=found.rate, interval=found.interval, observations=found.of)


def _sentence(wins: Share, fails: Share) -> str:
    parts = []
    if wins.of:
        parts.append(f"of wide networks none of whose subnetworks wins alone {told(wins)} succeed")
    if fails.of:
        parts.append(f"of those with a winner {told(fails)} fail")
    text = "; ".join(parts) or "no wide network could be held against its subnetworks"
    return text[0].upper() + text[1:]
