"""Tables of the experiments beside width scaling: isolation, complement, escape, restarts, transient and halving."""

from __future__ import annotations

from escapedim.records.experiments import Complement, Escape, Halving, Isolation, Restarts, Transient
from escapedim.records.results import WidenResult
from escapedim.reporting.tables.plain import Cell, Table, estimated, of_records, paired, share

_INTERVALS = "rates with 95 % Wilson intervals"


def tables(result: WidenResult) -> list[Table]:
    """Return a table for each experiment that has entries."""
    return [
        *of_records(
            "isolation",
            f"Wide networks (first) against their own subnetworks trained alone (second); {_INTERVALS}. q: share of "
            "wide networks that fail; q_lit: share without a winning subnetwork (an upper bound where sampled).",
            [_isolation(entry) for entry in result.isolation],
        ),
        *of_records(
            "complement",
            "Success of tickets retested alone and among fresh other units, by scale; intervals (95 %) clustered by "
            "ticket.",
            [record for entry in result.complement for record in _complement(entry)],
        ),
        *of_records(
            "complement_index",
            "A = (P_winner - P_fresh) / (P_retest - P_fresh): 1 where the ticket decides, 0 where its surroundings do.",
            [_index(entry) for entry in result.complement],
        ),
        *of_records(
            "escape",
            f"Failed members widened and trained on, with controls; {_INTERVALS}. Pairs: widened (first), noise only.",
            [_escape(entry) for entry in result.escape],
        ),
        *of_records(
            "escape_members",
            "Training losses of each failed member before and after widening, and of the noise-only control.",
            [record for entry in result.escape for record in _members(entry)],
        ),
        *of_records(
            "transient",
            f"Failed members widened for some steps, merged back and trained on; {_INTERVALS}. Pairs: widened (first), "
            "noise only.",
            [_transient(entry) for entry in result.transient],
        ),
        *of_records(
            "restarts",
            f"Best of k narrow networks against one wide one at equal cost; {_INTERVALS}.",
            [_restarts(entry) for entry in result.restarts],
        ),
        *of_records(
            "step_halving",
            f"Members trained again with half the step; {_INTERVALS}. Pairs: whole step (first), half of it.",
            [_halving(entry) for entry in result.step_halving],
        ),
    ]


def _isolation(entry: Isolation) -> dict[str, Cell]:
    return {
        "width": entry.width,
        "members": entry.members,
        "subnetwork_units": " ".join(str(size.units) for size in entry.sizes),
        "subnetworks_trained": sum(size.trained for size in entry.sizes),
        "subnetworks_there": sum(size.there for size in entry.sizes),
        "sampled": entry.sampled,
        **paired(entry.table),
        **share("wins_given_none", entry.wins_given_none),
        **share("fails_given_some", entry.fails_given_some),
        **share("q", entry.q),
        **share("q_lit", entry.q_lit),
    }


def _complement(entry: Complement) -> list[dict[str, Cell]]:
    records: list[dict[str, Cell]] = []
    for name, kind in (("winning", entry.winners), ("losing", entry.losers)):
        head: dict[str, Cell] = {"width": entry.width, "units": entry.units, "tickets": name}
        count: dict[str, Cell] = {"ticket_count": len(kind.tickets), "draws": entry.draws}
        records.append({**head, "rest": "alone", "scale": None, **count, **estimated("success_rate", kind.retest)})
        records += [
            {
                **head,
                "rest": "fresh",
                "scale": one.scale,
                **count,
                **estimated("success_rate", one.rate),
                "successes": one.successes,
                "networks": one.networks,
            }
            for one in kind.surrounded
        ]
    return records


def _index(entry: Complement) -> dict[str, Cell]:
    return {
        "width": entry.width,
        "units": entry.units,
        "deterministic": entry.deterministic,
        **share("fresh", entry.fresh),
        **estimated("A", entry.index),
        "reason": entry.reason or None,
    }


def _escape(entry: Escape) -> dict[str, Cell]:
    directions = entry.negative_directions
    return {
        **_embedding(entry),
        "sources": entry.sources,
        "judged_by": entry.judged_by,
        **share("reached_global", entry.reached_global),
        **share("noise_only", entry.controls.noise_only),
        **share("fresh_narrow", entry.controls.fresh_narrow),
        **share("fresh_wide", entry.controls.fresh_wide),
        **share("escaped", entry.escaped),
        **paired(entry.against_noise),
        "negative_directions_min": None if directions is None else directions.min,
        "negative_directions_median": None if directions is None else directions.median,
        "negative_directions_max": None if directions is None else directions.max,
        "lambda_min": entry.lambda_min,
        "opened_gradient": entry.opened_gradient,
        "reason": entry.reason or None,
    }


def _embedding(entry: Escape) -> dict[str, Cell]:
    return {
        "from_width": entry.from_width,
        "to_width": entry.to_width,
        "layer": entry.layer,
        "embedding": entry.embedding,
        "alpha": entry.alpha,
        "perturbation": entry.perturbation,
        "source_ending": entry.source_ending,
    }


def _members(entry: Escape) -> list[dict[str, Cell]]:
    lists = (entry.replicates, entry.loss_before, entry.loss_after, entry.loss_noise_only)
    names = ("replicate", "loss_before", "loss_after", "loss_noise_only")
    return [{**_embedding(entry), **dict(zip(names, found, strict=True))} for found in zip(*lists, strict=True)]


def _transient(entry: Transient) -> dict[str, Cell]:
    return {
        "width": entry.width,
        "by": entry.by,
        "steps": entry.steps,
        "source_ending": entry.source_ending,
        "sources": entry.sources,
        "judged_by": entry.judged_by,
        **share("merged", entry.merged),
        **share("noise_only", entry.noise_only),
        **paired(entry.against_noise),
    }


def _restarts(entry: Restarts) -> dict[str, Cell]:
    return {
        "narrow": entry.narrow,
        "width": entry.width,
        "narrow_multiply_adds": entry.narrow_multiply_adds,
        "wide_multiply_adds": entry.wide_multiply_adds,
        "k": entry.k,
        **share("narrow_success", entry.narrow_success),
        **estimated("best_of_k", entry.best_of_k),
        **share("wide_success", entry.wide_success),
    }


def _halving(entry: Halving) -> dict[str, Cell]:
    return {"width": entry.width, "members": entry.members, **share("changed", entry.changed), **paired(entry.table)}
