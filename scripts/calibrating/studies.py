"""One simulated study of a world, as the results that `escapedim widen` would have written, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from calibrating.worlds import World
from escapedim.comparison.counted import share
from escapedim.comparison.effective import effective_tickets
from escapedim.comparison.fitting import DISJOINT, FAMILY, fit_laws
from escapedim.comparison.merging import merged
from escapedim.comparison.rows import complement, escape, isolation, literal_tickets
from escapedim.comparison.statistics import mcnemar
from escapedim.comparison.study import LEVEL, Study, StudySource
from escapedim.comparison.tickets import complement_index
from escapedim.comparison.verdict import directed
from escapedim.comparison.widths import exhaustive, failures, stays
from escapedim.records.results import WidenResult

ROWS = (isolation, complement, escape, literal_tickets)


@dataclass(frozen=True)
class Said:
    """What was said of one study: wrong rows and laws, decided rows, true laws that were rejected, and coverage.

    `neither` of a prediction that is true is wrong too.

    `covered` has for each kind of interval how many covered the truth, of how many.
    """

    wrong_rows: int
    decided_rows: int
    wrong_law: bool
    preferred: bool
    true_rejected: int
    covered: dict[str, tuple[int, int]]


def study(world: World, seed: int, draws: int) -> Said:
    """Simulate a study and judge what is said of it."""
    rng = np.random.default_rng(seed)
    result = merged([WidenResult.model_validate(_result(world, rng)) for _ in range(world.shards)])
    found = Study([StudySource("widen", {"seed": 0}, result)], base_width=min(world.failure), task="simulated")
    rows = directed([row.row(found) for row in ROWS], LEVEL)
    decided = [row for row in rows if row.direction in ("tickets", "escape", "neither")]
    laws = fit_laws(failures(found), exhaustive(found), stays(found), found.base_width, LEVEL, seed, draws)
    by = {law.name: law for law in laws.laws}
    return Said(
        wrong_rows=sum(row.direction != (world.true_rows[row.key] or "neither") for row in decided),
        decided_rows=len(decided),
        wrong_law=laws.preferred is not None and laws.preferred not in world.true_laws,
        preferred=laws.preferred is not None,
        true_rejected=sum(bool(by[name].rejected) for name in world.true_laws),
        covered=_covered(world, result, by),
    )


def _result(world: World, rng: np.random.Generator) -> dict[str, Any]:
    stays_by = world.stay or {min(world.failure): 1 - world.escape}
    members = world.members // world.shards
    return {
        "success_criterion": "simulated",
        "widths": [_width(width, q, members, rng) for width, q in world.failure.items()],
        "isolation": [_isolation(world, width, rng) for width in world.isolation_widths],
        "complement": [_complement(world, rng)],
        "escape": [
            *(_escape(world, width, (1 - stay, world.noise, world.narrow), rng) for width, stay in stays_by.items()),
            *(_escape(world, width, (rate,) * 3, rng) for width, rate in world.full.items()),
        ],
    }


def _width(width: int, q: float, members: int, rng: np.random.Generator) -> dict[str, Any]:
    failed = int(rng.binomial(members, q))
    return {
        "width": width, "parameters": width, "members": members, "successes": members - failed,
        "success_rate": (members - failed) / members, "success_interval": share(members - failed, members).interval,
        "endings": {"undecided": members}, "loss_quantiles": {}, "median_steps": None, "lr": 0.1,
    }  # fmt: skip


def _share(count: int, of: int) -> dict[str, Any]:
    return share(int(count), int(of)).model_dump()


def _paired(first: np.ndarray, second: np.ndarray) -> dict[str, Any]:
    counts = [int((first & second).sum()), int((first & ~second).sum()), int((~first & second).sum())]
    neither = len(first) - sum(counts)
    names = ("both", "first_only", "second_only")
    return {**dict(zip(names, counts, strict=True)), "neither": neither, "p": mcnemar(counts[1], counts[2])}


def _isolation(world: World, width: int, rng: np.random.Generator) -> dict[str, Any]:
    of = (world.isolated or world.members) // world.shards
    some, draw = rng.random(of) < world.some, rng.random(of)
    wins_given_none = world.apart.get(width, world.wins_given_none)
    wide = np.where(some, draw >= world.fails_given_some, draw < wins_given_none)
    return {
        "width": width, "members": of, "sampled": False, "table": _paired(wide, some),
        "sizes": [{"units": units, "trained": 1, "there": 1, "winning": _share(some.sum(), of)}
                  for units in range(min(world.failure), width)],
        "wins_given_none": _share((wide & ~some).sum(), (~some).sum()),
        "fails_given_some": _share((~wide & some).sum(), some.sum()), "q": _share((~wide).sum(), of),
        "q_lit": _share((~some).sum(), of),
    }  # fmt: skip


def _escape(world: World, width: int, rates: tuple[float, ...], rng: np.random.Generator) -> dict[str, Any]:
    """`rates` of success are those of widened networks, with noise alone, and of fresh narrow ones."""
    sources = world.sources
    first, second = (rng.random(sources) < rate for rate in rates[:2])
    narrow, wide = (rng.binomial(world.members, p) for p in (rates[2], world.wide))
    return {
        "from_width": width, "to_width": width + 1, "by": 1, "embedding": "split", "alpha": 0.5,
        "perturbation": "noise", "sources": sources, "source_ending": "bad minimum", "judged_by": "ending",
        "negative_directions": None, "lambda_min": None, "opened_gradient": None, "escaped": None,
        "reached_global": _share(first.sum(), sources), "landings": [],
        "controls": {"noise_only": _share(second.sum(), sources), "fresh_narrow": _share(narrow, world.members),
                     "fresh_wide": _share(wide, world.members)},
        "against_noise": _paired(first, second), "replicates": list(range(sources)),
        "loss_before": [0.1] * sources, "loss_after": [0.1] * sources, "loss_noise_only": [0.1] * sources,
    }  # fmt: skip


def _complement(world: World, rng: np.random.Generator) -> dict[str, Any]:
    counts = _clustered(world, world.winner, rng)
    retests = [None] * world.tickets if world.retest is None else _clustered(world, world.retest, rng)
    members = world.members // world.shards
    fresh = (int(rng.binomial(members, world.fresh)), members)
    pairs = list(zip(counts, retests, strict=True))
    index = complement_index(
        [(count / world.draws, None if again is None else again / world.draws) for count, again in pairs], fresh
    )
    tickets = [{"replicate": at, "retest": again, "successes": {"1": count}} for at, (count, again) in enumerate(pairs)]
    nothing = {"value": None, "interval": None}
    return {
        "width": 7, "units": 6, "draws": world.draws, "deterministic": world.retest is None,
        "winners": {"tickets": tickets, "retest": nothing,
                    "surrounded": [{"scale": 1.0, "rate": nothing, "networks": 0, "successes": 0}]},
        "losers": {"tickets": [], "retest": nothing, "surrounded": []}, "fresh": _share(*fresh),
        "index": {"value": index.value, "interval": index.interval}, "reason": index.reason,
    }  # fmt: skip


def _clustered(world: World, rate: float, rng: np.random.Generator) -> list[int]:
    """Return how many of `draws` networks succeed, of each ticket."""
    if world.concentration is None:
        rates = np.clip(rate + world.spread * rng.standard_normal(world.tickets), 0, 1)
    else:
        rates = rng.beta(world.concentration * rate, world.concentration * (1 - rate), world.tickets)
    return [int(count) for count in rng.binomial(world.draws, rates)]


def _covered(world: World, result: WidenResult, by: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """Return the coverage of rates, effective tickets, the index and law parameters.

    Of rates and tickets those cells count that expect at least 5 successes and 5 failures.
    """
    base = min(world.failure)
    cells = {n: q for n, q in world.failure.items() if 5 <= q * world.members <= world.members - 5}
    entries = {entry.width: entry for entry in result.widths}
    rates = [_inside(1 - q, entries[n].success_interval) for n, q in cells.items()]
    tickets = []
    for width in cells:
        if width != base and base in cells:
            pair = [(entries[at].members - entries[at].successes, entries[at].members) for at in (base, width)]
            found = effective_tickets(*pair)
            truth = np.log(world.failure[width]) / np.log(world.failure[base])
            known = found.low is not None and found.high is not None
            tickets += [_inside(float(truth), (found.low, found.high))] if known else []
    index = result.complement[0].index.interval
    spread = world.spread if world.concentration is None else 0.0
    again = 1.0 if world.retest is None else _mean_of_clipped(world.retest, spread)
    truth = (_mean_of_clipped(world.winner, spread) - world.fresh) / (again - world.fresh)
    parameters = []
    for name, key, value in ((DISJOINT, "q(r)", world.failure[base]), (FAMILY, "γ", world.gamma)):
        if name in world.true_laws and value is not None and by[name].parameters:
            found_parameters = by[name].parameters
            parameters.append(_inside(value, (found_parameters[f"{key} low"], found_parameters[f"{key} high"])))
    return {
        "rates": (sum(rates), len(rates)),
        "effective tickets": (sum(tickets), len(tickets)),
        "A": (int(index is not None and _inside(truth, index)), int(index is not None)),
        "law parameters": (sum(parameters), len(parameters)),
    }


def _mean_of_clipped(mean: float, spread: float) -> float:
    """Mean of a normal variable that is clipped to 0 and 1."""
    if not spread:
        return min(1.0, max(0.0, mean))
    grid = mean + spread * np.linspace(-6, 6, 20_001)
    weights = np.exp(-0.5 * np.linspace(-6, 6, 20_001) ** 2)
    return float((np.clip(grid, 0, 1) * weights).sum() / weights.sum())


def _inside(value: float, bounds: Any) -> bool:
    return bool(bounds is not None and bounds[0] <= value <= bounds[1])
