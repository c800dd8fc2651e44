"""Comparisons built by hand: rows with measurements, and laws fitted to the widths of the teacher's case."""

from __future__ import annotations

from math import comb
from typing import Any

from escapedim.records.comparison import CompareResult
from escapedim.records.summary import Summary
from escapedim.reporting.numbers import wilson
from tests.reporting.conftest import CONFIG, digits_rounds, lottery
from tests.reporting.experiment_cases import on_teacher
from tests.reporting.widen_cases import teacher

QUESTIONS = ("isolation", "complement", "escape", "literal_tickets", "restarts", "equal_parameters", "instability")


def row(key: str, **more: Any) -> dict[str, Any]:
    """A row: directional, in favour of escape."""
    return {
        "key": key,
        "kind": "directional",
        "estimate": 0.51,
        "interval": [0.40, 0.62],
        "unit": "share",
        "observations": 80,
        "prediction_tickets": {"text": "0", "low": 0.0, "high": 0.0},
        "prediction_escape": {"text": "above 0"},
        "p_tickets": 1e-9,
        "p_escape": 1.0,
        "direction": "escape",
        "sentence": f"The {key.replace('_', ' ')} is 0.51 (0.40 to 0.62): this speaks for escape dimensions.",
        "inputs": ["widen"],
        **more,
    }


def effective(**more: Any) -> dict[str, Any]:
    """Effective tickets of widths 6 to 9, r = 6; the last width has no failure, and so no estimate."""
    estimates = {6: (1.0, [1.0, 1.0]), 7: (3.05, [2.6, 3.5]), 8: (6.4, [5.1, 9.0]), 9: (None, None)}
    measured = [
        {
            "what": f"width {width}",
            "x": float(width),
            "estimate": estimate,
            "interval": interval,
            "observations": 1000,
            "predictions": {"disjoint": float(width // 6), "independent": float(comb(width, 6))},
        }
        for width, (estimate, interval) in estimates.items()
    ]
    return row(
        "effective_tickets",
        **{
            "kind": "descriptive",
            "direction": None,
            "unit": "tickets",
            "p_tickets": None,
            "p_escape": None,
            "measured": measured,
            "sentence": "Width 8 has as many as 6.4 (5.1 to 9.0) independent networks of width 6.",
            **more,
        },
    )


def laws(failed: dict[int, int], members: int = 1000) -> dict[str, Any]:
    """Two laws, one of them rejected, of failures by width."""
    predicted = {"exponential": 0.11, "independent subsets": 0.3}
    return {
        "base_width": 6,
        "observed": [
            {
                "width": width,
                "failed": count,
                "members": members,
                "rate": count / members,
                "interval": list(wilson(count, members)),
            }
            for width, count in failed.items()
        ],
        "laws": [
            {
                "name": name,
                "formula": "q(n) = a exp(-b n)",
                "deviance": 2.4,
                "freedom": 2,
                "p": 0.3,
                "parameters": {"a": 1.0, "b": 2.2},
                "rejected": name != "exponential",
                "predicted": [
                    {
                        "width": width,
                        "rate": 0.35 * base ** (width - 6),
                        "band": [0.3 * base ** (width - 6), 0.4 * base ** (width - 6)],
                    }
                    for width in failed
                ],
            }
            for name, base in predicted.items()
        ],
        "level": 0.05,
        "preferred": "exponential",
        "sentence": "The exponential law is preferred: its rival is rejected.",
    }


def compared(name: str, summary: Summary) -> dict[str, Any]:
    """A source of a comparison."""
    return {
        "name": name,
        "files": [f"{name}.json"],
        "kind": summary.kind,
        "status": summary.status,
        "ids": [summary.id],
        "version": "0.1.0",
        "config": summary.config,
        "result": summary.model_dump(mode="json")["result"],
    }


def comparison(**more: Any) -> CompareResult:
    """A lottery and a width scaling of the teacher with everything beside it."""
    widening = teacher()
    result = widening.result.model_dump(mode="json") | on_teacher()
    scaled = Summary.model_validate({**widening.model_dump(mode="json", by_alias=True), "result": result})
    failed = {entry.width: entry.members - entry.successes for entry in scaled.result.widths}
    document = {
        "task": CONFIG["task"],
        "margin": 0.05,
        "sources": [compared("lottery", lottery(digits_rounds())), compared("widen", scaled)],
        "rows": [*(row(key) for key in QUESTIONS), effective()],
        "laws": laws(failed),
        "verdict": {
            "sentence": "Seven of seven directional rows speak for escape dimensions.",
            "directions": {"escape": 7},
            "level": 0.05,
        },
        **more,
    }
    return CompareResult.model_validate(document)
