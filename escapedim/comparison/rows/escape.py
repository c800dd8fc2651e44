"""`escape`: failed members after a split and further training, against noise alone and against fresh narrow networks.

Leaving a strict saddle is a theorem; where networks land is what is scored. Embeddings that draw new random weights are
left out: they are no test of directions alone.
"""

from __future__ import annotations

from escapedim.comparison.commands import command
from escapedim.comparison.margins import independent_below, paired_above, paired_below
from escapedim.comparison.rows.parts import either, not_measured, percent, pooled, pooled_pairs, told
from escapedim.comparison.statistics import fisher, mcnemar
from escapedim.comparison.study import Source, Study
from escapedim.records.comparison import Measured, Prediction, Row
from escapedim.records.experiments import Escape, Share

Entries = list[tuple[Source, Escape]]


def row(study: Study) -> Row:
    """Return the row."""
    entries = [pair for pair in study.entries("escape") if pair[1].embedding.startswith("split") and pair[1].sources]
    if not entries:
        return _nothing(study)
    first, second, of = pooled_pairs(entry.against_noise for _, entry in entries)
    reached = pooled(entry.reached_global for _, entry in entries)
    noise = pooled(entry.controls.noise_only for _, entry in entries)
    narrow = pooled(entry.controls.fresh_narrow for _, entry in _once_a_width(entries))
    tickets = either(paired_above(first, second, of, study.margin), paired_below(first, second, of, -study.margin))
    room = max(noise.rate or 0.0, narrow.rate or 0.0) <= 1 - study.margin or tickets < study.level / 8
    return Row(
        key="escape",
        kind="directional",
        estimate=reached.rate,
        interval=reached.interval,
        unit="share",
        observations=of,
        prediction_tickets=_prediction("as with noise alone", noise, -study.margin, study.margin),
        prediction_escape=_prediction("above noise alone and fresh narrow networks", noise, study.margin, 1.0),
        p_tickets=tickets,
        p_escape=either(paired_below(first, second, of, study.margin), *_below_narrow(entries, study.margin))
        if room
        else None,
        sentence=_sentence(reached, noise, narrow, mcnemar(first, second))
        + ("" if room else f"; a control exceeds {percent(1 - study.margin)}, so that nothing can be above it"),
        method="paired score tests (Tango 1998) against noise alone, and independent ones (Farrington & Manning 1990) "
        "against fresh narrow networks, at the margin",
        inputs=list(dict.fromkeys(source.name for source, _ in entries)),
        measured=[_measured(entry) for _, entry in entries],
    )


def _nothing(study: Study) -> Row:
    tried = study.entries("escape")
    if study.widths() and not tried:
        needs = "no network failed that could be widened, or none was"
        more: dict[str, str | None] = {"--escape": None, "--replicates": _more_members(study)}
        return not_measured("escape", True, "share", needs, command(study, "widen", more, ("--no-escape",)))
    wanted = command(study, "widen", {"--escape": None, "--embedding": "split"}, ("--no-escape",))
    return not_measured("escape", True, "share", "no failed network was widened by a split", wanted)


def _more_members(study: Study) -> str:
    most = max((int(source.config.get("replicates", 0)) for source, _ in study.widths()), default=0)
    return str(10 * max(most, 10))


def _once_a_width(entries: Entries) -> Entries:
    """Return one entry of each source and width: entries of one width share their fresh networks."""
    return list({(source.name, entry.from_width): (source, entry) for source, entry in entries}.values())


def _below_narrow(entries: Entries, margin: float) -> list[float]:
    """P-values that networks of a width reach the minimum more often than its fresh ones, by more than the margin."""
    found = []
    for source, entry in _once_a_width(entries):
        own = [other for at, other in entries if at is source and other.from_width == entry.from_width]
        reached, fresh = pooled(one.reached_global for one in own), entry.controls.fresh_narrow
        if reached.of and fresh.of:
            found.append(independent_below((reached.count, reached.of), (fresh.count, fresh.of), margin))
    return found


def _prediction(text: str, noise: Share, low: float, high: float) -> Prediction:
    if noise.rate is None:
        return Prediction(text=text)
    return Prediction(text=text, low=max(0.0, noise.rate + low), high=min(1.0, noise.rate + high))


def _measured(entry: Escape) -> Measured:
    controls = {"noise only": entry.controls.noise_only, "fresh narrow": entry.controls.fresh_narrow,
                "fresh wide": entry.controls.fresh_wide}  # fmt: skip
    return Measured(
        what=f"width {entry.from_width} to {entry.to_width}, {entry.source_ending}",
        x=entry.from_width,
        estimate=entry.reached_global.rate,
        interval=entry.reached_global.interval,
        observations=entry.sources,
        predictions={name: found.rate for name, found in controls.items() if found.rate is not None},
        note=f"by {entry.judged_by}",
    )


def _sentence(reached: Share, noise: Share, narrow: Share, p: float | None) -> str:
    exact = "" if p is None else f" (exact McNemar test: p = {p:.2g})"
    fresh = fisher((reached.count, reached.of), (narrow.count, narrow.of))
    than = "" if fresh is None else f" (exact Fisher test: p = {fresh:.2g})"
    return (
        f"Of failed networks {told(reached)} succeed once they are widened by a split, {told(noise)} with noise "
        f"alone{exact}, and of fresh narrow networks {told(narrow)}{than}"
    )
