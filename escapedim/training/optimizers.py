"""Optimizers over a whole stack: torch's fused kernels on the one matrix that holds all members.

Every rule is elementwise, so a stacked step is each member's own step, in one pass over memory. The kernels are those
of torch.optim with `fused=True`; calling them without its wrapper saves a third of a small step, and the second that
its first use takes to import. The kernels round the last few numbers of a tensor differently from the rest, so all
matrices lie in storage of whole vector registers (`padded`), and the kernels run over that.

Written `sgd:momentum=0.9,nesterov=true,weight_decay=1e-4`, `adam`, `adamw:weight_decay=0.01`, and `gd`, which is
full-batch gradient descent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from escapedim.specs import Spec, take_params
from escapedim.training.optimizer_names import OPTIMIZERS

Moments = dict[str, Tensor]
REGISTER = 16  # numbers; AVX-512 holds as many in float32, all others fewer


def by_matrix(moments: Moments, change: Callable[[Tensor], Tensor]) -> Moments:
    """Change every matrix of moments `(members, parameters)`; counters of steps are shared, and stay as they are."""
    return {name: change(value) if value.dim() == 2 else value for name, value in moments.items()}


def of_members(moments: Moments, chosen: Tensor) -> Moments:
    """Return the moments of some members, by index or mask."""
    return by_matrix(moments, lambda value: value[chosen.to(value.device)])


def padded(matrix: Tensor) -> Tensor:
    """Copy a matrix into storage that ends with a whole register, filled up with zeros."""
    count = matrix.numel()
    whole = matrix.new_zeros(-(-count // REGISTER) * REGISTER)
    copy = whole[:count].view(matrix.shape)
    return copy.copy_(matrix)


def _whole(matrix: Tensor) -> Tensor:
    """All of a padded matrix's storage `(numbers,)`."""
    stored = matrix.untyped_storage().nbytes() // matrix.element_size()
    if stored % REGISTER or not 0 <= stored - matrix.numel() < REGISTER:
        raise ValueError("expected a matrix that `padded` made")
    return matrix.as_strided((stored,), (1,), 0)


class Optimizer:
    """An update rule on one matrix `(members, parameters)`, with its moments as plain tensors.

    The matrix and its gradients are `padded`.
    """

    def __init__(self, spec: Spec, flat: Tensor, moments: Moments | None = None) -> None:
        """Start from the moments of an earlier `state`, or from none."""
        params: dict[str, Any] = dict(take_params(spec, OPTIMIZERS[spec.name]))
        make = _sgd if spec.name in {"sgd", "gd"} else _adam
        self._moments: Moments = {name: _own(value) for name, value in (moments or {}).items()}
        self._update = make(spec.name, params, flat, self._moments)

    def step(self, gradient: Tensor, lr: float) -> None:
        """Update the matrix in place."""
        self._update(gradient, lr)

    def state(self) -> Moments:
        """Return copies of the moments `(members, parameters)` and of the step counter."""
        return {name: value.clone() for name, value in self._moments.items()}


def _own(moment: Tensor) -> Tensor:
    return padded(moment) if moment.dim() == 2 else moment.clone()


Update = Callable[[Tensor, float], None]


def _adam(name: str, params: dict[str, Any], flat: Tensor, moments: Moments) -> Update:
    """Adam (Kingma & Ba 2015) or, with decoupled weight decay, AdamW (Loshchilov & Hutter 2019)."""
    kernel = torch._fused_adam_ if name == "adam" else torch._fused_adamw_
    for moment in ("exp_avg", "exp_avg_sq"):
        moments.setdefault(moment, padded(torch.zeros_like(flat)))
    steps = moments.setdefault("step", torch.zeros((), dtype=torch.float32, device=flat.device))
    weights, means, squares = ([_whole(matrix)] for matrix in (flat, moments["exp_avg"], moments["exp_avg_sq"]))

    def update(gradient: Tensor, lr: float) -> None:
        steps.add_(1)
        kernel(weights, [_whole(gradient)], means, squares, [], [steps], lr=lr, amsgrad=False, maximize=False, **params)

    return update


def _sgd(name: str, params: dict[str, Any], flat: Tensor, moments: Moments) -> Update:
    """Stochastic gradient descent with momentum and Nesterov's variant, as torch.optim.SGD defines them."""
    settings = {"weight_decay": 0.0, **params, "dampening": 0.0, "maximize": False}
    weights = [_whole(flat)]

    def update(gradient: Tensor, lr: float) -> None:
        first = bool(params["momentum"]) and "momentum_buffer" not in moments
        if first:
            moments["momentum_buffer"] = padded(torch.zeros_like(flat))
        buffers = [_whole(moments["momentum_buffer"])] if params["momentum"] else []
        torch._fused_sgd_(weights, [_whole(gradient)], buffers, lr=lr, is_first_step=first, **settings)

    return update
