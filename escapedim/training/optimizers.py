"""Optimizers over a whole stack: torch's fused kernels on the one matrix that holds all members.

Every rule is elementwise, so a stacked step is each member's own step, in one pass over memory. The kernels are those
of torch.optim with `fused=True`; calling them without its wrapper saves a third of a small step, and the second that
its first use takes to import. Written `sgd:momentum=0.9,nesterov=true,weight_decay=1e-4`, `adam`,
`adamw:weight_decay=0.01`, and `gd`, which is full-batch gradient descent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from escapedim.specs import Spec, take_params
from escapedim.training.names import OPTIMIZERS

Moments = dict[str, Tensor]


class Optimizer:
    """An update rule on one matrix `(members, parameters)`, with its moments as plain tensors."""

    def __init__(self, spec: Spec, flat: Tensor, moments: Moments | None = None) -> None:
        """Start from the moments of an earlier `state`, or from none."""
        params: dict[str, Any] = dict(take_params(spec, OPTIMIZERS[spec.name]))
        make = _sgd if spec.name in {"sgd", "gd"} else _adam
        self._moments: Moments = {name: value.clone() for name, value in (moments or {}).items()}
        self._update = make(spec.name, params, flat, self._moments)

    def step(self, gradient: Tensor, lr: float) -> None:
        """Update the matrix in place."""
        self._update(gradient, lr)

    def state(self) -> Moments:
        """Return copies of the moments `(members, parameters)` and of the step counter."""
        return {name: value.clone() for name, value in self._moments.items()}


Update = Callable[[Tensor, float], None]


def _adam(name: str, params: dict[str, Any], flat: Tensor, moments: Moments) -> Update:
    """Adam (Kingma & Ba 2015) or, with decoupled weight decay, AdamW (Loshchilov & Hutter 2019)."""
    kernel = torch._fused_adam_ if name == "adam" else torch._fused_adamw_
    for moment in ("exp_avg", "exp_avg_sq"):
        moments.setdefault(moment, torch.zeros_like(flat))
    steps = moments.setdefault("step", torch.zeros((), dtype=torch.float32, device=flat.device))

    def update(gradient: Tensor, lr: float) -> None:
        steps.add_(1)
        means, squares = [moments["exp_avg"]], [moments["exp_avg_sq"]]
        kernel([flat], [gradient], means, squares, [], [steps], lr=lr, amsgrad=False, maximize=False, **params)

    return update


def _sgd(name: str, params: dict[str, Any], flat: Tensor, moments: Moments) -> Update:
    """Stochastic gradient descent with momentum and Nesterov's variant, as torch.optim.SGD defines them."""
    settings = {"weight_decay": 0.0, **params, "dampening": 0.0, "maximize": False}

    def update(gradient: Tensor, lr: float) -> None:
        first = bool(params["momentum"]) and "momentum_buffer" not in moments
        if first:
            moments["momentum_buffer"] = torch.empty_like(flat)
        buffers = [moments["momentum_buffer"]] if params["momentum"] else []
        torch._fused_sgd_([flat], [gradient], buffers, lr=lr, is_first_step=first, **settings)

    return update
