"""Hidden layers with more or fewer units: a unit that is split in two, units that are added, and splits undone.

Members are rows `(members, parameters)`, hidden layers count from 1, and new units are the last ones of their layer.
A split copies a unit and shares its outgoing weights (Fukumizu & Amari 2000, Neural Networks 13). Where those are
fixed (relu students), it shares the incoming vector, which relu allows for 0 < α < 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from escapedim.errors import BadInput
from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP

NO_PARENT = -1


def widened(model: MLP, layer: int, by: int) -> MLP:
    """Return the same network with `by` more units in a hidden layer.

    Raises
    ------
    BadInput
        There is no such hidden layer, or `by` is below 1.
    """
    check_layer(model, layer)
    if by < 1:
        raise BadInput(f"{model.name}: expected 1 new unit or more, found {by}; widen by at least 1.")
    return _resized(model, layer, by)


def check_layer(model: MLP, layer: int) -> None:
    """Refuse a hidden layer that a network does not have.

    Raises
    ------
    BadInput
        In one sentence.
    """
    last = len(model.sizes) - 2
    if not 1 <= layer <= last:
        expected = "hidden layer 1" if last == 1 else f"a hidden layer from 1 to {last}"
        raise BadInput(f"{model.name}: expected {expected}, found {layer}; choose one that it has.")


def outgoing_fixed(model: MLP, layer: int) -> bool:
    """Whether the outgoing weights of a layer's units are no parameters."""
    return f"layer{layer + 1}.weight" not in model.shapes


def split_unit(model: MLP, flat: Tensor, layer: int, units: Tensor, alpha: float) -> Tensor:
    """Split the unit `units` `(members,)` of each member: rows of the network with one unit more.

    The unit keeps the share α of its outgoing weights and its copy gets 1-α; or of the incoming vector where outgoing
    weights are fixed.
    """
    kept, members = flat.clone(), torch.arange(len(flat), device=flat.device)
    views, shared = by_unit(model, kept, layer), _shared(model, layer)
    copies = {name: view[members, units] for name, view in views.items()}
    views[shared][members, units] = alpha * copies[shared]
    copies[shared] = (1 - alpha) * copies[shared]
    return append_units(model, kept, layer, {name: copy.unsqueeze(1) for name, copy in copies.items()})


def merge(model: MLP, flat: Tensor, layer: int, parents: Tensor) -> Tensor:
    """Undo splits: merge each of the last units back into its parent, the last one first.

    Outgoing weights add up. Incoming weights and biases become the mean of the two units, weighted by the norms of
    their outgoing weights (the plain mean where both are 0); where outgoing weights are fixed, incoming vectors add up.

    Parameters
    ----------
    model
        The wide network; rows of the narrow one are returned.
    parents
        `Embedded.parents` `(members, by)` of the splits.

    Raises
    ------
    BadInput
        A unit was not split off any other.
    """
    check_layer(model, layer)
    if bool((parents == NO_PARENT).any()):
        raise BadInput("merging: expected units that were split off others, found new ones; embed with split.")
    for parent in reversed(parents.unbind(1)):
        flat = _fold(model, flat, layer, parent)
        model = _resized(model, layer, -1)
    return flat


def _fold(model: MLP, flat: Tensor, layer: int, parents: Tensor) -> Tensor:
    """Merge the last unit into its parent `(members,)`."""
    narrow, members = _resized(model, layer, -1), torch.arange(len(flat), device=flat.device)
    folded, shared = _with_layer_empty(model, flat, narrow, layer), _shared(model, layer)
    wide, views = by_unit(model, flat, layer), by_unit(narrow, folded, layer)
    own, copy = wide[shared][members, parents], wide[shared][:, -1]
    share = _share(own, copy)
    for name, view in views.items():
        view.copy_(wide[name][:, :-1])
        apart = wide[name][:, -1] - view[members, parents]
        # Not a weighted sum: units that are equal keep their weights to the last bit.
        view[members, parents] = own + copy if name == shared else view[members, parents] + share * apart
    return folded


def _share(own: Tensor, copy: Tensor) -> Tensor:
    """Share of the copy in the sum of norms `(members, 1)`."""
    left, right = own.norm(dim=1, keepdim=True), copy.norm(dim=1, keepdim=True)
    return torch.where(left + right > 0, right / (left + right), 0.5)


def by_unit(model: MLP, flat: Tensor, layer: int) -> dict[str, Tensor]:
    """Views `(members, units, ...)` of the parameters of a layer's units by name: incoming, bias, outgoing."""
    views = Layout(model.shapes).views(flat)
    weight, bias, outgoing = f"layer{layer}.weight", f"layer{layer}.bias", f"layer{layer + 1}.weight"
    found = {weight: views[weight]}
    if bias in views:
        found[bias] = views[bias].unsqueeze(2)
    if outgoing in views:
        found[outgoing] = views[outgoing].mT
    return found


def append_units(model: MLP, flat: Tensor, layer: int, units: Mapping[str, Tensor]) -> Tensor:
    """Add units, named and shaped as in `by_unit`, behind those of a layer."""
    wide = _resized(model, layer, units[f"layer{layer}.weight"].shape[1])
    rows, narrow = _with_layer_empty(model, flat, wide, layer), by_unit(model, flat, layer)
    for name, view in by_unit(wide, rows, layer).items():
        view.copy_(torch.cat([narrow[name], units[name]], 1))
    return rows


def _with_layer_empty(model: MLP, flat: Tensor, to: MLP, layer: int) -> Tensor:
    """Rows of a network of another width, in which the parameters of the layer's units are 0."""
    rows = flat.new_zeros(len(flat), Layout(to.shapes).size)
    views, emptied = Layout(to.shapes).views(rows), by_unit(model, flat, layer)
    for name, view in Layout(model.shapes).views(flat).items():
        if name not in emptied:
            views[name].copy_(view)
    return rows


def _resized(model: MLP, layer: int, by: int) -> MLP:
    sizes = list(model.sizes)
    sizes[layer] += by
    return replace(model, sizes=tuple(sizes))


def _shared(model: MLP, layer: int) -> str:
    """Name of what a unit shares with its copy."""
    return f"layer{layer if outgoing_fixed(model, layer) else layer + 1}.weight"
