"""Alignment: the permutation of one network's hidden units that brings it nearest to another network.

Networks that differ by a permutation of units compute the same function, but lie far apart. Layer by layer, from the
inputs on, units are matched by what they put out on the training samples and by their incoming weights, once those of
the layer before are matched (the Hungarian method; activation and weight matching of Ainsworth et al. 2023,
arXiv 2209.04836). A permuted copy is brought back exactly, units that are dead on all samples included.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from escapedim.models.activations import TABLE
from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP

LARGEST = 1e150  # squared distance of units: a network that is about to diverge may put out more, or no number; ours
SAMPLES = 512  # training samples on which units are compared, at most; ours

Named = Mapping[str, np.ndarray]


def aligned(model: MLP, reference: Tensor, row: Tensor, x: Tensor) -> Tensor:
    """Return `row` `(parameters,)` with its hidden units in the order of those of `reference`.

    Parameters
    ----------
    x
        Samples `(samples, inputs)` on which outputs are compared; without any, weights alone decide.

    A network that diverged, and one beside it, stays as it is: there is nothing to match.
    """
    if not bool(torch.isfinite(reference).all() and torch.isfinite(row).all()):
        return row.clone()
    layout = Layout(model.shapes)
    samples = x[:SAMPLES].double().cpu()
    one, other = (_named(layout, flat) for flat in (reference, row))
    found = {name: values.copy() for name, values in other.items()}
    outputs = samples, samples
    for n in range(1, model.depth):
        outputs = _put_out(model, one, n, outputs[0]), _put_out(model, found, n, outputs[1])
        order = _matching(_distances(outputs[0], outputs[1]), _weight_distances(one, found, n))
        _permute(found, n, order)
        outputs = outputs[0], outputs[1][:, torch.from_numpy(order)]
    return torch.from_numpy(layout.pack(found, 0, np.dtype(np.float64))).to(row)


def _named(layout: Layout, row: Tensor) -> dict[str, np.ndarray]:
    return layout.split(row.double().cpu().numpy())


def _put_out(model: MLP, params: Named, n: int, inputs: Tensor) -> Tensor:
    before = inputs @ torch.from_numpy(params[f"layer{n}.weight"]).mT
    bias = params.get(f"layer{n}.bias")
    return TABLE[model.activation].function(before if bias is None else before + torch.from_numpy(bias))


def _distances(left: Tensor, right: Tensor) -> np.ndarray:
    """Squared distances between the columns of two matrices `(samples, units)`."""
    found: np.ndarray = torch.cdist(left.mT.contiguous(), right.mT.contiguous()).square().numpy()
    return found


def _weight_distances(left: Named, right: Named, n: int) -> np.ndarray:
    def incoming(params: Named) -> Tensor:
        weight, bias = params[f"layer{n}.weight"], params.get(f"layer{n}.bias")
        parts = [weight] if bias is None else [weight, bias[:, None]]
        return torch.from_numpy(np.concatenate(parts, 1)).mT

    return _distances(incoming(left), incoming(right))


def _matching(by_output: np.ndarray, by_weight: np.ndarray) -> np.ndarray:
    """Return for each unit of the reference the unit that is matched to it; both distances count alike."""
    from scipy.optimize import linear_sum_assignment

    finite = (np.nan_to_num(distances).clip(max=LARGEST) for distances in (by_output, by_weight))
    cost = sum(distances / (distances.mean() or 1.0) for distances in finite)
    return np.asarray(linear_sum_assignment(cost)[1])


def _permute(params: dict[str, np.ndarray], n: int, order: np.ndarray) -> None:
    for name in (f"layer{n}.weight", f"layer{n}.bias"):
        if name in params:
            params[name] = params[name][order]
    after = f"layer{n + 1}.weight"
    if after in params:
        params[after] = params[after][:, order]
