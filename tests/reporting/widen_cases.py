"""Summaries of widen built by hand, with numbers as runs on digits and on a ReLU teacher give them."""

from __future__ import annotations

from typing import Any

from escapedim.records.summary import Summary
from escapedim.reporting.numbers import wilson
from tests.reporting.conftest import CONFIG, envelope

MINIBATCH = "minibatch training ends at no critical point"
DIGITS = {2: 0, 3: 2, 4: 9, 5: 24, 6: 41, 7: 62, 8: 78, 9: 85, 10: 93, 11: 96, 12: 97, 16: 100, 24: 100, 32: 100}
DIGITS |= {48: 99, 64: 100}
TEACHER_CONFIG = {
    "task": {"name": "relu-teacher", "k": 6},
    "widths": [6, 7, 8, 9],
    "replicates": 1000,
    "activation": "relu",
    "optimizer": "gd",
    "lr": 0.1,
    "steps": 100_000,
}
DIGITS_CONFIG = {**CONFIG, "widths": list(DIGITS), "hidden": None}


def width(number: int, members: int, successes: int, endings: dict[str, int], **more: Any) -> dict[str, Any]:
    """One width; its median loss falls with the share of successes."""
    share = successes / members if members else None
    return {
        "width": number,
        "parameters": 75 * number + 10,
        "members": members,
        "successes": successes,
        "success_rate": share,
        "success_interval": wilson(successes, members) if members else None,
        "endings": endings,
        "loss_quantiles": {"median": None if share is None else 0.51 * (1.02 - share)},
        "median_steps": 1000.0,
        "lr": 1.2e-3,
        **more,
    }


def level(loss: float, members: int, ending: str = "bad minimum", **more: Any) -> dict[str, Any]:
    """One level of loss."""
    curvature = {"marginal": False, "smallest_eigenvalue": 0.0123, "negative_directions": 0}
    return {"loss": loss, "members": members, "ending": ending, **curvature, **more}


def thresholds(members: int, failures: dict[float, int]) -> list[dict[str, Any]]:
    """Failures by threshold."""
    return [
        {
            "threshold": threshold,
            "failures": failed,
            "failure_rate": failed / members,
            "failure_interval": wilson(failed, members),
        }
        for threshold, failed in failures.items()
    ]


def widen(
    widths: list[dict[str, Any]],
    criterion: str = "train_accuracy >= 0.95",
    found: dict[str, list[dict[str, Any]]] | None = None,
    **more: Any,
) -> Summary:
    """A summary of these widths, and of what the other experiments `found`."""
    result = {"success_criterion": criterion, "widths": widths, **(found or {})}
    config = {**CONFIG, "hidden": None, "widths": [entry["width"] for entry in widths]}
    provenance = {"version": "0.1.0", "run_folder": "escapedim-runs/widen-0123456789abcdef"}
    return envelope("widen", result, **{"config": config, "provenance": provenance, **more})


def rates(successes: dict[int, int], members: int = 100, **more: Any) -> Summary:
    """A run on a task that certifies nothing, from its successes by width."""
    found = [
        width(number, members, succeeded, {"undecided": members}, reasons={MINIBATCH: members})
        for number, succeeded in successes.items()
    ]
    return widen(found, **more)


def digits(**more: Any) -> Summary:
    """The default run: 16 widths, nothing certified."""
    found = [
        width(
            number,
            100,
            succeeded,
            {"undecided": 100},
            reasons={MINIBATCH: 100},
            threshold_sensitivity=thresholds(
                100, {0.9: max(0, 60 - succeeded), 0.95: 100 - succeeded, 0.98: min(100, 130 - succeeded)}
            ),
        )
        for number, succeeded in DIGITS.items()
    ]
    return widen(found, **more)


def teacher(**more: Any) -> Summary:
    """A ReLU teacher with every ending certified but a few: widths 6 to 9, 1,000 members each."""
    bad = {6: 343, 7: 38, 8: 1, 9: 0}
    found = []
    for number, failed in bad.items():
        lost = {6: {"saddle": 2, "stalled": 1}, 7: {"undecided": 1, "plateau saddle": 1}}.get(number, {})
        won = 1000 - failed - sum(lost.values())
        levels = [level(2e-9, won, "global minimum", marginal=number > 6)]
        if failed > 1:
            levels += [
                level(0.012873, failed - failed // 10),
                level(0.025734, failed // 10, smallest_eigenvalue=0.00341),
            ]
        elif failed:
            levels += [level(0.0091234, failed, marginal=True, smallest_eigenvalue=3.1e-12)]
        if "saddle" in lost:
            levels.append(level(0.031, 2, "saddle", smallest_eigenvalue=-0.0412, negative_directions=1))
        if "plateau saddle" in lost:
            levels.append(level(0.0129, 1, "plateau saddle", smallest_eigenvalue=0.0))
        reasons = {6: {"the gradient norm stayed at 3e-07": 1}, 7: {"the polish left the basin": 1}}.get(number, {})
        found.append(
            width(
                number,
                1000,
                won,
                {"global minimum": won, "bad minimum": failed, **lost},
                parameters=6 * number,
                levels=levels,
                reasons=reasons,
                marginal=won if number > 6 else 0,
                restarted=3 if number == 6 else 0,
                median_steps=4120.5,
                lr=0.1,
                loss_quantiles={"median": 9.97e-4},
                threshold_sensitivity=thresholds(
                    1000,
                    {threshold: 1000 - won + (threshold == 1e-4) * (number == 6) for threshold in (1e-4, 1e-3, 1e-2)},
                ),
            )
        )
    return widen(found, "train_loss < 0.001", **{"config": TEACHER_CONFIG, **more})


def everything(sweep: bool = False, **more: Any) -> Summary:
    """The largest report: 16 widths with every block that there is."""
    kinds = ["global minimum", "bad minimum", "saddle", "plateau saddle", "channel", "stalled", "diverged", "undecided"]
    found = []
    for index, number in enumerate(DIGITS):
        won = 1000 - 60 * (16 - index)
        rest = dict(zip(kinds[1:], [1000 - won - 16, 5, 4, 3, 2, 1, 1], strict=True))
        found.append(
            width(
                number,
                1000,
                won,
                {"global minimum": won, **rest},
                levels=[level(0.01 * (index + 1) + 1e-4 * k, 10 * (5 - k), marginal=k == 3) for k in range(5)],
                reasons={"the gradient norm stayed above its tolerance": 2, "the polish left the basin": 1},
                marginal=2,
                restarted=1,
                lr=0.01 / number,
                lr_sweep=[
                    {"lr": rate / number, "members": 20, "median_loss": 0.0313, "failures": 4}
                    for rate in (0.003, 0.01, 0.03)
                ]
                if sweep
                else None,
                threshold_sensitivity=thresholds(1000, {1e-4: 1000 - won, 1e-2: 1000 - won - index}),
            )
        )
    return widen(found, **more)
