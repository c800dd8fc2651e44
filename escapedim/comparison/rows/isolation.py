"""`isolation`: wide networks against their own unit subnetworks, trained alone from the same weights in the same order.

Read literally, tickets predict that a wide network succeeds if and only if one of its subnetworks wins alone: that both
ways to be wrong have a rate of 0. Escape dimensions predict the contrary, that one of them is above 0. Both rates are
tested against the margin, over all widths together: what holds of every width holds of their sum. With sampled subsets
"none wins" is not known, and only "fails although one wins" counts. Where hardly any wide network of a width fails at
all, none can fail in spite of a winner, and where hardly any succeeds, none can without one: such a width says nothing
against escape dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence

from escapedim.comparison.commands import command
from escapedim.comparison.counted import pooled, share
from escapedim.comparison.margins import rate_above, rate_below
from escapedim.comparison.rows.parts import either, not_measured, told
from escapedim.comparison.study import Study
from escapedim.records.comparison import Measured, Prediction, Row
from escapedim.records.experiments import Isolation, Share


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
    tested = _with_room([entry for _, entry in entries], study.margin)
    wrong = share(wins.count + fails.count, wins.of + fails.of)
    return Row(
        key="isolation",
        kind="directional",
        estimate=wrong.rate,
        interval=wrong.interval,
        unit="share",
        observations=wrong.of,
        prediction_tickets=Prediction(text="0, both of the two", low=0.0, high=study.margin),
        prediction_escape=Prediction(text="above 0, one of the two", low=study.margin, high=1.0),
        p_tickets=either(*(rate_above(one.count, one.of, study.margin) for one in both)) if both else None,
        p_escape=max(rate_below(one.count, one.of, study.margin) for one in tested) if tested else None,
        sentence=_sentence(wins, fails)
        + ("" if tested or not both else "; hardly any fail, or all do, so that nothing else was possible"),
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


def _with_room(entries: Sequence[Isolation], margin: float) -> list[Share]:
    """Return both rates over the widths where they could be above the margin, as far as there are any."""
    wins = pooled(entry.wins_given_none for entry in entries if 1 - (entry.q.rate or 0.0) > margin)
    fails = pooled(entry.fails_given_some for entry in entries if (entry.q.rate or 0.0) > margin)
    return [found for found in (wins, fails) if found.of]


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
