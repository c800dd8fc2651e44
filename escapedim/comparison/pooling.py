"""Experiments of several shards made one: entries about the same thing, counted together.

Counts, tables and lists add up, costs are means over members, and what was computed from counts is computed anew. A
median cannot be had from those of the parts: where all values of all parts are the same it stays, otherwise it is left
out.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from escapedim.comparison.counted import pooled, pooled_table
from escapedim.comparison.escapes import way
from escapedim.comparison.statistics import best_of
from escapedim.comparison.tickets import complement_index, describe_tickets, entry_shares
from escapedim.records.columns import Model
from escapedim.records.experiments import (
    Complement,
    Controls,
    Escape,
    Estimated,
    Halving,
    Isolation,
    Landing,
    Restarts,
    Share,
    Spread,
    Subnetworks,
    Tickets,
    Transient,
)
from escapedim.records.results import WidenResult

E = TypeVar("E", bound=Model)


def experiments(results: Sequence[WidenResult]) -> dict[str, list[Any]]:
    """Return the entries of all experiments of several results, those about the same thing as one."""
    return {
        "isolation": _grouped((r.isolation for r in results), _isolation_key, _isolation),
        "complement": _grouped((r.complement for r in results), _complement_key, _complement),
        "escape": _grouped((r.escape for r in results), _escape_key, _escape),
        "restarts": _grouped((r.restarts for r in results), lambda one: (one.narrow, one.width), _restarts),
        "transient": _grouped((r.transient for r in results), _transient_key, _transient),
        "step_halving": _grouped((r.step_halving for r in results), lambda one: one.width, _halving),
    }


def _grouped(lists: Iterable[Sequence[E]], key: Callable[[E], Hashable], join: Callable[[Sequence[E]], E]) -> list[E]:
    groups: dict[Hashable, list[E]] = {}
    for entry in (entry for part in lists for entry in part):
        groups.setdefault(key(entry), []).append(entry)
    return [parts[0] if len(parts) == 1 else join(parts) for parts in groups.values()]


def _isolation_key(one: Isolation) -> Hashable:
    sizes = tuple((size.units, size.trained, size.there) for size in one.sizes)
    return one.width, one.sampled, sizes, tuple(sorted(one.rescaled.items()))


def _isolation(parts: Sequence[Isolation]) -> Isolation:
    alone = [one.wins_given_none for one in parts]
    return parts[0].model_copy(
        update={
            "members": sum(one.members for one in parts),
            "sizes": [_subnetworks(sizes) for sizes in zip(*(one.sizes for one in parts), strict=True)],
            "table": pooled_table(one.table for one in parts),
            "wins_given_none": None if None in alone else pooled(alone),
            **_shares(parts, "fails_given_some", "q", "q_lit"),
        }
    )


def _subnetworks(parts: Sequence[Subnetworks]) -> Subnetworks:
    return parts[0].model_copy(update={"winning": pooled(one.winning for one in parts)})


def _shares(parts: Sequence[Model], *names: str) -> dict[str, Share]:
    return {name: pooled(getattr(one, name) for one in parts) for name in names}


def _complement_key(one: Complement) -> Hashable:
    scales = [tuple(found.scale for found in kind.surrounded) for kind in (one.winners, one.losers)]
    return one.width, one.units, one.draws, one.deterministic, *scales, tuple(sorted(one.rescaled.items()))


def _complement(parts: Sequence[Complement]) -> Complement:
    first, fresh = parts[0], pooled(one.fresh for one in parts)
    retests = 1 if first.deterministic else first.draws
    kinds = {name: _tickets([getattr(one, name) for one in parts], first.draws, retests, name == "winners")
             for name in ("winners", "losers")}  # fmt: skip
    shares = entry_shares(kinds["winners"].tickets, first.draws, retests)
    index = complement_index(shares, (fresh.count, fresh.of))
    return first.model_copy(
        update={
            **kinds,
            "fresh": fresh,
            "index": Estimated(value=index.value, interval=index.interval),
            "reason": index.reason,
        }
    )


def _tickets(parts: Sequence[Tickets], draws: int, retests: int, won: bool) -> Tickets:
    tickets = [ticket for one in parts for ticket in one.tickets]
    return describe_tickets(tickets, draws, retests, [one.scale for one in parts[0].surrounded], won)


def _escape_key(one: Escape) -> Hashable:
    return one.from_width, one.to_width, way(one), one.source_ending, one.judged_by, one.critical, one.reason


def _escape(parts: Sequence[Escape]) -> Escape:
    left = [one.escaped for one in parts]
    lists = ("replicates", "loss_before", "loss_after", "loss_noise_only")
    return parts[0].model_copy(
        update={
            "sources": sum(one.sources for one in parts),
            "negative_directions": _spread([one.negative_directions for one in parts]),
            "lambda_min": min((one.lambda_min for one in parts if one.lambda_min is not None), default=None),
            "opened_gradient": max(
                (one.opened_gradient for one in parts if one.opened_gradient is not None), default=None
            ),
            "escaped": None if None in left else pooled(left),
            **_shares(parts, "reached_global"),
            "landings": _landings(parts),
            "controls": Controls(**_shares([one.controls for one in parts], *Controls.model_fields)),
            "against_noise": pooled_table(one.against_noise for one in parts),
            **{name: [value for one in parts for value in getattr(one, name)] for name in lists},
        }
    )


def _spread(parts: Sequence[Spread | None]) -> Spread | None:
    known = [one for one in parts if one is not None]
    values = {value for one in known for value in (one.min, one.median, one.max)}
    return known[0] if len(values) == 1 and len(known) == len(parts) else None


def _landings(parts: Sequence[Escape | Transient]) -> list[Landing]:
    """Return the landings of all parts; losses of one level agree to rounding, and are told apart beyond it."""
    counts: dict[tuple[str, str | None], list[Landing]] = {}
    for landing in (landing for one in parts for landing in one.landings):
        level = None if landing.loss is None else f"{landing.loss:.5g}"
        counts.setdefault((landing.ending, level), []).append(landing)
    found = [same[0].model_copy(update={"members": sum(one.members for one in same)}) for same in counts.values()]
    return sorted(found, key=lambda landing: -landing.members)


def _restarts(parts: Sequence[Restarts]) -> Restarts:
    narrow, wide = (pooled(getattr(one, name) for one in parts) for name in ("narrow_success", "wide_success"))
    costs = {
        "narrow_multiply_adds": _mean([(one.narrow_success.of, one.narrow_multiply_adds) for one in parts]),
        "wide_multiply_adds": _mean([(one.wide_success.of, one.wide_multiply_adds) for one in parts]),
    }
    k = costs["wide_multiply_adds"] / costs["narrow_multiply_adds"]
    best = best_of(narrow.count, narrow.of, k)
    return parts[0].model_copy(
        update={
            **costs,
            "k": k,
            "narrow_success": narrow,
            "wide_success": wide,
            "best_of_k": Estimated(value=best[0] if best else None, interval=best[1] if best else None),
        }
    )


def _mean(weighted: Sequence[tuple[int, float]]) -> float:
    return sum(weight * value for weight, value in weighted) / sum(weight for weight, _ in weighted)


def _transient_key(one: Transient) -> Hashable:
    return one.width, one.by, one.steps, one.source_ending, one.judged_by


def _transient(parts: Sequence[Transient]) -> Transient:
    return parts[0].model_copy(
        update={
            "sources": sum(one.sources for one in parts),
            **_shares(parts, "merged", "noise_only"),
            "landings": _landings(parts),
            "against_noise": pooled_table(one.against_noise for one in parts),
        }
    )


def _halving(parts: Sequence[Halving]) -> Halving:
    return parts[0].model_copy(
        update={
            "members": sum(one.members for one in parts),
            **_shares(parts, "changed"),
            "table": pooled_table(one.table for one in parts),
            "endings": added(one.endings for one in parts),
            "halved_endings": added(one.halved_endings for one in parts),
        }
    )


def added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return the sums by name."""
    total: dict[str, int] = {}
    for part in counts:
        for name, count in part.items():
            total[name] = total.get(name, 0) + count
    return total
