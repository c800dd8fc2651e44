"""Tables of a width scaling: successes and endings by width, loss levels, and what other thresholds would do."""

from __future__ import annotations

from escapedim.records.results import WidenResult, Width
from escapedim.reporting import endings
from escapedim.reporting.tables import experiments
from escapedim.reporting.tables.plain import Cell, Table, bounds, of_records, rate


def tables(result: WidenResult) -> list[Table]:
    """Return the tables of the widths, and those of the experiments beside them."""
    names = endings.present(entry.endings for entry in result.widths)
    return [
        *of_records(
            "widths",
            f"Successes by width ({result.success_criterion}) with 95 % Wilson intervals, and members by ending.",
            [_width(entry, names) for entry in result.widths],
        ),
        *of_records(
            "levels",
            "Certified endings of one loss, by width.",
            [{"width": entry.width, **level.model_dump()} for entry in result.widths for level in entry.levels],
        ),
        *of_records(
            "thresholds",
            "Failures if the success criterion had another threshold, with 95 % Wilson intervals.",
            [
                {
                    "width": entry.width,
                    "members": entry.members,
                    "threshold": one.threshold,
                    "failures": one.failures,
                    **rate("failure", one.failure_rate, one.failure_interval),
                }
                for entry in result.widths
                for one in entry.threshold_sensitivity
            ],
        ),
        *experiments.tables(result),
    ]


def _width(entry: Width, names: list[str]) -> dict[str, Cell]:
    quantiles = {f"loss_{name}": value for name, value in entry.loss_quantiles.model_dump().items()}
    return {
        "width": entry.width,
        "parameters": entry.parameters,
        "members": entry.members,
        "successes": entry.successes,
        "success_rate": entry.success_rate,
        **bounds("success", entry.success_interval),
        **{name.replace(" ", "_"): entry.endings.get(name, 0) for name in names},
        "marginal": entry.marginal,
        "restarted": entry.restarted,
        **quantiles,
        "median_steps": entry.median_steps,
        "lr": entry.lr,
    }
