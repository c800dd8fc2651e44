"""torch's own ways to many small networks, for the row `small`: `torch.func.vmap` over `torch.func.grad`, and compiled.

As with JAX's `vmap`, all members are one batch. `torch.compile` takes a compiler of C++ on the CPU, and longer to
compile than all else of the row takes, so it is measured only if asked for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from shutil import which
from tempfile import TemporaryDirectory
from unittest import mock

import torch
from torch import Tensor

from benchmarking.setting import WidthSetting
from escapedim.models.layout import Layout

COMPILERS = ("g++", "clang++", "c++")

Params = Mapping[str, Tensor]
Step = Callable[[dict[str, Tensor]], dict[str, Tensor]]


def make_step(setting: WidthSetting) -> Step:
    """Return one step of gradient descent of stacked parameters `(members, *shape)`, as one writes it in torch.func."""
    x, targets, lr = setting.data.train.x, setting.data.train.targets, setting.recipe.lr

    def loss(params: Params) -> Tensor:
        return ((setting.model.apply(params, x) - targets) ** 2).mean()

    slopes = torch.func.vmap(torch.func.grad(loss))
    return lambda params: {name: params[name] - lr * slope for name, slope in slopes(params).items()}


@dataclass(frozen=True)
class TorchSide:
    """A step, the parameters it starts from, and the seconds of its compilation, 0 where there was none."""

    setting: WidthSetting
    step: Step
    compile_s: float

    def run(self, steps: int) -> float:
        """Take so many steps of all members; return the seconds."""
        params = self._start()
        began = time.perf_counter()
        for _ in range(steps):
            params = self.step(params)
        return time.perf_counter() - began

    def end(self, steps: int) -> Tensor:
        """Return the parameters `(members, parameters)` after so many steps."""
        params = self._start()
        for _ in range(steps):
            params = self.step(params)
        return torch.cat([params[name].flatten(1) for name in self.setting.model.shapes], 1)

    def _start(self) -> dict[str, Tensor]:
        views = Layout(self.setting.model.shapes).views(torch.cat(self.setting.stacks))
        return {name: view.contiguous() for name, view in views.items()}


def eager_side(setting: WidthSetting) -> TorchSide:
    """Return torch.func as it is."""
    return TorchSide(setting, make_step(setting), 0.0)


def why_not_compiled() -> str:
    """Say what torch.compile lacks here; "" where it lacks nothing."""
    given = os.environ.get("CXX")
    if given or any(map(which, COMPILERS)):
        return ""
    return "torch.compile was left out: there is no compiler of C++ here."


def compiled_side(setting: WidthSetting) -> TorchSide:
    """Compile a step, with nothing left of it on disk."""
    step: Step = torch.compile(make_step(setting), fullgraph=True)
    with TemporaryDirectory() as cache, mock.patch.dict(os.environ, TORCHINDUCTOR_CACHE_DIR=cache):
        side = TorchSide(setting, step, 0.0)
        compile_s = side.run(1)
    return TorchSide(setting, step, compile_s)
