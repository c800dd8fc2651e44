"""`escape`: failed members after a split and further training, against noise alone and against fresh narrow networks.

Leaving a strict saddle is a theorem; where networks land is what is scored. Embeddings that draw new random weights are
left out: they are no test of directions alone. Networks are told apart by width and by how they are judged: one such
stratum that contradicts a prediction is enough, and all must show it. Where a control hardly ever fails nothing can be
above it, and where neither fresh wide networks nor those with noise alone succeed a way out leads nowhere: such widths
speak against neither, and are left out where a prediction has to be shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from escapedim.comparison.commands import command
from escapedim.comparison.counted import pooled, pooled_pairs
from escapedim.comparison.escapes import Entries, others, splits
from escapedim.comparison.margins import independent_above, independent_below, paired_above, paired_below
from escapedim.comparison.rows.building import Pairs, PValues, either, equality, not_measured, percent, told, with_sum
from escapedim.comparison.statistics import fisher, holm, mcnemar
from escapedim.comparison.study import Study
from escapedim.records.comparison import Measured, Prediction, Row
from escapedim.records.experiments import Escape, Share


@dataclass(frozen=True)
class _Stratum:
    """Failed networks of one width that are judged alike, and their controls."""

    entries: Sequence[Escape]

    @property
    def reached(self) -> Share:
        return pooled(entry.reached_global for entry in self.entries)

    @property
    def noise(self) -> Share:
        return pooled(entry.controls.noise_only for entry in self.entries)

    @property
    def narrow(self) -> Share:
        """Fresh narrow networks: all entries of a width share them."""
        return self.entries[0].controls.fresh_narrow

    @property
    def pairs(self) -> Pairs:
        return pooled_pairs(entry.against_noise for entry in self.entries)

    @property
    def against_narrow(self) -> tuple[tuple[int, int], tuple[int, int]]:
        return (self.reached.count, self.reached.of), (self.narrow.count, self.narrow.of)

    def room(self, margin: float) -> bool:
        """Say whether networks could be above both controls, and whether there is anything to reach."""
        noise, wide = self.noise.rate or 0.0, self.entries[0].controls.fresh_wide.rate or 0.0
        return max(noise, self.narrow.rate or 0.0) <= 1 - margin and max(noise, wide) >= margin


def row(study: Study) -> Row:
    """Return the row."""
    entries = splits(study)
    if not entries:
        return _nothing(study)
    strata = _strata(entries)
    first, second, of = pooled_pairs(entry.against_noise for _, entry in entries)
    reached, noise = (pooled(getattr(one, name) for one in strata) for name in ("reached", "noise"))
    roomy = [one for one in strata if one.room(study.margin)]
    return Row(
        key="escape",
        kind="directional",
        estimate=reached.rate,
        interval=reached.interval,
        unit="share",
        observations=of,
        prediction_tickets=_prediction("as with noise alone", noise, -study.margin, study.margin),
        prediction_escape=_prediction("above noise alone and fresh narrow networks", noise, study.margin, 1.0),
        **_p_values(strata, roomy, study.margin),
        sentence=_sentence(strata, reached, noise, mcnemar(first, second))
        + _left_out(len(strata), len(roomy), study.margin)
        + _no_way_opened(entries)
        + _uncounted(study, entries),
        method="exact tests, paired against noise alone and independent against fresh narrow networks, at the margin "
        "(Bonferroni), at each width and over all",
        inputs=list(dict.fromkeys(source.name for source, _ in entries)),
        measured=[_measured(entry) for _, entry in (*entries, *others(study, entries))],
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


def _strata(entries: Entries) -> list[_Stratum]:
    found: dict[tuple[str, int, str], list[Escape]] = {}
    for source, entry in entries:
        found.setdefault((source.name, entry.from_width, entry.judged_by), []).append(entry)
    return [_Stratum(own) for own in found.values()]


def _p_values(strata: Sequence[_Stratum], roomy: Sequence[_Stratum], margin: float) -> PValues:
    """Return the p-values of both predictions and of their contraries: a stratum is enough against, all are for.

    Without room only networks that do worse than with noise alone speak against escape dimensions.
    """
    tables, telling = [one.pairs for one in strata], [one.pairs for one in roomy]
    above = [paired_above(*pairs, margin) for pairs in with_sum(tables)]
    beyond = [paired_below(*pairs, -margin) for pairs in with_sum(tables)]
    below = [paired_below(*pairs, margin) for pairs in with_sum(telling)]
    below_narrow = [independent_below(*one.against_narrow, margin) for one in roomy]
    shown = [max(paired_above(*one.pairs, margin), independent_above(*one.against_narrow, margin)) for one in roomy]
    return {
        "p_tickets": either(*above, *beyond),
        "p_escape": either(*below, *below_narrow) if roomy else either(*beyond),
        "p_not_tickets": equality(telling, margin),
        "p_not_escape": max(shown, default=1.0),
    }


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


def _sentence(strata: Sequence[_Stratum], reached: Share, noise: Share, p: float | None) -> str:
    exact = "" if p is None else f" (exact McNemar test: p = {p:.2g})"
    return (
        f"Of failed networks {told(reached)} succeed once they are widened by a split, {told(noise)} with noise "
        f"alone{exact}, and of fresh narrow networks {_narrow_rates(strata)}{_fisher(strata)}"
    )


def _narrow_rates(strata: Sequence[_Stratum]) -> str:
    if len(strata) == 1:
        return told(strata[0].narrow)
    known = [(one.reached.of, one.narrow.rate) for one in strata if one.narrow.rate is not None]
    total = sum(weight for weight, _ in known)
    mean = sum(weight * rate for weight, rate in known) / total if total else None
    return f"{percent(mean)} in the mean over widths by failed networks"


def _fisher(strata: Sequence[_Stratum]) -> str:
    found = [p for one in strata for p in [fisher(*one.against_narrow)] if p is not None]
    if not found:
        return ""
    p = min(holm(found))
    return (
        f" (exact Fisher test{'' if len(found) == 1 else f's by width, the least of {len(found)}, Holm'}: p = {p:.2g})"
    )


def _left_out(strata: int, roomy: int, margin: float) -> str:
    if roomy == strata:
        return ""
    why = f"a control exceeds {percent(1 - margin)} or all stay below {percent(margin)}"
    if not roomy:
        return f"; {why}, so that nothing can be above it and worth reaching"
    left = strata - roomy
    return f"; at {left} of {strata} widths {why}, which is no evidence of equality"


def _no_way_opened(entries: Entries) -> str:
    opened = [entry.negative_directions for _, entry in entries if entry.negative_directions is not None]
    if not opened or any(one.max > 0 for one in opened):
        return ""
    return "; the split opened no direction of negative curvature where it was looked for"


def _uncounted(study: Study, entries: Entries) -> str:
    left = len(others(study, entries))
    if not left:
        return ""
    how = "one further entry" if left == 1 else f"{left} further entries"
    return f"; {how} of the same kind of networks, widened otherwise, not counted here"
