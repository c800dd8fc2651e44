"""Plans, networks, masks and scores for properties of pruning."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from escapedim.models.mlp import MLP
from escapedim.models.network import Network
from escapedim.models.relu_student import ReluStudent
from escapedim.pruning.pruning_plan import PruningPlan

ARMS = ("ticket", "reinit", "shuffle", "random")


def make_plan(sizes: tuple[int, ...], **changes) -> PruningPlan:
    """A plan for a fully connected net; `output` is the output layer's fraction."""
    fraction = changes.pop("fraction", 0.2)
    output = changes.pop("output", fraction)
    names = list(make_shapes(sizes))
    settings = {
        "rounds": 5,
        "fractions": dict.fromkeys(names, fraction) | {names[-1]: output},
        "density": None,
        "scope": "layer",
        "granularity": "weight",
        "criterion": "magnitude",
        "arms": ARMS,
        "rewind_step": 0,
    }
    return PruningPlan(**{**settings, **changes})


def make_shapes(sizes: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    pairs = zip(sizes[1:], sizes, strict=False)
    return {f"layer{n}.weight": pair for n, pair in enumerate(pairs, start=1)}


def make_network(sizes: tuple[int, ...]) -> Network:
    """A fully connected net; a lone layer is that of a relu student."""
    return ReluStudent(*sizes) if len(sizes) == 2 else MLP(sizes, "tanh")


sizes = st.lists(st.integers(1, 6), min_size=2, max_size=4).map(tuple)
deep_sizes = st.lists(st.integers(1, 6), min_size=3, max_size=4).map(tuple)
fractions = st.floats(0.01, 0.99) | st.sampled_from([0.1, 0.2, 0.25, 0.5])
values = st.integers(-2, 2).map(float) | st.floats(allow_nan=True, allow_infinity=True) | st.just(-0.0)


def arrays(shapes, elements, dtype):
    """Arrays by layer, in the order of the layers."""

    def array(shape):
        count = int(np.prod(shape))
        items = st.lists(elements, min_size=count, max_size=count)
        return items.map(lambda values: np.array(values, dtype).reshape(shape))

    return st.tuples(*map(array, shapes.values())).map(lambda made: dict(zip(shapes, made, strict=True)))
