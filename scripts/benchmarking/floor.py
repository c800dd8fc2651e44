"""The floor of the row `small`: the activations, products and sums of a step, alone and on data in the cache.

These are the fastest forms of them that torch and NumPy have (see TRIED.md). A step of the engine adds the copies of
parameters into place, the optimizer, and some twenty calls.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from benchmarking.setting import WidthSetting
from escapedim.models.activations import TABLE


def floor_step_s(setting: WidthSetting, members: int, steps: int) -> float:
    """Seconds of one step of a stack of so many members, after one that is not counted."""
    passes = _passes(setting, members)
    for one in passes:
        one()
    began = time.perf_counter()
    for _ in range(steps):
        for one in passes:
            one()
    return (time.perf_counter() - began) / steps


def _passes(setting: WidthSetting, members: int) -> list[Callable[[], object]]:
    """Forwards and backwards through one hidden layer with one output; biases are weights of an input that is 1."""
    inputs, units, x = setting.model.inputs, setting.model.width, setting.data.train.x
    activation = TABLE[setting.config.activation]
    activate = activation.in_place or activation.function
    samples = torch.cat([x, x.new_ones(len(x), 1)], 1).T.contiguous().expand(members, inputs + 1, len(x))
    incoming, outgoing = torch.randn(members, units, inputs + 1).to(x), torch.randn(members, 1, units).to(x)
    values, outputs = x.new_empty(members, units, len(x)), x.new_empty(members, 1, len(x))
    outgoing_grad, back = torch.empty_like(outgoing), x.new_empty(members, inputs + 1, units)
    return [
        lambda: torch.bmm(incoming, samples, out=values),
        lambda: activate(values),
        lambda: torch.bmm(outgoing, values, out=outputs),
        lambda: torch.bmm(outputs, values.mT, out=outgoing_grad),
        lambda: activation.backward(outputs.expand_as(values), values, values, values),
        lambda: torch.bmm(samples, values.mT, out=back),
        lambda: outputs.sum(2),
    ]
