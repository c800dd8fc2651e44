"""Tables of a lottery result: rounds by arms, the contrasts between them, and layers."""

from __future__ import annotations

from escapedim.records.results import LotteryResult, Round
from escapedim.reporting import arms
from escapedim.reporting.tables.plain import Cell, Table, bounds, mean, of_records

_MEASURES = ("train_loss", "train_accuracy", "test_loss", "test_accuracy", "test_accuracy_at_best_validation")


def tables(result: LotteryResult) -> list[Table]:
    """Return rounds by arms, contrasts and layers."""
    return [
        *of_records(
            "rounds",
            "Rounds by arms: mean, standard error and count over replicates, and successes; accuracies are shares.",
            [_arm(entry, name) for entry in result.rounds for name, _ in arms.ordered(entry)],
        ),
        *of_records(
            "contrasts",
            "Ticket minus the best trained control in accuracy, paired over replicates (95 % t interval); p_holm is "
            "corrected over rounds.",
            [_contrast(entry) for entry in result.rounds if entry.contrast is not None],
        ),
        *of_records(
            "layers",
            "Surviving weights by round and layer; means where replicates differ.",
            [
                {
                    **_head(entry),
                    **layer.model_dump(),
                    "layer_density": layer.surviving / layer.total if layer.total else None,
                }
                for entry in result.rounds
                for layer in entry.layers
            ],
        ),
    ]


def _head(entry: Round) -> dict[str, Cell]:
    return {"round": entry.round, "density": entry.density}


def _arm(entry: Round, name: str) -> dict[str, Cell]:
    arm = entry.arms[name]
    found: dict[str, Cell] = {**_head(entry), "surviving": entry.surviving, "arm": name}
    for measure in _MEASURES:
        values = getattr(arm, measure)
        if values is not None:
            found |= mean(measure, values)
    ticket = name == arms.TICKET
    marks: dict[str, Cell] = {
        "matching": entry.matching if ticket else None,
        "winning": entry.winning if ticket else None,
    }
    return {**found, "successes": sum(arm.success), "replicates": len(arm.success), **marks}


def _contrast(entry: Round) -> dict[str, Cell]:
    found = entry.contrast
    assert found is not None
    return {
        **_head(entry),
        "control": found.control,
        "difference": found.difference,
        "standard_error": found.standard_error,
        **bounds("difference", found.interval),
        "p": found.p,
        "p_holm": found.p_holm,
        "winning": entry.winning,
    }
