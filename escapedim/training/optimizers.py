"""Optimizers over a whole stack: torch.optim on the one matrix that holds all members.

Every rule is elementwise, so a stacked step is each member's own step; torch's fused kernels do it in one pass.
Written `sgd:momentum=0.9,nesterov=true,weight_decay=1e-4`, `adam`, `adamw:weight_decay=0.01`, and `gd`, which is
full-batch gradient descent.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from escapedim.specs import Spec, take_params
from escapedim.training.names import OPTIMIZERS


class Optimizer:
    """A torch optimizer on one matrix `(members, parameters)`, with its state as plain tensors."""

    def __init__(self, spec: Spec, flat: Tensor) -> None:
        self._flat = flat
        params = take_params(spec, OPTIMIZERS[spec.name])
        self._inner = _make(spec.name, params, flat)

    def step(self, lr: float) -> None:
        """Update the matrix in place from its `.grad`."""
        self._inner.param_groups[0]["lr"] = lr
        self._inner.step()

    def state(self) -> dict[str, Tensor]:
        """Return moments `(members, parameters)` and the step counter; empty before the first step."""
        stored = self._inner.state.get(self._flat, {})
        return {name: value.clone() for name, value in stored.items() if isinstance(value, Tensor)}

    def load(self, state: dict[str, Tensor]) -> None:
        """Continue from what `state` returned."""
        if state:
            self._inner.state[self._flat] = {name: value.clone() for name, value in state.items()}


def _make(name: str, params: dict[str, Any], flat: Tensor) -> torch.optim.Optimizer:
    if name in {"sgd", "gd"}:
        return torch.optim.SGD([flat], lr=1.0, fused=True, **params)
    betas = (params.pop("beta1"), params.pop("beta2"))
    kind = torch.optim.Adam if name == "adam" else torch.optim.AdamW
    return kind([flat], lr=1.0, betas=betas, fused=True, **params)
