"""`equal_parameters`: tickets and their controls against dense narrow networks with as many weights. A description.

A dense network of one hidden layer of n units has n (inputs + outputs) weights; the partner of a round is the width
whose number is nearest, if it is within a tenth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from escapedim.comparison.commands import command
from escapedim.comparison.counted import share
from escapedim.comparison.margins import combined_interval
from escapedim.comparison.rows.building import not_measured, percent
from escapedim.comparison.study import Study, StudySource
from escapedim.records.comparison import Measured, Row
from escapedim.records.experiments import Share
from escapedim.records.results import LotteryResult, Round, Width

WITHIN = 0.1  # of the weights of a ticket; ours


@dataclass(frozen=True)
class _Pair:
    source: str
    round: Round
    width: Width
    weights: int
    dense: Share


def row(study: Study) -> Row:
    """Return the row; its estimate is that of the last round that has a partner."""
    lotteries = [(source, result) for source, result in study.of(LotteryResult) if len(result.rounds) > 1]
    if not lotteries:
        wanted = command(study, "prune", {})
        return not_measured("equal_parameters", False, "share", "no tickets were trained", wanted)
    pairs = [pair for source, result in lotteries for pair in _pairs(study, source, result)]
    if not pairs:
        needs = "no width has as many weights as a ticket (within a tenth)"
        if all(source.config.get("hidden") == [] for source, _ in lotteries):
            needs = "how many weights a width has is known of fully connected networks only"
        return not_measured("equal_parameters", False, "share", needs, _wanted(study, lotteries))
    of_pairs = [_measured(pair, len(lotteries) > 1) for pair in pairs]
    measured, pair = [one for own in of_pairs for one in own], pairs[-1]
    last = of_pairs[-1][list(pair.round.arms).index("ticket")]
    bounds = "" if last.interval is None else f" ({100 * last.interval[0]:+.1f} to {100 * last.interval[1]:+.1f})"
    difference = "-" if last.estimate is None else f"{100 * last.estimate:+.1f}"
    return Row(
        key="equal_parameters",
        kind="descriptive",
        estimate=last.estimate,
        interval=last.interval,
        unit="share",
        observations=last.observations,
        sentence=(
            f"With {pair.round.surviving:,.0f} weights (round {pair.round.round}) tickets succeed in "
            f"{percent(last.predictions.get('pruned'))}, dense networks of width {pair.width.width} with "
            f"{pair.weights:,} weights in {percent(pair.dense.rate)}: {difference}{bounds} points"
        ),
        method="difference of independent rates (MOVER of Wilson intervals)",
        inputs=[source.name for source, _ in (*lotteries, *study.widths())],
        measured=measured,
    )


def _pairs(study: Study, source: StudySource, result: LotteryResult) -> list[_Pair]:
    per_unit = _weights_per_unit(source, result)
    widths = [entry for _, widen in study.widths() for entry in widen.widths]
    if per_unit is None or not widths:
        return []
    found = []
    for entry in (one for one in result.rounds[1:] if "ticket" in one.arms):
        nearest = min(widths, key=lambda width: abs(width.width * per_unit - entry.surviving))
        weights = nearest.width * per_unit
        if _alike(weights, entry.surviving) and nearest.members:
            found.append(_Pair(source.name, entry, nearest, weights, share(nearest.successes, nearest.members)))
    return found


def _weights_per_unit(source: StudySource, result: LotteryResult) -> int | None:
    """Inputs and outputs of the task, from the dense layers of a pruned network; None where they cannot be told."""
    hidden, layers = source.config.get("hidden"), result.rounds[0].layers
    if not (isinstance(hidden, list) and hidden and len(layers) >= 2 and all(hidden)):
        return None
    return layers[0].total // int(hidden[0]) + layers[-1].total // int(hidden[-1])


def _wanted(study: Study, lotteries: Sequence[tuple[StudySource, LotteryResult]]) -> str:
    """Return the command for the width that the sparsest ticket with a partner needs, or for larger tickets."""
    source, result = lotteries[0]
    per_unit = _weights_per_unit(source, result)
    for entry in reversed(result.rounds[1:]):
        width = max(1, round(entry.surviving / (per_unit or 1)))
        if per_unit and _alike(width * per_unit, entry.surviving):
            known = {str(entry.width) for _, widen in study.widths() for entry in widen.widths}
            return command(study, "widen", {"--widths": ",".join(sorted({*known, str(width)}, key=int))})
    hidden = source.config.get("hidden")
    if hidden == []:  # a family of networks
        return command(study, "widen", {"--model": "mlp"})
    units = 10 * int(hidden[0]) if isinstance(hidden, list) and hidden else 100
    return command(study, "prune", {"--hidden": str(units)})


def _alike(weights: float, surviving: float) -> bool:
    return abs(weights - surviving) <= WITHIN * surviving


def _measured(pair: _Pair, named: bool) -> list[Measured]:
    found = []
    for name, arm in pair.round.arms.items():
        own = share(sum(arm.success), len(arm.success))
        known = own.rate is not None and own.interval and pair.dense.rate is not None and pair.dense.interval
        found.append(
            Measured(
                what=(f"{pair.source}, " if named else "")
                + f"round {pair.round.round}: {name} against width {pair.width.width}",
                x=pair.round.density,
                estimate=(own.rate or 0.0) - (pair.dense.rate or 0.0) if known else None,
                interval=combined_interval((own.rate, own.interval), (pair.dense.rate, pair.dense.interval))
                if own.rate is not None and own.interval and pair.dense.rate is not None and pair.dense.interval
                else None,
                observations=own.of + pair.dense.of,
                predictions={} if own.rate is None else {"pruned": own.rate, "dense": pair.dense.rate or 0.0},
            )
        )
    return found
