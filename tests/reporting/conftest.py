"""Summaries built by hand, with numbers as a run on digits gives them."""

from __future__ import annotations

import io
from typing import Any

import pytest

from escapedim.records.summary import Summary
from escapedim.reporting.render import make_console, render

LAYERS = (("hidden1", 19200, 300), ("hidden2", 30000, 100), ("output", 1000, 10))
SPREAD = (0.0, 0.004, -0.003, 0.002, -0.003)
LOSS_AT = {"ticket": 0.0004, "reinit": 0.0022, "shuffle": 0.0034, "random": 0.0038}
CONFIG = {
    "task": "digits",
    "hidden": [300, 100],
    "activation": "relu",
    "optimizer": "adam",
    "lr": 1.2e-3,
    "steps": 1000,
    "batch_size": 60,
    "rounds": 10,
    "replicates": 5,
    "fraction": 0.2,
    "output_fraction": 0.1,
    "scope": "layer",
    "granularity": "weight",
    "criterion": "magnitude",
    "rewind_to": "init",
    "arms": ["ticket", "reinit", "shuffle", "random"],
    "tolerance": 0.005,
}


def arm(accuracies: list[float | None], **more: Any) -> dict[str, Any]:
    """An arm of a task with accuracy; None marks a diverged replicate."""
    return {
        "train_loss": [None if value is None else 0.3 * (1 - value) for value in accuracies],
        "train_accuracy": [None if value is None else min(1.0, value + 0.015) for value in accuracies],
        "test_loss": [None if value is None else 1 - value for value in accuracies],
        "test_accuracy": accuracies,
        "test_accuracy_at_best_validation": accuracies,
        "success": [value is not None and value > 0.95 for value in accuracies],
        **more,
    }


def loss_arm(losses: list[float | None]) -> dict[str, Any]:
    """An arm of a task without accuracy."""
    return {"train_loss": losses, "success": [value is not None and value < 1e-3 for value in losses]}


def layers(number: int) -> list[dict[str, Any]]:
    """The layers after `number` rounds at 20 % a round, 10 % in the output layer."""
    kept = [(name, total, units, 0.9 if name == "output" else 0.8) for name, total, units in LAYERS]
    return [
        {"name": name, "surviving": round(total * keep**number), "total": total, "units_alive": units}
        for name, total, units, keep in kept
    ]


def lottery_round(number: int, arms: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Round `number` with exact densities; matching, winning and the contrast come in `more`."""
    parts = layers(number)
    surviving = sum(part["surviving"] for part in parts)
    total = sum(part["total"] for part in parts)
    return {
        "round": number,
        "density": surviving / total,
        "surviving": surviving,
        "total": total,
        "layers": parts,
        "arms": arms,
        "invariants": {
            "survivors_equal_rewind_weights": True,
            "masked_weights_zero": True,
            "masks_nested": True,
            "density_exact": True,
            "no_layer_empty": True,
            **more.pop("invariants", {}),
        },
        **more,
    }


def digits_rounds(last: int = 10, replicates: int = 5, names: tuple[str, ...] = tuple(LOSS_AT)) -> list[dict[str, Any]]:
    """Rounds 0..last: tickets match throughout and win from round 4 on."""
    rounds = [lottery_round(0, {"dense": arm([0.9651 + spread for spread in SPREAD[:replicates]])})]
    for number in range(1, last + 1):
        arms = {
            name: arm([0.9651 - LOSS_AT[name] * number + spread for spread in SPREAD[:replicates]]) for name in names
        }
        winning = number >= 4 if replicates > 1 and len(names) > 1 else None
        contrast = {
            "control": "reinit",
            "difference": 0.0018 * number,
            "standard_error": 0.0021 if replicates > 1 else None,
            "interval": [0.0018 * number - 0.006, 0.0018 * number + 0.006] if replicates > 1 else None,
            "p": 0.002 if replicates > 1 else None,
            "p_holm": 0.0043 if replicates > 1 else None,
        }
        rounds.append(
            lottery_round(number, arms, matching=True, winning=winning, contrast=contrast if len(names) > 1 else None)
        )
    return rounds


def envelope(kind: str, result: dict[str, Any], **more: Any) -> Summary:
    """A summary around a result."""
    return Summary.model_validate(
        {
            "schema": "escapedim.summary/1",
            "kind": kind,
            "status": "complete",
            "id": "0123456789abcdef",
            "config": CONFIG,
            "provenance": {"version": "0.1.0", "run_folder": "runs/lottery-0123456789abcdef"},
            "cost": {"wall_s": 192.4, "net_steps": 205000, "peak_rss_mb": 411.6},
            "result": result,
            **more,
        }
    )


def lottery(rounds: list[dict[str, Any]], **more: Any) -> Summary:
    """A lottery summary; the verdict follows from the rounds."""
    verdict = {
        "last_matching_round": max((r["round"] for r in rounds if r.get("matching")), default=None),
        "last_winning_round": max((r["round"] for r in rounds if r.get("winning")), default=None),
        "tolerance": 0.005,
        "dense_test_accuracy": None,
    }
    result = {"rounds": rounds, "verdict": verdict, "success_criterion": "train_accuracy >= 0.95"}
    return envelope("lottery", result, **more)


def train(replicates: int = 5, **more: Any) -> Summary:
    """A train summary; the last replicate diverged."""
    accuracies: list[float | None] = [0.9651 + SPREAD[k % 5] for k in range(replicates - 1)]
    found = arm([*accuracies, None][:replicates])
    successes = sum(found["success"])
    result = {
        "success_criterion": "train_accuracy >= 0.95",
        "parameters": 50610,
        "members": replicates,
        "successes": successes,
        "success_rate": successes / replicates if replicates else None,
        "success_interval": [0.3755, 0.9638] if replicates else None,
        "endings": {"undecided": max(replicates - 1, 0), "diverged": min(replicates, 1)},
        "replicates": list(range(replicates)),
        "ending": (["undecided"] * (replicates - 1) + ["diverged"])[:replicates],
        "kept_steps": [0, 10, 20, 50, 100, 200, 500, 1000],
        **found,
    }
    return envelope("train", result, **more)


def text(summary: Summary, width: int | None = None) -> str:
    """The report as it goes into a file."""
    stream = io.StringIO()
    render(summary, make_console(stream, width))
    return stream.getvalue()


def assert_says(said, *phrases):
    """Hold that phrases and numbers stand in a text, one after another, whatever is between them."""
    at = 0
    for phrase in phrases:
        assert phrase in said[at:], (phrase, said)
        at = said.index(phrase, at) + len(phrase)


def flat(report: str) -> str:
    """The report on one line, for sentences that are broken over several."""
    return " ".join(report.split())


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
