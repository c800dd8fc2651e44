"""What was run, in words: task, architecture, recipe and pruning rule out of a summary's configuration.

A configuration may come from another program, so every key may be missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from escapedim.records.summary import Summary
from escapedim.reporting import numbers
from escapedim.reporting.numbers import TIE

Config = Mapping[str, Any]


def value(setting: Any) -> str:
    """Return one setting as text; nothing for None."""
    if setting is None:
        return ""
    if isinstance(setting, Mapping):
        name, rest = str(setting.get("name", "")), {k: v for k, v in setting.items() if k != "name"}
        options = ",".join(f"{key}={value(entry)}" for key, entry in rest.items() if entry is not None)
        return ":".join(part for part in (name, options) if part)
    if isinstance(setting, Sequence) and not isinstance(setting, str):
        return ",".join(value(entry) for entry in setting)
    return f"{setting:g}" if isinstance(setting, float) else str(setting)


def what(config: Config) -> str:
    """Return task and architecture: "digits, hidden 300,100, relu"."""
    network = _named("hidden", config) if config.get("model", "mlp") == "mlp" else value(config.get("model"))
    return _joined(value(config.get("task")), network, value(config.get("activation")))


def source(config: Config) -> str:
    """Return "members of train-0123456789abcdef, layer 2" where finished members were widened, or nothing."""
    hidden = config.get("hidden")
    several = isinstance(hidden, Sequence) and not isinstance(hidden, str) and len(hidden) > 1
    return _joined(_named("source", config, "members of"), _named("layer", config) if several else "")


def recipe(config: Config) -> str:
    """Return "Recipe: adam, lr 0.0012, 1,000 steps, batch size 60.", or nothing when it is not known."""
    steps = config.get("steps")
    steps_text = numbers.plural(steps, "step") if isinstance(steps, int) else _named("steps", config)
    text = _joined(
        value(config.get("optimizer")),
        _named("lr", config),
        steps_text,
        _named("batch_size", config, "batch size"),
    )
    return f"Recipe: {text}." if text else ""


def pruning(config: Config) -> str:
    """Return "Pruning: 20 % a round (output layer 10 %), scope layer, ...", or nothing."""
    text = _joined(
        _removed(config),
        _named("scope", config),
        _named("granularity", config),
        _named("criterion", config),
        _named("rewind_to", config, "rewound to"),
    )
    return f"Pruning: {text}." if text else ""


def status(summary: Summary, done: str) -> str:
    """Return "complete", or how far the work came: "interrupted after round 3 of 10"."""
    if summary.status == "complete":
        return "complete"
    return f"{'still running' if summary.status == 'running' else summary.status} {done}"


def cost(summary: Summary) -> list[str]:
    """Return the lines on cost and the run folder; the folder stays on one line, to be copied."""
    spent = summary.cost
    parts = [
        numbers.counted(spent.net_steps, "network step"),
        f"{numbers.duration(spent.wall_s)} wall-clock time",
    ]
    if spent.peak_rss_mb is not None:
        parts.append(f"peak memory {numbers.count(round(spent.peak_rss_mb))} MB")
    lines = [f"Cost: {', '.join(parts)}."]
    folder = summary.provenance.run_folder
    return [*lines, f"Run folder: {folder}"] if folder else lines


def _removed(config: Config) -> str:
    once, fraction, output = (_percent(config.get(key)) for key in ("density", "fraction", "output_fraction"))
    if once:
        return f"once, to {once} density"
    return f"{fraction} a round{f' (output layer {output})' if output else ''}" if fraction else ""


def _percent(share: Any) -> str:
    """Return a share in percent as it was given: rounded, 0.9999 would be all of the weights."""
    if not isinstance(share, int | float) or not 0 <= share <= 1:
        return ""
    return f"{(100 * Decimal(str(share))).normalize():f}{TIE}%"


def _named(key: str, config: Config, name: str = "") -> str:
    text = value(config.get(key))
    return f"{name or key}{TIE}{text}" if text else ""


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
