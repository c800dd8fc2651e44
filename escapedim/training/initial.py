"""Where a replicate begins: its initial weights and its data order, the same for every command.

So the dense network of `prune` is the network that `train` trains with the same seed.
"""

from __future__ import annotations

import torch
from torch import Tensor

from escapedim.models.layout import Layout
from escapedim.models.network import Network
from escapedim.training.seeds import derive_seed, torch_generator


def drawn_row(model: Network, dtype: str, seed: int) -> Tensor:
    """Draw one network as a row of parameters `(parameters,)` on the CPU."""
    return Layout(model.shapes).flatten(model.init(torch_generator(seed))).to(getattr(torch, dtype))


def initial_row(model: Network, dtype: str, root: int, replicate: int) -> Tensor:
    """Initial weights of a replicate `(parameters,)`, on the CPU."""
    return drawn_row(model, dtype, derive_seed(root, "initial weights", model.name, replicate))


def fresh_row(model: Network, dtype: str, root: int, replicate: int, cycle: int) -> Tensor:
    """Weights of a replicate drawn anew for one round `(parameters,)`: those of the reinit control."""
    return drawn_row(model, dtype, derive_seed(root, "fresh weights", model.name, replicate, cycle))


def order_seed(model: Network, root: int, replicate: int, cycle: int) -> int:
    """Seed of the data order of a replicate: a fresh one for every round, shared by the arms of that round."""
    return derive_seed(root, "data order", model.name, replicate, cycle)
