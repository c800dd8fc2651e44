"""Tables of a train result: its replicates one by one, and their endings."""

from __future__ import annotations

from escapedim.records.results import TrainResult
from escapedim.reporting.tables.plain import Cell, Table, bounds, of_records

_LISTS = (
    "replicates",
    "train_loss",
    "train_accuracy",
    "test_loss",
    "test_accuracy",
    "test_accuracy_at_best_validation",
    "success",
    "ending",
    "marginal",
    "smallest_eigenvalue",
    "negative_directions",
    "moved",
    "steps",
    "reason",
)


def tables(result: TrainResult) -> list[Table]:
    """Return the successes, the endings and the replicates."""
    successes: dict[str, Cell] = {
        "parameters": result.parameters,
        "members": result.members,
        "successes": result.successes,
        "success_rate": result.success_rate,
        **bounds("success", result.success_interval),
        **{name.replace(" ", "_"): count for name, count in result.endings.items()},
    }
    return [
        *of_records(
            "successes",
            f"Successes ({result.success_criterion}) with the 95 % Wilson interval, and members by ending.",
            [successes],
        ),
        *of_records("replicates", "Replicates one by one; accuracies are shares.", _replicates(result)),
    ]


def _replicates(result: TrainResult) -> list[dict[str, Cell]]:
    lists = {name: values for name in _LISTS if (values := getattr(result, name)) is not None}
    names = ["replicate" if name == "replicates" else name for name in lists]
    return [dict(zip(names, found, strict=True)) for found in zip(*lists.values(), strict=True)]
