"""What belongs to a unit, and what can be done to units; the only place that knows.

Everything reads the unit groups of a network (`models.network`). Masks and layers are mappings of prunable parameters
to arrays; members are rows `(members, parameters)`. A smaller or larger network of the same family is reached by
indexing: `places` says where the numbers of the chosen units lie in a row, in the order of the row of the network that
has just those units. So units are taken out, permuted and copied by gathering, and put in by scattering.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from escapedim.models.layout import Layout
from escapedim.models.network import Network, Part, UnitGroup

Arrays = Mapping[str, np.ndarray]


def by_unit(values: Tensor, part: Part, units: int, leading: int = 0) -> Tensor:
    """View a parameter with its units first: `(...leading, *shape)` becomes `(...leading, units, ...)`.

    A block of several numbers a unit becomes the last axis.
    """
    axis = part.axis + leading
    chosen = values.narrow(axis, part.first, units * part.block)
    if part.block > 1:
        chosen = chosen.view(*chosen.shape[:axis], units, part.block, *chosen.shape[axis + 1 :]).movedim(axis + 1, -1)
    return chosen.movedim(axis, leading)


def _numbers(parts: Iterable[Part], group: UnitGroup, values: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """The numbers of every unit in those parts that are among the values, `(units, ...)` each."""
    return [
        by_unit(torch.from_numpy(values[part.parameter]), part, group.units).numpy()
        for part in parts
        if part.parameter in values
    ]


def _any(parts: Iterable[Part], group: UnitGroup, masks: Arrays) -> np.ndarray:
    there = [numbers.reshape(group.units, -1).any(1) for numbers in _numbers(parts, group, masks)]
    return np.logical_or.reduce(there, axis=0) if there else np.zeros(group.units, bool)


def kept(network: Network, masks: Arrays) -> dict[str, np.ndarray]:
    """Say by group which units `(units,)` have any weight left: those that unit pruning has not removed."""
    return {group.name: _any((*group.incoming, *group.outgoing), group, masks) for group in network.groups}


def kept_of_members(network: Network, masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return what `kept` does of every member `(members, units)`, for masks `(members, *shape)`."""

    def of_group(group: UnitGroup) -> Tensor:
        parts = [part for part in (*group.incoming, *group.outgoing) if part.parameter in masks]
        there = [by_unit(masks[part.parameter], part, group.units, 1).flatten(2).any(2) for part in parts]
        return torch.stack(there).any(0)

    return {group.name: of_group(group) for group in network.groups}


def alive(network: Network, masks: Arrays) -> dict[str, np.ndarray]:
    """Say by prunable parameter which units it leads to have an incoming and an outgoing weight left.

    Those of an output, and of units whose outgoing weights are fixed, need an incoming one alone.
    """
    living = {name: np.asarray(mask.reshape(len(mask), -1).any(1)) for name, mask in masks.items()}
    for group in network.groups:
        both = _any(group.incoming, group, masks)
        if any(part.parameter in masks for part in group.outgoing):
            both &= _any(group.outgoing, group, masks)
        living |= {part.parameter: both for part in group.incoming if part.parameter in masks}
    return living


def without(network: Network, masks: Arrays, kept_units: Arrays) -> dict[str, np.ndarray]:
    """Return masks that have also lost all weights into and out of the units that are not kept `(units,)`, by group."""
    left = {name: mask.copy() for name, mask in masks.items()}
    for group in network.groups:
        for part in (*group.incoming, *group.outgoing):
            if part.parameter in left:
                view = by_unit(torch.from_numpy(left[part.parameter]), part, group.units)
                view[torch.from_numpy(~kept_units[group.name])] = False
    return left


def norms(network: Network, layers: Arrays) -> dict[str, np.ndarray]:
    """Return by group the product of the norms of each unit's incoming and outgoing weights `(units,)`, in float64.

    Where no outgoing weight is among the layers, it is the norm of the incoming ones alone.
    """

    def norm(parts: Iterable[Part], group: UnitGroup) -> list[np.ndarray]:
        axes = [
            (numbers.astype(np.float64), tuple(range(1, numbers.ndim))) for numbers in _numbers(parts, group, layers)
        ]
        # A sum over one axis adds in the order in which the numbers lie, as every published mask was made.
        lengths = [
            np.linalg.norm(numbers, axis=1) if len(axis) == 1 else np.sqrt(np.square(numbers).sum(axis))
            for numbers, axis in axes
        ]
        return [reduce(np.hypot, lengths)] if lengths else []

    def product(group: UnitGroup) -> np.ndarray:
        return reduce(np.multiply, [*norm(group.incoming, group), *norm(group.outgoing, group)])

    return {group.name: product(group) for group in network.groups}


class UnitViews(NamedTuple):
    """Views `(members, units, ...)` of the numbers of a group's units in rows: of each part of each kind."""

    incoming: list[Tensor]
    own: list[Tensor]
    outgoing: list[Tensor]

    @property
    def shared(self) -> list[Tensor]:
        """What a unit shares with its copy: what leads away from it, or to it where that is fixed."""
        return self.outgoing or self.incoming


def views(network: Network, flat: Tensor, group: UnitGroup) -> UnitViews:
    """View rows `(members, parameters)` by the units of a group: what is written there is written into the rows."""
    parameters = Layout(network.shapes).views(flat)

    def each(parts: Iterable[Part]) -> list[Tensor]:
        return [by_unit(parameters[part.parameter], part, group.units, 1) for part in parts]

    return UnitViews(each(group.incoming), each(group.own), each(group.outgoing))


def incoming_numbers(network: Network, flat: Tensor, group: UnitGroup) -> Tensor:
    """Return the incoming weights and own numbers of each unit as one vector `(members, units, numbers)`."""
    seen = views(network, flat, group)
    return torch.cat([view.reshape(len(flat), group.units, -1) for view in (*seen.incoming, *seen.own)], 2)


Chosen = Mapping[str, Tensor]
"""By group the indices of units, `(units,)` or `(members, units)`; a unit may be chosen several times, inputs too."""


def places(network: Network, chosen: Chosen) -> Tensor:
    """Return where in a row the numbers of the network of the chosen units lie `(members or 1, parameters)`.

    They are in the order of that network's own row. Groups that are not named keep all their units.
    """
    layout, found = Layout(network.shapes), list[Tensor]()
    parts: dict[str, list[tuple[UnitGroup, Part]]] = {}
    inputs = () if network.input_group is None else (network.input_group,)
    for group in (*network.groups, *inputs):
        for part in (*group.incoming, *group.own, *group.outgoing):
            if group.name in chosen:
                parts.setdefault(part.parameter, []).append((group, part))
    for name, shape in network.shapes.items():
        axes = [torch.arange(size)[None] for size in shape]
        # From the last part on: what is put in place of one moves those behind it.
        for group, part in sorted(parts.get(name, ()), key=lambda one: one[1].first, reverse=True):
            units = chosen[group.name]
            axes[part.axis] = _along(axes[part.axis], group, part, units.view(-1, units.shape[-1]))
        found.append(_flat_places(shape, axes) + layout.slices[name].start)
    (members,) = np.broadcast_shapes(*((len(part),) for part in found))
    return torch.cat([part.expand(members, -1) for part in found], 1)


def _along(axis: Tensor, group: UnitGroup, part: Part, units: Tensor) -> Tensor:
    """Put the blocks of chosen units `(members or 1, units)` in the place of those that an axis has."""
    blocks = (part.first + units[..., None] * part.block + torch.arange(part.block)).flatten(1)
    before, after = axis[:, : part.first], axis[:, part.first + group.units * part.block :]
    (members,) = np.broadcast_shapes((len(axis),), (len(blocks),))
    return torch.cat([one.expand(members, -1) for one in (before, blocks, after)], 1)


def _flat_places(shape: Sequence[int], axes: Sequence[Tensor]) -> Tensor:
    """Return the places `(members or 1, numbers)` of the indices `(members or 1, chosen)` along every axis."""
    found = torch.zeros(1, 1, dtype=torch.int64)
    for size, axis in zip(shape, axes, strict=True):
        found = (found[:, :, None] * size + axis[:, None, :]).flatten(1)
    return found


def taken(network: Network, rows: Tensor, chosen: Chosen) -> Tensor:
    """Return networks of the chosen units alone, one for each row; in another order, that permutes the units."""
    return rows.gather(1, places(network, chosen).to(rows.device).expand(len(rows), -1))


def placed(narrow: Network, tickets: Tensor, wide: Network, rows: Tensor) -> Tensor:
    """Write narrow networks over the first units of wide rows `(members, parameters)`, and over what is no unit's."""
    first = {group.name: torch.arange(group.units) for group in narrow.groups}
    return rows.scatter(1, places(wide, first).to(rows.device).expand(len(rows), -1), tickets)


def split(network: Network, flat: Tensor, group: UnitGroup, parents: Tensor, alpha: float) -> tuple[Network, Tensor]:
    """Split one unit `(members,)` of a group in two: the network with one unit more, and its rows.

    The copy is the last unit. The unit keeps the share α of what leads away from it and its copy gets 1-α; or of what
    leads to it where the rest is fixed.
    """
    members, among = torch.arange(len(flat), device=flat.device), torch.arange(group.units, device=flat.device)
    wide = network.resized([g.units + (g.name == group.name) for g in network.groups])
    chosen = torch.cat([among.expand(len(flat), -1), parents[:, None]], 1)
    rows = taken(network, flat, {group.name: chosen.cpu()})
    for view in views(wide, rows, group_of(wide, group.name)).shared:
        view[members, parents] *= alpha
        view[:, -1] *= 1 - alpha
    return wide, rows


def merged(network: Network, flat: Tensor, group: UnitGroup, parents: Tensor) -> tuple[Network, Tensor]:
    """Merge the last unit of a group into its parent `(members,)`: the network with one unit less, and its rows.

    What leads away from both adds up. The rest becomes the mean of the two units, weighted by the norms of what leads
    away from them (the plain mean where both are 0). Where that is fixed, what leads to them adds up.
    """
    members, last = torch.arange(len(flat), device=flat.device), group.units - 1
    narrow = network.resized([g.units - (g.name == group.name) for g in network.groups])
    rows = flat.clone()
    seen = views(network, rows, group)
    share = _share(*(_joined([view[which] for view in seen.shared]) for which in ((members, parents), (members, last))))
    for view in (*seen.incoming, *seen.own) if seen.outgoing else seen.own:
        apart = view[:, -1] - view[members, parents]
        # Not a weighted sum: units that are equal keep their weights to the last bit.
        view[members, parents] += share.view(-1, *[1] * (apart.dim() - 1)) * apart
    for view in seen.shared:
        view[members, parents] += view[:, -1]
    return narrow, taken(network, rows, {group.name: torch.arange(last)})


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return torch.cat([part.flatten(1) for part in parts], 1)


def _share(own: Tensor, copy: Tensor) -> Tensor:
    """Share of the copy in the sum of norms `(members,)`."""
    left, right = own.norm(dim=1), copy.norm(dim=1)
    return torch.where(left + right > 0, right / (left + right), 0.5)


def group_of(network: Network, name: str) -> UnitGroup:
    """Return the group of that name."""
    return next(group for group in network.groups if group.name == name)
