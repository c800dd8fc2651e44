"""Embeddings: widening a network by new units without changing what it computes.

- `split` (Fukumizu & Amari 2000, Neural Networks 13): a unit is copied, and shares its outgoing weights α : 1-α with
  the copy; where these are fixed (relu students) it shares the incoming vector, which relu allows for 0 < α < 1.
  Several new units are split off one by one, each from a unit drawn uniformly among those that are there by then.
- `null` (Zhang et al. 2021, arXiv 2111.15527): a unit with incoming and outgoing weights 0; with `drawn=true` the
  incoming weights are drawn as the wide network's initialisation draws them.
- `zero-in`: a unit with incoming weights 0, which puts out a constant, and drawn outgoing weights; the next layer's
  biases make up for the constant. Where there are biases the unit's own is 1, so that a relu unit is alive.

Members are rows `(members, parameters)`, and new units are the last ones of their group. All groups in which the wide
network has more units grow, one after another. What is drawn comes from the member's own seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor

from escapedim.errors import BadInput, nearest
from escapedim.models import units
from escapedim.models.activations import TABLE
from escapedim.models.layout import Layout
from escapedim.models.network import Network, Part, UnitGroup
from escapedim.specs import Spec, take_params
from escapedim.training.seeds import torch_generator
from escapedim.widening.embedding_names import EMBEDDINGS, check_embedding

NO_PARENT = -1


@dataclass(frozen=True)
class Embedded:
    """Wide rows `(members, parameters)`, and by group `parents` `(members, by)`.

    A parent is the unit that a new one was split off, which can be a new one too; -1 where it was not split off any.
    """

    flat: Tensor
    parents: Mapping[str, Tensor]


def widened(network: Network, layer: int, by: int) -> Network:
    """Return the same network with `by` more units in one hidden layer, 1 being the first.

    Raises
    ------
    BadInput
        There is no such hidden layer, or `by` is below 1.
    """
    check_layer(network, layer)
    if by < 1:
        raise BadInput(f"{network.name}: expected 1 new unit or more, found {by}; widen by at least 1.")
    return network.resized([count + by * (n == layer) for n, count in enumerate(network.units, start=1)])


def check_layer(network: Network, layer: int) -> None:
    """Refuse a hidden layer that a network does not have.

    Raises
    ------
    BadInput
        In one sentence.
    """
    last = len(network.groups)
    if not 1 <= layer <= last:
        expected = "hidden layer 1" if last == 1 else f"a hidden layer from 1 to {last}"
        raise BadInput(f"{network.name}: expected {expected}, found {layer}; choose one that it has.")


def check(narrow: Network, wide: Network, spec: Spec) -> None:
    """Refuse an embedding that would change what the network computes, or whose new units could never learn.

    Raises
    ------
    BadInput
        In one sentence: an unknown embedding or parameter, or an embedding that this network refuses.
    """
    embedding = _embedding(spec)
    for group in _growing(narrow, wide):
        if refusal := embedding.refusal(group):
            raise BadInput(f"'{spec}' on {narrow.name}: {refusal}")


def embed(narrow: Network, wide: Network, flat: Tensor, spec: Spec, seeds: Sequence[int]) -> Embedded:
    """Put every member of `(members, parameters)` into a wide network, which computes the same.

    `seeds` has one seed a member. The first of several units that are split off is the one that is split off alone.

    Raises
    ------
    BadInput
        As in `check`.
    """
    check(narrow, wide, spec)
    if len(seeds) != len(flat):
        raise ValueError(f"expected one seed a member, found {len(seeds)} for {len(flat)} members")
    return _embedding(spec).embed(narrow, wide, flat, [torch_generator(seed) for seed in seeds])


def merge(wide: Network, flat: Tensor, parents: Mapping[str, Tensor]) -> Tensor:
    """Undo splits: merge each of the last units of a group back into its parent, the last one first (`units.merged`).

    Raises
    ------
    BadInput
        A unit was not split off any other.
    """
    if any(bool((of_group == NO_PARENT).any()) for of_group in parents.values()):
        raise BadInput("merging: expected units that were split off others, found new ones; embed with split.")
    network = wide
    for name, of_group in reversed(list(parents.items())):
        for parent in reversed(of_group.unbind(1)):
            network, flat = units.merged(network, flat, units.group_of(network, name), parent)
    return flat


def why_not_critical(narrow: Network, wide: Network, spec: Spec, weight_decay: bool) -> str:
    """Say in a clause why this embedding of a member's end need not be a critical point of the loss; "" where it is.

    The end is taken to be a critical point of what was minimised, penalty included: with weight decay it is none of the
    loss, whatever the embedding, and a split is none of the two together either.

    Raises
    ------
    BadInput
        As in `check`.
    """
    check(narrow, wide, spec)
    if weight_decay:
        return "weight decay: the descent ends where the loss alone would not"
    reasons = (_embedding(spec).why_not_critical(group) for group in _growing(narrow, wide))
    return next(filter(None, reasons), "")


def _growing(narrow: Network, wide: Network) -> list[UnitGroup]:
    """Groups of the narrow network of which the wide one has more units."""
    pairs = zip(narrow.groups, wide.groups, strict=True)
    return [group for group, grown in pairs if grown.units > group.units]


class _Embedding(Protocol):
    def refusal(self, group: UnitGroup) -> str:
        """Say what was expected, what was found and what to do; "" where the embedding can be made."""

    def embed(self, narrow: Network, wide: Network, flat: Tensor, generators: Sequence[Generator]) -> Embedded:
        """Widen members, each with its own generator."""

    def why_not_critical(self, group: UnitGroup) -> str:
        """Say what makes the embedding of a critical point none; "" where it is one."""


@dataclass(frozen=True)
class _Split:
    alpha: float

    def refusal(self, group: UnitGroup) -> str:
        if not group.outgoing and not 0 < self.alpha < 1:
            return (
                "expected 0 < alpha < 1, since outgoing weights are fixed and relu passes on no negative share of the "
                f"incoming vector, found {self.alpha:g}; write split:alpha=0.5."
            )
        return ""

    def embed(self, narrow: Network, wide: Network, flat: Tensor, generators: Sequence[Generator]) -> Embedded:
        network, parents = narrow, dict[str, Tensor]()
        for group in _growing(narrow, wide):
            among = range(group.units, units.group_of(wide, group.name).units)
            drawn = [
                [int(torch.randint(count, (), generator=generator)) for count in among] for generator in generators
            ]
            chosen = torch.tensor(drawn, dtype=torch.long, device=flat.device).view(len(flat), len(among))
            for parent in chosen.unbind(1):
                network, flat = units.split(network, flat, units.group_of(network, group.name), parent, self.alpha)
            parents[group.name] = chosen
        return Embedded(flat, parents)

    def why_not_critical(self, group: UnitGroup) -> str:
        return ""


@dataclass(frozen=True)
class _New:
    """New units of one group in wide rows: views of their numbers `(members, by, ...)`, with where each part lies."""

    group: UnitGroup
    incoming: list[tuple[Part, Tensor]]
    own: list[tuple[Part, Tensor]]
    outgoing: list[tuple[Part, Tensor]]


def _appended(narrow: Network, wide: Network, flat: Tensor) -> tuple[Embedded, list[_New]]:
    """Return wide rows in which everything new is 0, and the new units of each group."""
    rows = units.placed(narrow, flat, wide, flat.new_zeros(len(flat), wide.size))
    made, parents = list[_New](), dict[str, Tensor]()
    for old in _growing(narrow, wide):
        group = units.group_of(wide, old.name)
        seen = units.views(wide, rows, group)
        kinds = zip((group.incoming, group.own, group.outgoing), seen, strict=True)
        new = [[(part, view[:, old.units :]) for part, view in zip(*kind, strict=True)] for kind in kinds]
        made.append(_New(group, *new))
        parents[old.name] = torch.full((len(flat), group.units - old.units), NO_PARENT, device=flat.device)
    return Embedded(rows, parents), made


def _draw(wide: Network, group: UnitGroup, part: Part, view: Tensor, generators: Sequence[Generator]) -> None:
    """Write into the last units of one part what the wide network's initialisation draws for them, member by member."""
    for row, generator in zip(view, generators, strict=True):
        row.copy_(units.by_unit(wide.draw(part.parameter, generator), part, group.units)[-len(row) :])


class _Null:
    def refusal(self, group: UnitGroup) -> str:
        if refusal := _needs_outgoing(group) or _needs_activation(group):
            return refusal
        if group.activation == "relu":
            return (
                "expected an activation that has a slope at 0, found relu, of which a unit with incoming weights 0 is "
                "dead; write null:drawn=true or split."
            )
        return ""

    def embed(self, narrow: Network, wide: Network, flat: Tensor, generators: Sequence[Generator]) -> Embedded:
        return _appended(narrow, wide, flat)[0]

    def why_not_critical(self, group: UnitGroup) -> str:
        if _constant(group, 0.0) and not group.absorbing:
            return f"{group.activation} is not 0 at 0: without biases the new outgoing weights have a gradient"
        return ""


class _DrawnNull:
    def refusal(self, group: UnitGroup) -> str:
        return _needs_outgoing(group)

    def embed(self, narrow: Network, wide: Network, flat: Tensor, generators: Sequence[Generator]) -> Embedded:
        embedded, made = _appended(narrow, wide, flat)
        for new in made:
            for part, view in new.incoming:
                _draw(wide, new.group, part, view, generators)
        for _, view in _outgoing(made):  # of a unit that is new too, they are among its incoming weights
            view.zero_()
        return embedded

    def why_not_critical(self, group: UnitGroup) -> str:
        return "the outgoing weights of units with drawn incoming weights have a gradient"


class _ZeroIn:
    def refusal(self, group: UnitGroup) -> str:
        if refusal := _needs_outgoing(group) or _needs_activation(group):
            return refusal
        if group.activation == "relu" and not group.own:
            return "expected biases, without which a relu unit of incoming weights 0 is dead, found none; write split."
        bias = _own_bias(group)
        if _constant(group, bias) and not group.absorbing:
            return (
                f"expected biases to make up for {group.activation} at {bias:g}, with no zero padding in between, "
                "found none; write split."
            )
        return ""

    def embed(self, narrow: Network, wide: Network, flat: Tensor, generators: Sequence[Generator]) -> Embedded:
        embedded, made = _appended(narrow, wide, flat)
        parameters = Layout(wide.shapes).views(embedded.flat)
        for new in made:
            for part, view in new.outgoing:
                _draw(wide, new.group, part, view, generators)
        for new in made:
            for _, view in new.incoming:
                view.zero_()
            for _, view in new.own:
                view.fill_(1.0)
        for new in made:
            if constant := _constant(new.group, _own_bias(new.group)):
                for name, (_, view) in zip(new.group.absorbing, new.outgoing, strict=True):
                    parameters[name].sub_(constant * (view.sum(1) if view.dim() == 3 else view.sum((1, -1))))
        return embedded

    def why_not_critical(self, group: UnitGroup) -> str:
        return "the incoming weights of units with drawn outgoing weights have a gradient"


def _outgoing(made: Sequence[_New]) -> Iterator[tuple[Part, Tensor]]:
    for new in made:
        yield from new.outgoing


def _embedding(spec: Spec) -> _Embedding:
    if spec.name not in EMBEDDINGS:
        raise BadInput(f"expected an embedding, found '{spec.name}'; {nearest(spec.name, EMBEDDINGS)}")
    params = take_params(spec, EMBEDDINGS[spec.name])
    try:
        check_embedding(params)
    except ValueError as error:
        raise BadInput(f"'{spec}': {error}; write split:alpha=0.5.") from None
    if spec.name == "split":
        return _Split(float(params["alpha"]))
    if spec.name == "null":
        return _DrawnNull() if params["drawn"] else _Null()
    return _ZeroIn()


def _needs_outgoing(group: UnitGroup) -> str:
    return "" if group.outgoing else "expected outgoing weights that are free, found fixed ones; write split."


def _needs_activation(group: UnitGroup) -> str:
    if group.activation is None:
        return f"expected units that are a function of one sum, found those of {group.name}; write split."
    return ""


def _own_bias(group: UnitGroup) -> float:
    return 1.0 if group.own else 0.0


def _constant(group: UnitGroup, bias: float) -> float:
    """What a unit with incoming weights 0 puts out."""
    assert group.activation is not None, "refused before"
    return float(TABLE[group.activation].function(torch.tensor(bias, dtype=torch.float64)))
