"""Networks of all shapes that the tests of widening share."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from torch import Tensor

from escapedim.models.layer_names import ACTIVATIONS, INITIALISATIONS
from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.models.network import Network
from escapedim.models.relu_student import ReluStudent
from tests.landscape.networks import draw

STUDENT = ReluStudent(4, 3)

sizes = st.lists(st.integers(1, 4), min_size=3, max_size=5).map(tuple)
models = st.builds(
    MLP, sizes, st.sampled_from(ACTIVATIONS), st.sampled_from([*INITIALISATIONS, "normal:std=3"]), st.booleans()
)
students = st.builds(ReluStudent, *[st.integers(1, 4)] * 2)


def members(model: Network, count: int = 3, seed: int = 0) -> Tensor:
    return draw(count, Layout(model.shapes).size, seed=seed)


def sizes_of(model: MLP | ReluStudent) -> tuple[int, ...]:
    """Inputs, hidden widths and outputs."""
    return (model.k, model.hidden, 1) if isinstance(model, ReluStudent) else model.sizes


def units_of(model: Network, flat: Tensor, layer: int) -> tuple[Tensor, Tensor]:
    """Incoming weights with biases, and outgoing weights, by unit, of one member."""
    tensors = {name: view[0] for name, view in Layout(model.shapes).views(flat[None]).items()}
    incoming, bias = tensors[f"layer{layer}.weight"], tensors.get(f"layer{layer}.bias")
    if bias is not None:
        incoming = torch.cat([incoming, bias[:, None]], 1)
    return incoming, tensors[f"layer{layer + 1}.weight"].T
