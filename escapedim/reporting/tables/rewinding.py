"""Tables of a rewind result: modes by rewind point, complements with their controls, and barriers."""

from __future__ import annotations

from escapedim.records.rewinding import Difference, Line, Retrained, RewindResult, Surroundings
from escapedim.reporting.tables.plain import Cell, Table, bounds, estimated, mean, of_records


def tables(result: RewindResult) -> list[Table]:
    """Return modes, complements, contrasts between subnetworks, barriers and the curves."""
    return [
        *of_records(
            "modes",
            "Tickets retrained in each mode: means over replicates; against_dense in accuracy, with its 95 % t "
            "interval.",
            [_mode(entry) for entry in result.modes],
        ),
        *of_records(
            "complements",
            "Subnetworks in each complement: success of the whole and of the subnetwork alone, with 95 % intervals "
            "over replicates.",
            [record for entry in result.complements for record in _surroundings(entry)],
        ),
        *of_records(
            "complement_contrasts",
            "Ticket minus a losing subnetwork of the same density in the same complement, paired over replicates.",
            [record for entry in result.complements for record in _against(entry)],
        ),
        *of_records(
            "barriers",
            "Barriers between two networks, as errors; mean and standard error over replicates.",
            [_line(entry) for entry in result.instability],
        ),
        *of_records(
            "barrier_curves",
            "Mean error on the line between two networks.",
            [
                {**_between(entry), "share_of_second": alpha, "mean_error": error}
                for entry in result.instability
                for alpha, error in zip(entry.alphas, entry.errors, strict=True)
            ],
        ),
    ]


def _mode(entry: Retrained) -> dict[str, Cell]:
    names = ("round", "density", "mode", "to", "mask_from", "weights_from", "schedule_from", "steps", "same_as")
    accuracy = mean("test_accuracy", entry.arm.test_accuracy) if entry.arm.test_accuracy is not None else {}
    return {
        **{name: getattr(entry, name) for name in names},
        **mean("train_loss", entry.arm.train_loss),
        **accuracy,
        "successes": sum(entry.arm.success),
        "replicates": len(entry.arm.success),
        **_difference("against_dense", entry.against_dense),
        "equals_run": entry.equals_run,
    }


def _difference(name: str, found: Difference | None) -> dict[str, Cell]:
    if found is None:
        return {f"{name}_{part}": None for part in ("difference", "standard_error", "low", "high", "p")}
    return {
        f"{name}_difference": found.difference,
        f"{name}_standard_error": found.standard_error,
        **bounds(name, found.interval),
        f"{name}_p": found.p,
    }


def _place(entry: Surroundings) -> dict[str, Cell]:
    return {
        "round": entry.round,
        "density": entry.density,
        "to": entry.to,
        "complement": entry.complement,
        "draws": entry.draws,
    }


def _surroundings(entry: Surroundings) -> list[dict[str, Cell]]:
    return [
        {
            **_place(entry),
            "subnetwork": name,
            "networks": one.networks,
            **estimated("whole_success", one.whole),
            **estimated("alone_success", one.alone),
            **(mean("whole_accuracy", one.whole_accuracy) if one.whole_accuracy is not None else {}),
            **(mean("alone_accuracy", one.alone_accuracy) if one.alone_accuracy is not None else {}),
            **mean("cosine", one.cosine),
            **mean("distance", one.distance),
        }
        for name, one in entry.subnetworks.items()
    ]


def _against(entry: Surroundings) -> list[dict[str, Cell]]:
    return [
        {
            **_place(entry),
            "control": one.control,
            **_difference("whole", one.whole),
            **_difference("alone", one.alone),
            **_difference("whole_accuracy", one.whole_accuracy),
            **_difference("alone_accuracy", one.alone_accuracy),
        }
        for one in entry.against
    ]


def _between(entry: Line) -> dict[str, Cell]:
    return {
        "between": entry.between,
        "round": entry.round,
        "density": entry.density,
        "to": entry.to,
        "error": entry.error,
    }


def _line(entry: Line) -> dict[str, Cell]:
    return {
        **_between(entry),
        **mean("barrier", entry.barriers),
        **mean("aligned", entry.aligned),
        "stable": entry.stable,
    }
