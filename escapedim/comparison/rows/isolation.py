"""`isolation`: wide networks against their own unit subnetworks, trained alone from the same weights in the same order.

Read literally, tickets predict that a wide network succeeds if and only if one of its subnetworks wins alone: that both
ways to be wrong have a rate of 0, at every width. Escape dimensions predict the contrary, that one of them is above 0.
Both rates are tested against the margin, at each width and over all: one that is above it is enough, and all must be
shown to be below. Where not all subnetworks of all sizes from R to n - 1 were trained, "none wins" is not known, and
only "fails although one wins" counts. Where hardly any wide network of a width fails, none can fail in spite of a
winner, and where hardly any succeeds, none can without one: such a width says nothing against escape dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass

from escapedim.comparison.commands import isolate
from escapedim.comparison.counted import pooled, share
from escapedim.comparison.margins import rate_above, rate_below
from escapedim.comparison.rows.building import either, not_measured, told
from escapedim.comparison.study import Study
from escapedim.comparison.widths import is_whole
from escapedim.records.comparison import Measured, Prediction, Row
from escapedim.records.experiments import Isolation, Share


def row(study: Study) -> Row:
    """Return the row."""
    entries = study.entries("isolation")
    if not entries:
        return not_measured("isolation", True, "share", "no subnetworks were trained alone", isolate(study))
    by_width = _by_width(study)
    wins = pooled(found.wins for found in by_width.values())
    fails = pooled(found.fails for found in by_width.values())
    single = [rate for found in by_width.values() for rate in (found.wins, found.fails) if rate.of]
    tested = [rate for found in by_width.values() for rate in found.with_room(study.margin)]
    wrong = share(wins.count + fails.count, wins.of + fails.of)
    above = [rate_above(one.count, one.of, study.margin) for one in (wins, fails, *single) if one.of]
    return Row(
        key="isolation",
        kind="directional",
        estimate=wrong.rate,
        interval=wrong.interval,
        unit="share",
        observations=wrong.of,
        prediction_tickets=Prediction(text="0, both of the two", low=0.0, high=study.margin),
        prediction_escape=Prediction(text="above 0, one of the two", low=study.margin, high=1.0),
        p_tickets=either(*above) if above else None,
        p_escape=max(rate_below(one.count, one.of, study.margin) for one in tested) if tested else None,
        sentence=_sentence(wins, fails)
        + ("" if tested or not single else "; hardly any fail, or all do, so that nothing else was possible"),
        method="exact binomial tests of both rates against the margin (Bonferroni), at each width and over all",
        inputs=list(dict.fromkeys(source.name for source, _ in entries)),
        measured=[
            measured
            for width, found in by_width.items()
            for what, rate in (("succeed although none wins", found.wins), ("fail although some win", found.fails))
            if rate.of
            for measured in [_measured(f"width {width}: {what}", width, rate)]
        ],
    )


@dataclass(frozen=True)
class _Width:
    """Both rates of one width, that of wins over whole entries only, and the failure rate."""

    wins: Share
    fails: Share
    q: Share

    def with_room(self, margin: float) -> list[Share]:
        """Return the rates that could be above the margin."""
        q = self.q.rate or 0.0
        return [rate for rate, most in ((self.wins, 1 - q), (self.fails, q)) if rate.of and most > margin]


def _by_width(study: Study) -> dict[int, _Width]:
    groups: dict[int, list[Isolation]] = {}
    for _, entry in study.entries("isolation"):
        groups.setdefault(entry.width, []).append(entry)
    return {
        width: _Width(
            wins=pooled(entry.wins_given_none for entry in own if is_whole(study, entry)),
            fails=pooled(entry.fails_given_some for entry in own),
            q=pooled(entry.q for entry in own),
        )
        for width, own in sorted(groups.items())
    }


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
