"""Summaries made by hand that the tests of comparing share."""

from __future__ import annotations

from typing import Any

from escapedim.comparison.counted import share
from escapedim.comparison.statistics import mcnemar
from escapedim.records.summary import SCHEMA, Summary

RECIPE = {
    "task": "relu-teacher:k=6", "activation": "relu", "init": "lecun-normal", "optimizer": "gd", "lr": 0.1,
    "schedule": "constant", "steps": "200000it", "batch_size": "full", "dtype": "float64",
}  # fmt: skip
Entry = dict[str, Any]


def a_share(count: int, of: int) -> Entry:
    return share(count, of).model_dump(mode="json")


def estimated(value: float | None, low: float | None = None, high: float | None = None) -> Entry:
    return {"value": value, "interval": None if low is None else [low, high]}


def paired(both: int, first: int, second: int, neither: int) -> Entry:
    return {"both": both, "first_only": first, "second_only": second, "neither": neither, "p": mcnemar(first, second)}


def summary(kind: str, result: Entry, identity: str = "0" * 16, status: str = "complete", **config: Any) -> Summary:
    commands = {"lottery": "prune"}
    argv = ["/bin/escapedim", commands.get(kind, kind), "--task", "relu-teacher:k=6", "--quiet", "--out", "x.json"]
    document = {
        "schema": SCHEMA, "kind": kind, "status": status, "id": identity, "config": {**RECIPE, "seed": 0, **config},
        "provenance": {"version": "0.1.0", "argv": argv}, "cost": {}, "result": result,
    }  # fmt: skip
    return Summary.model_validate(document)


def width(number: int, failed: int, members: int = 1000, **more: Any) -> Entry:
    won = members - failed
    found = share(won, members)
    return {
        "width": number, "parameters": 6 * number, "members": members, "successes": won, "success_rate": found.rate,
        "success_interval": list(found.interval) if found.interval else None,
        "endings": {"global minimum": won, "bad minimum": failed},
        "levels": [
            {"loss": 0.0, "members": won, "ending": "global minimum", "marginal": False},
            {"loss": 0.1, "members": failed, "ending": "bad minimum", "marginal": False, "smallest_eigenvalue": 0.01},
        ],
        "loss_quantiles": {"median": 0.001}, "median_steps": 1000.0, "lr": 0.1, **more,
    }  # fmt: skip


def widen(failed: dict[int, int] | None = None, members: int = 1000, identity: str = "a" * 16, **parts: Any) -> Summary:
    """A widen summary: failures by width, and experiments by name."""
    experiments = {name: parts.pop(name) for name in ("isolation", "complement", "escape", "restarts") if name in parts}
    widths = [width(number, count, members) for number, count in (failed or {6: 500, 7: 200, 8: 80, 9: 30}).items()]
    result = {"success_criterion": "train_loss < 0.001", "widths": widths, **experiments}
    return summary("widen", result, identity, widths=[entry["width"] for entry in widths], replicates=members, **parts)


def isolation(number: int, both: int, first: int, second: int, neither: int, sampled: bool = False) -> Entry:
    """`first` are wide networks that succeed although none of their subnetworks does."""
    members = both + first + second + neither
    return {
        "width": number, "members": members, "sampled": sampled, "table": paired(both, first, second, neither),
        "sizes": [{"units": units, "trained": 1, "there": 1, "winning": a_share(both, members)}
                  for units in range(min(6, number - 1), number)],
        "wins_given_none": None if sampled else a_share(first, first + neither),
        "fails_given_some": a_share(second, both + second),
        "q": a_share(second + neither, members), "q_lit": a_share(first + neither, members),
    }  # fmt: skip


def escape(number: int, reached: int, noise: int, sources: int, narrow: tuple[int, int] = (500, 1000), **more) -> Entry:
    both = min(reached, noise)
    return {
        "from_width": number, "to_width": number + 1, "by": 1, "embedding": "split", "alpha": 0.5,
        "perturbation": "noise", "sources": sources, "source_ending": "bad minimum", "judged_by": "ending",
        "negative_directions": {"min": 1, "median": 1, "max": 1}, "lambda_min": -0.1, "opened_gradient": 0.0,
        "escaped": a_share(sources, sources), "reached_global": a_share(reached, sources), "landings": [],
        "controls": {"noise_only": a_share(noise, sources), "fresh_narrow": a_share(*narrow),
                     "fresh_wide": a_share(900, 1000)},
        "against_noise": paired(both, reached - both, noise - both, sources - reached - noise + both),
        "replicates": list(range(sources)), "loss_before": [0.1] * sources, "loss_after": [0.0] * sources,
        "loss_noise_only": [0.1] * sources, **more,
    }  # fmt: skip


def complement(
    number: int, successes: list[int], draws: int = 4, fresh: tuple[int, int] = (500, 1000), **more
) -> Entry:
    """Winning tickets with so many successes of `draws` each; training is deterministic."""
    from escapedim.comparison.tickets import complement_index

    index = complement_index([(count / draws, None) for count in successes], fresh)
    tickets = [
        {"replicate": at, "retest": None, "successes": {"1": count, "3": 0, "10": 0}}
        for at, count in enumerate(successes)
    ]
    rate = sum(successes) / (draws * len(successes))
    winners = {
        "tickets": tickets, "retest": estimated(1.0, 1.0, 1.0),
        "surrounded": [{"scale": 1.0, "rate": estimated(rate, rate, rate), "networks": draws * len(successes),
                        "successes": sum(successes)}],
    }  # fmt: skip
    return {
        "width": number, "units": number - 1, "draws": draws, "deterministic": True, "winners": winners,
        "losers": {"tickets": [], "retest": estimated(None), "surrounded": []}, "fresh": a_share(*fresh),
        "index": {"value": index.value, "interval": list(index.interval) if index.interval else None},
        "reason": index.reason, **more,
    }  # fmt: skip


def restarts(number: int = 9, wide: int = 900, best: float = 0.8) -> Entry:
    return {
        "narrow": 6, "width": number, "narrow_multiply_adds": 100.0, "wide_multiply_adds": 180.0, "k": 1.8,
        "narrow_success": a_share(600, 1000), "best_of_k": estimated(best, best - 0.02, best + 0.02),
        "wide_success": a_share(wide, 1000),
    }  # fmt: skip


def lottery(identity: str = "b" * 16, hidden: tuple[int, ...] = (20,), surviving: tuple[int, ...] = (140, 63), **more):
    """A prune summary on 6 inputs and 1 output: `surviving` weights by round."""
    rounds = []
    for number, count in enumerate(surviving):
        arms = {"dense": 20} if number == 0 else {"ticket": 18, "reinit": 10, "random": 8}
        rounds.append(
            {
                "round": number, "density": count / surviving[0], "surviving": count, "total": surviving[0],
                "layers": [
                    {"name": "layer1.weight", "surviving": count - 20, "total": 6 * hidden[0]},
                    {"name": "layer2.weight", "surviving": 20, "total": hidden[-1]},
                ],
                "arms": {
                    name: {"train_loss": [0.001] * 20, "success": [True] * won + [False] * (20 - won)}
                    for name, won in arms.items()
                },
                "invariants": {"survivors_equal_rewind_weights": True, "masked_weights_zero": True,
                               "masks_nested": True, "density_exact": True, "no_layer_empty": True},
            }
        )  # fmt: skip
    return summary("lottery", {"rounds": rounds}, identity, hidden=list(hidden), replicates=20, **more)


def rewind(barriers: tuple[float | None, ...] = (0.01, 0.03, 0.02), identity: str = "c" * 16) -> Summary:
    known = [value for value in barriers if value is not None]
    mean = sum(known) / len(known) if known else None
    line = {
        "between": "data orders", "round": 1, "density": 0.5, "to": 0, "error": "test error", "alphas": [0.0, 1.0],
        "errors": [0.1, 0.1], "barriers": list(barriers), "mean": mean, "standard_error": 0.001,
        "stable": None if mean is None else mean < 0.02, "aligned": list(barriers), "aligned_mean": mean,
    }  # fmt: skip
    result = {
        "replicates": list(range(len(barriers))), "success_criterion": "train_loss < 0.001", "rewind_to": 0,
        "kept": [0], "modes": [], "complements": [], "instability": [line],
    }  # fmt: skip
    return summary("rewind", result, identity, hidden=[20], source="lottery-x")
