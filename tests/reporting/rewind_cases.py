"""Rewind results, made by hand, that the tests of their report share."""

from __future__ import annotations

from typing import Any

KEPT = {
    "survivors_equal_rewind_weights": True,
    "masked_weights_zero": True,
    "density_exact": True,
    "complement_as_asked": True,
    "data_order_as_asked": True,
}


def mode(name: str, number: int = 2, to: int = 0, accuracies: tuple = (0.97, 0.99), **more: Any) -> dict[str, Any]:
    return {
        "round": number,
        "density": 0.5 / number,
        "mode": name,
        "to": to,
        "mask_from": "end",
        "weights_from": f"step {to:,}",
        "schedule_from": f"step {to:,}",
        "steps": 100 - to,
        "arm": {"train_loss": [0.1, 0.2], "test_accuracy": list(accuracies), "success": [True, False]},
        "against_dense": {"difference": 0.004, "standard_error": 0.001, "interval": [0.001, 0.007], "p": 0.01},
        "equals_run": None,
        "invariants": KEPT,
        **more,
    }


def surrounded(whole: float, alone: float, accuracy: bool = True) -> dict[str, Any]:
    own = {"whole_accuracy": [0.9, 0.92], "alone_accuracy": [0.5, 0.7]} if accuracy else {}
    return {
        "networks": 4,
        "whole": {"value": whole, "interval": [max(0, whole - 0.1), min(1, whole + 0.1)]},
        "alone": {"value": alone, "interval": [max(0, alone - 0.1), min(1, alone + 0.1)]},
        "whole_success": [whole, whole],
        "alone_success": [alone, alone],
        "winners": 2,
        "whole_of_winners": {"value": whole, "interval": [max(0, whole - 0.2), min(1, whole + 0.2)]},
        "alone_of_winners": {"value": alone, "interval": [max(0, alone - 0.2), min(1, alone + 0.2)]},
        "against_isolation": {"both": 1, "first_only": 1, "second_only": 0, "neither": 0, "p": 1.0},
        "cosine": [0.8, 0.9],
        "distance": [0.3, 0.5],
        **own,
    }


def surroundings(name: str, number: int = 2, accuracy: bool = True) -> dict[str, Any]:
    difference = {"difference": 0.25, "standard_error": 0.05, "interval": [0.1, 0.4], "p": 0.03}
    kinds = {"ticket": (0.75, 0.5), "reinit": (0.5, 0.25), "random": (0.5, 0.0)}
    return {
        "round": number,
        "density": 0.25,
        "to": 0,
        "complement": name,
        "draws": 2 if name == "redraw" else 1,
        "subnetworks": {kind: surrounded(*rates, accuracy) for kind, rates in kinds.items()},
        "against": [
            {"control": kind, "whole": difference, "alone": {"difference": 0.5}} for kind in ("reinit", "random")
        ],
        "invariants": KEPT,
    }


def line(between: str, number: int = 2, height: float = 0.01, **more: Any) -> dict[str, Any]:
    return {
        "between": between,
        "round": number,
        "density": 0.25,
        "to": 0,
        "error": "test error",
        "alphas": [0.0, 0.5, 1.0],
        "errors": [0.1, 0.1 + height, 0.1],
        "barriers": [height, height],
        "mean": height,
        "standard_error": 0.0,
        "stable": height < 0.02,
        "aligned": [height / 2, height / 2],
        "aligned_mean": height / 2,
        **more,
    }


RESULT: dict[str, Any] = {
    "replicates": [0, 1],
    "success_criterion": "train_accuracy >= 0.95",
    "rewind_to": 0,
    "kept": [0, 1, 10, 100],
    "modes": [
        mode("weights", 1, equals_run=True),
        mode("lr", 1, weights_from="end"),
        mode("finetune", 1, weights_from="end", same_as="lr"),
        mode("weights", equals_run=True),
        mode("lr", weights_from="end", accuracies=(0.5, None)),
        mode("finetune", weights_from="end", same_as="lr"),
    ],
    "complements": [surroundings("masked", 1), *(surroundings(name) for name in ("masked", "redraw", "frozen"))],
    "instability": [
        line("data orders"),
        line("dense data orders", density=1.0, height=0.05),
        line("ticket and dense", height=0.2),
        *(line("successive rounds", number, height=number / 100, to=None) for number in range(1, 8)),
    ],
}

SUMMARY: dict[str, Any] = {
    "schema": "escapedim.summary/1",
    "kind": "rewind",
    "status": "complete",
    "id": "0123456789abcdef",
    "config": {
        "task": "digits", "hidden": [20], "activation": "relu", "optimizer": "adam", "lr": 0.001, "steps": "100it",
        "batch_size": 60, "source": "lottery-fedcba9876543210-0011223344556677", "round": [1, 2], "to": ["init"],
    },
    "provenance": {"version": "0.1.0", "run_folder": "escapedim-runs/rewind-0123456789abcdef"},
    "cost": {"wall_s": 12.0, "net_steps": 1000, "peak_rss_mb": 700},
    "result": RESULT,
}  # fmt: skip
