"""Tables of a comparison: its rows, the measurements that they rest on, and the laws of the failure rate."""

from __future__ import annotations

from escapedim.records.comparison import Law, Laws, Prediction, Row
from escapedim.reporting.material import Material
from escapedim.reporting.tables.plain import Cell, Table, bounds, of_records


def tables(material: Material) -> list[Table]:
    """Return rows, measurements, laws and what the laws predict; none without a comparison."""
    return [
        *of_records(
            "rows",
            "Evidence: one quantity a row with its 95 % interval and both explanations' predictions; Holm-corrected "
            "p-values are over all directional rows.",
            [_row(row) for row in material.rows],
        ),
        *of_records(
            "measurements",
            "What the rows rest on.",
            [record for row in material.rows for record in _measured(row)],
        ),
        *(_laws(material.laws) if material.laws is not None else []),
    ]


def _row(row: Row) -> dict[str, Cell]:
    return {
        "key": row.key,
        "kind": row.kind,
        "estimate": row.estimate,
        **bounds("estimate", row.interval),
        "unit": row.unit,
        "observations": row.observations,
        "prediction_tickets": _text(row.prediction_tickets),
        "prediction_escape": _text(row.prediction_escape),
        "p_tickets": row.p_tickets,
        "p_escape": row.p_escape,
        "p_tickets_holm": row.p_tickets_holm,
        "p_escape_holm": row.p_escape_holm,
        "direction": row.direction,
        "method": row.method or None,
        "needed": row.needed,
        "command": row.command,
        "inputs": " ".join(row.inputs),
        "sentence": row.sentence,
    }


def _text(prediction: Prediction | None) -> str | None:
    return None if prediction is None else prediction.text


def _measured(row: Row) -> list[dict[str, Cell]]:
    return [
        {
            "key": row.key,
            "what": one.what,
            "x": one.x,
            "estimate": one.estimate,
            **bounds("estimate", one.interval),
            "observations": one.observations,
            **{f"predicted_{name}": value for name, value in one.predictions.items()},
            "note": one.note or None,
        }
        for one in row.measured
    ]


def _laws(laws: Laws) -> list[Table]:
    return [
        *of_records(
            "failures",
            "Failure rate q(n) by width, with 95 % Wilson intervals.",
            [
                {
                    "width": one.width,
                    "failed": one.failed,
                    "members": one.members,
                    "rate": one.rate,
                    **bounds("rate", one.interval),
                }
                for one in laws.observed
            ],
        ),
        *of_records("laws", f"Laws of q(n). {laws.sentence}", [_law(law) for law in laws.laws]),
        *of_records(
            "law_predictions",
            "Failure rate that each law predicts, with its 95 % band.",
            [
                {"law": law.name, "width": one.width, "rate": one.rate, **bounds("rate", one.band)}
                for law in laws.laws
                for one in law.predicted
            ],
        ),
    ]


def _law(law: Law) -> dict[str, Cell]:
    return {
        "law": law.name,
        "formula": law.formula,
        "deviance": law.deviance,
        "degrees_of_freedom": law.freedom,
        "p": law.p,
        "rejected": law.rejected,
        "parameters": ", ".join(f"{name} = {value:.6g}" for name, value in law.parameters.items()) or None,
        "reason": law.reason or None,
    }
