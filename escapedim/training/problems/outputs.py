"""What the members of a stack put out, for their evaluation."""

from __future__ import annotations

import torch
from torch import Tensor

from escapedim.models.activations import TABLE
from escapedim.models.layout import Layout
from escapedim.models.network import FullyConnected, Network


def stack_outputs(network: Network, flat: Tensor, x: Tensor) -> Tensor:
    """Outputs `(members, samples, outputs)` of rows `(members, parameters)` for inputs `(samples, inputs)`."""
    views, layers = Layout(network.shapes).views(flat), network.fully_connected
    if layers is not None:
        return _dense(layers, views, x.expand(len(flat), *x.shape))
    # One after another: a convolution of a stack is no faster, and may round by its batch-mates.
    return torch.stack([network.apply({name: view[n] for name, view in views.items()}, x) for n in range(len(flat))])


def _dense(layers: FullyConnected, params: dict[str, Tensor], x: Tensor) -> Tensor:
    """Outputs of a stack of fully connected nets, for inputs `(members, samples, inputs)`.

    On the CPU they are those of `torch.func.vmap` over `Network.apply` to the last bit, as all published results are.
    One product of torch does what vmap copies inputs for.
    """
    activation = TABLE[layers.activation]
    # Under vmap, where tanh is torch's: NumPy's, of `models.elementwise`, rounds differently.
    activate = torch.func.vmap(activation.in_place or activation.function)
    for n, (weight, bias) in enumerate(layers.layers, start=1):
        x = torch.bmm(x, params[weight].mT)
        if bias is not None:  # not by baddbmm, which rounds differently where there are hundreds of inputs
            x += params[bias].unsqueeze(1)
        if n < len(layers.layers):
            x = activate(x)  # in place where it can be: the products are new
    return x
