"""Alignment: the permutation of one network's hidden units that brings it nearest to another network.

Networks that differ by a permutation of units compute the same function, but lie far apart. Layer by layer, from the
inputs on, units are matched by what they put out on the training samples and by their incoming weights, once those of
the layer before are matched (the Hungarian method; activation and weight matching of Ainsworth et al. 2023,
arXiv 2209.04836). A permuted copy is brought back exactly, units that are dead on all samples included.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from escapedim.models.layout import Layout
from escapedim.models.network import Network
from escapedim.models.units import incoming_numbers, taken

LARGEST = 1e150  # squared distance of units: a network that is about to diverge may put out more, or no number; ours
SAMPLES = 512  # training samples on which units are compared, at most; ours


def aligned(model: Network, reference: Tensor, row: Tensor, x: Tensor) -> Tensor:
    """Return `row` `(parameters,)` with its hidden units in the order of those of `reference`.

    Parameters
    ----------
    x
        Samples `(samples, inputs)` on which outputs are compared; without any, weights alone decide.

    A network that diverged, one beside it, and one without unit groups stays as it is: there is nothing to match.
    """
    if not model.groups or not bool(torch.isfinite(reference).all() and torch.isfinite(row).all()):
        return row.clone()
    samples, one = x[:SAMPLES].double().cpu(), reference.double().cpu()
    permuted = row.double().cpu()
    expected = _put_out(model, one, samples)
    for n, group in enumerate(model.groups):
        by_output = _distances(expected[n], _put_out(model, permuted, samples)[n])
        incoming = [incoming_numbers(model, flat[None], group)[0].mT for flat in (one, permuted)]
        order = _matching(by_output, _distances(*incoming))
        permuted = taken(model, permuted[None], {group.name: torch.from_numpy(order)})[0]
    return permuted.to(row)


def _put_out(model: Network, row: Tensor, x: Tensor) -> list[Tensor]:
    """What the units of each group put out `(samples, units)`; every place of a channel is a sample."""
    params = {name: view[0] for name, view in Layout(model.shapes).views(row[None]).items()}
    return [values.movedim(1, -1).flatten(0, -2) for values in model.activations(params, x)]


def _distances(left: Tensor, right: Tensor) -> np.ndarray:
    """Squared distances between the columns of two matrices `(samples, units)`."""
    found: np.ndarray = torch.cdist(left.mT.contiguous(), right.mT.contiguous()).square().numpy()
    return found


def _matching(by_output: np.ndarray, by_weight: np.ndarray) -> np.ndarray:
    """Return for each unit of the reference the unit that is matched to it; both distances count alike."""
    from scipy.optimize import linear_sum_assignment

    finite = (np.nan_to_num(distances).clip(max=LARGEST) for distances in (by_output, by_weight))
    cost = sum(distances / (distances.mean() or 1.0) for distances in finite)
    return np.asarray(linear_sum_assignment(cost)[1])
