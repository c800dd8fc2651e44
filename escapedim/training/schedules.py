"""Learning-rate schedules: factors of the base rate as functions of the step.

Written `constant`, `cosine`, `step:at=50%/75%,factor=0.1`; each takes `warmup=5%`, a linear rise to the base rate.
`cosine` falls to 0 at the end of the run (Loshchilov & Hutter 2017, one period).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from escapedim.errors import BadInput
from escapedim.specs import Spec, Value, take_params
from escapedim.text import counted
from escapedim.training.steps import parse_steps

Schedule = Callable[[int], float]
SCHEDULES: dict[str, dict[str, Value]] = {
    "constant": {"warmup": "0it"},
    "cosine": {"warmup": "0it"},
    "step": {"at": "50%/75%", "factor": 0.1, "warmup": "0it"},
}


def make_schedule(spec: Spec, total: int, steps_per_epoch: float) -> Schedule:
    """Return the factor of the base learning rate at each step of a run of `total` steps.

    Raises
    ------
    BadInput
        Unknown parameters, a warm-up that is longer than the run, or a fall of the rate after its end.
    """
    params = take_params(spec, SCHEDULES[spec.name])
    warmup = parse_steps(str(params["warmup"])).resolve(steps_per_epoch, total)
    if warmup >= total:
        raise BadInput(f"schedule {spec}: a warm-up of {counted(warmup, 'step')} does not fit into a run of {total:,}.")
    points = [parse_steps(text).resolve(steps_per_epoch, total) for text in str(params.get("at", "0it")).split("/")]
    if max(points) >= total:
        raise BadInput(
            f"schedule {spec}: the rate would fall at step {max(points):,}, not before the end of the run at "
            f"{total:,}; choose earlier points."
        )
    shape = _shape(spec.name, params, total, points)
    return lambda step: shape(step) * min(1.0, (step + 1) / warmup if warmup else 1.0)


def _shape(name: str, params: dict[str, Value], total: int, points: Sequence[int]) -> Schedule:
    if name == "cosine":
        return lambda step: 0.5 * (1 + math.cos(math.pi * step / total))
    if name == "step":
        factor = float(str(params["factor"]))
        return lambda step: factor ** sum(step >= point for point in points)
    return lambda step: 1.0
