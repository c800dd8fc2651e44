"""How initial weights and learning rates go with the width of a one-hidden-layer network.

At the base width b all three are the network that the recipe draws and trains. At width n, relative to that:

- `standard`: the initialisation's own rule at width n; every layer has the recipe's learning rate.
- `ntk` (Jacot et al. 2018): incoming weights as at b, outgoing ones of standard deviation √(b/n), and the function
  changes by a step as much as at b: the outgoing learning rate is b/n of the recipe's.
- `mup` (Yang & Hu 2021; Yang et al. 2022, table 3): outgoing weights of standard deviation b/n, and every unit learns
  as much as at b: incoming learning rates n/b, the outgoing one b/n of the recipe's.

These are the learning rates of gradient descent. Adam's steps do not scale with the gradient, so that there the
incoming rates stay, and the outgoing one is √(b/n) (ntk) or b/n (mup).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from escapedim.models.layout import Layout
from escapedim.models.network import Network
from escapedim.specs import Spec, take_params
from escapedim.widening.config import PARAMETRIZATIONS


@dataclass(frozen=True)
class Scales:
    """Factors of initial weights and of learning rates, one a parameter: `(parameters,)` each, or None for all 1."""

    init: Tensor | None
    lr: Tensor | None

    @property
    def freezes(self) -> bool:
        """Whether some parameters are not trained."""
        return self.lr is not None and not bool(self.lr.all())


def scales(model: Network, optimizer: Spec, parametrization: Spec, lazy: bool) -> Scales:
    """Return what a parametrization multiplies at the width of `model`; `lazy` freezes all but the outgoing weights."""
    init, lr = {}, {}
    if parametrization.name != "standard":
        base = take_params(parametrization, PARAMETRIZATIONS[parametrization.name])["base"]
        assert isinstance(base, int)
        init = _initial(model, parametrization.name, base)
        lr = _rates(model, base, parametrization.name, adaptive=optimizer.name.startswith("adam"))
    if lazy:
        lr |= {name: 0.0 for name in model.shapes if name != model.output_layer}
    return Scales(_row(model, init), _row(model, lr))


def _initial(model: Network, name: str, base: int) -> dict[str, float]:
    ratio = base / model.width
    narrow, incoming, outgoing = model.resized((base,)), *model.prunable

    def spread(parameter: str) -> float:
        at_base, here = narrow.initial_std(parameter), model.initial_std(parameter)
        assert at_base, "a fully connected net knows its draws"
        assert here, "a fully connected net knows its draws"
        return at_base / here

    return {
        incoming: spread(incoming),
        outgoing: spread(outgoing) * (math.sqrt(ratio) if name == "ntk" else ratio),
    }


def _rates(model: Network, base: int, name: str, adaptive: bool) -> dict[str, float]:
    growth, (hidden,) = model.width / base, model.groups
    outgoing = {part.parameter: 1 / growth for part in hidden.outgoing}
    if name == "ntk":
        return {parameter: 1 / math.sqrt(growth) if adaptive else rate for parameter, rate in outgoing.items()}
    incoming = 1.0 if adaptive else growth
    return {**{part.parameter: incoming for part in (*hidden.incoming, *hidden.own)}, **outgoing}


def _row(model: Network, factors: dict[str, float]) -> Tensor | None:
    if all(factor == 1 for factor in factors.values()):
        return None
    layout = Layout(model.shapes)
    row = torch.ones(layout.size, dtype=torch.float64)
    for name, columns in layout.slices.items():
        row[columns] = factors.get(name, 1.0)
    return row
