"""Embeddings: widening a hidden layer by new units without changing what the network computes.

- `split` (Fukumizu & Amari 2000, Neural Networks 13): a unit is copied, and shares its outgoing weights α : 1-α with
  the copy (see `splits`). Several new units are split off one after another, each from a unit drawn uniformly among
  those that are there by then.
- `null` (Zhang et al. 2021, arXiv 2111.15527): a unit with incoming and outgoing weights 0; with `drawn=true` the
  incoming weights are drawn as the wide network's initialisation draws them.
- `zero-in`: a unit with incoming weights 0, which puts out a constant, and drawn outgoing weights; the next layer's
  biases make up for the constant. Where there are biases the unit's own is 1, so that a relu unit is alive.

Members are rows `(members, parameters)`, hidden layers count from 1, and new units are the last ones of their layer.
What is drawn comes from the member's own seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor

from escapedim.errors import BadInput, nearest
from escapedim.models.activations import TABLE
from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP, draw_weights
from escapedim.specs import Spec, take_params
from escapedim.training.seeds import torch_generator
from escapedim.widening.embedding_names import EMBEDDINGS, check_embedding
from escapedim.widening.splits import (
    NO_PARENT,
    append_units,
    by_unit,
    check_layer,
    merge,
    outgoing_fixed,
    split_unit,
    widened,
)

__all__ = ["Embedded", "check", "embed", "merge", "split_unit", "why_not_critical", "widened"]


@dataclass(frozen=True)
class Embedded:
    """Wide rows `(members, parameters)`, and `parents` `(members, by)`.

    A parent is the unit that a new one was split off, which can be a new one too; -1 where it was not split off any.
    """

    flat: Tensor
    parents: Tensor


def check(model: MLP, layer: int, spec: Spec) -> None:
    """Refuse an embedding that would change what the network computes, or whose new units could never learn.

    Raises
    ------
    BadInput
        In one sentence: an unknown embedding or parameter, no such layer, or an embedding that this network refuses.
    """
    check_layer(model, layer)
    if refusal := _embedding(spec).refusal(model, layer):
        raise BadInput(f"'{spec}' on {model.name}: {refusal}")


def embed(model: MLP, flat: Tensor, layer: int, spec: Spec, by: int, seeds: Sequence[int]) -> Embedded:
    """Widen every member of `(members, parameters)` by `by` units in a hidden layer.

    `seeds` has one seed a member. The first of several splits is the one that `by=1` makes.

    Raises
    ------
    BadInput
        As in `check` and `widened`.
    """
    check(model, layer, spec)
    if len(seeds) != len(flat):
        raise ValueError(f"expected one seed a member, found {len(seeds)} for {len(flat)} members")
    widening = _Widening(model, widened(model, layer, by), layer, by)
    return _embedding(spec).embed(widening, flat, [torch_generator(seed) for seed in seeds])


def why_not_critical(model: MLP, layer: int, spec: Spec, weight_decay: bool) -> str:
    """Say in a clause why this embedding of a member's end need not be a critical point of the loss; "" where it is.

    The end is taken to be a critical point of what was minimised, penalty included: with weight decay it is none of the
    loss, whatever the embedding, and a split is none of the two together either.

    Raises
    ------
    BadInput
        As in `check`.
    """
    check(model, layer, spec)
    if weight_decay:
        return "weight decay: the descent ends where the loss alone would not"
    return _embedding(spec).why_not_critical(model, layer)


@dataclass(frozen=True)
class _Widening:
    """From which network to which."""

    narrow: MLP
    wide: MLP
    layer: int
    by: int

    @property
    def incoming(self) -> str:
        return f"layer{self.layer}.weight"

    @property
    def outgoing(self) -> str:
        return f"layer{self.layer + 1}.weight"

    def empty_units(self, flat: Tensor) -> dict[str, Tensor]:
        """New units of which every parameter is 0, as in `by_unit`."""
        views = by_unit(self.narrow, flat, self.layer)
        return {name: view.new_zeros(len(flat), self.by, view.shape[2]) for name, view in views.items()}

    def drawn(self, name: str, flat: Tensor, generators: Sequence[Generator]) -> Tensor:
        """Weights of one layer of the whole wide network `(members, units, inputs)`, one draw a member."""
        units, inputs = self.wide.shapes[name]
        rows = [draw_weights(self.wide.init_name, (units, inputs), generator) for generator in generators]
        return torch.stack(rows).to(flat) if rows else flat.new_zeros(0, units, inputs)

    def append(self, flat: Tensor, units: dict[str, Tensor]) -> Embedded:
        """Add units that were not split off any."""
        parents = torch.full((len(flat), self.by), NO_PARENT, device=flat.device)
        return Embedded(append_units(self.narrow, flat, self.layer, units), parents)


class _Embedding(Protocol):
    def refusal(self, model: MLP, layer: int) -> str:
        """Say what was expected, what was found and what to do; "" where the embedding can be made."""

    def embed(self, widening: _Widening, flat: Tensor, generators: Sequence[Generator]) -> Embedded:
        """Widen members, each with its own generator."""

    def why_not_critical(self, model: MLP, layer: int) -> str:
        """Say what makes the embedding of a critical point none; "" where it is one."""


@dataclass(frozen=True)
class _Split:
    alpha: float

    def refusal(self, model: MLP, layer: int) -> str:
        if outgoing_fixed(model, layer) and not 0 < self.alpha < 1:
            return (
                "expected 0 < alpha < 1, since outgoing weights are fixed and relu passes on no negative share of the "
                f"incoming vector, found {self.alpha:g}; write split:alpha=0.5."
            )
        return ""

    def embed(self, widening: _Widening, flat: Tensor, generators: Sequence[Generator]) -> Embedded:
        model, layer, units = widening.narrow, widening.layer, widening.narrow.sizes[widening.layer]
        among = range(units, units + widening.by)
        drawn = [[int(torch.randint(count, (), generator=generator)) for count in among] for generator in generators]
        parents = torch.tensor(drawn, dtype=torch.long, device=flat.device).view(len(flat), widening.by)
        for parent in parents.unbind(1):
            flat, model = split_unit(model, flat, layer, parent, self.alpha), widened(model, layer, 1)
        return Embedded(flat, parents)

    def why_not_critical(self, model: MLP, layer: int) -> str:
        return ""


class _Null:
    def refusal(self, model: MLP, layer: int) -> str:
        if refusal := _needs_outgoing(model, layer):
            return refusal
        if model.activation == "relu":
            return (
                "expected an activation that has a slope at 0, found relu, of which a unit with incoming weights 0 is "
                "dead; write null:drawn=true or split."
            )
        return ""

    def embed(self, widening: _Widening, flat: Tensor, generators: Sequence[Generator]) -> Embedded:
        return widening.append(flat, widening.empty_units(flat))

    def why_not_critical(self, model: MLP, layer: int) -> str:
        if _constant(model, 0.0) and not _has_bias(model, layer + 1):
            return f"{model.activation} is not 0 at 0: without biases the new outgoing weights have a gradient"
        return ""


class _DrawnNull:
    def refusal(self, model: MLP, layer: int) -> str:
        return _needs_outgoing(model, layer)

    def embed(self, widening: _Widening, flat: Tensor, generators: Sequence[Generator]) -> Embedded:
        units = widening.empty_units(flat)
        units[widening.incoming] = widening.drawn(widening.incoming, flat, generators)[:, -widening.by :]
        return widening.append(flat, units)

    def why_not_critical(self, model: MLP, layer: int) -> str:
        return "the outgoing weights of units with drawn incoming weights have a gradient"


class _ZeroIn:
    def refusal(self, model: MLP, layer: int) -> str:
        if refusal := _needs_outgoing(model, layer):
            return refusal
        if model.activation == "relu" and not _has_bias(model, layer):
            return "expected biases, without which a relu unit of incoming weights 0 is dead, found none; write split."
        if _constant(model, _own_bias(model, layer)) and not _has_bias(model, layer + 1):
            return f"expected biases to make up for {model.activation} at 0, found none; write split."
        return ""

    def embed(self, widening: _Widening, flat: Tensor, generators: Sequence[Generator]) -> Embedded:
        model, layer, bias = widening.narrow, widening.layer, _own_bias(widening.narrow, widening.layer)
        units, flat = widening.empty_units(flat), flat.clone()
        units[widening.outgoing] = widening.drawn(widening.outgoing, flat, generators)[:, :, -widening.by :].mT
        if bias:
            units[f"layer{layer}.bias"].fill_(bias)
        if constant := _constant(model, bias):
            next_bias = Layout(model.shapes).views(flat)[f"layer{layer + 1}.bias"]
            next_bias -= constant * units[widening.outgoing].sum(1)
        return widening.append(flat, units)

    def why_not_critical(self, model: MLP, layer: int) -> str:
        return "the incoming weights of units with drawn outgoing weights have a gradient"


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


def _needs_outgoing(model: MLP, layer: int) -> str:
    if outgoing_fixed(model, layer):
        return "expected outgoing weights that are free, found fixed ones; write split."
    return ""


def _has_bias(model: MLP, layer: int) -> bool:
    return f"layer{layer}.bias" in model.shapes


def _own_bias(model: MLP, layer: int) -> float:
    return 1.0 if _has_bias(model, layer) else 0.0


def _constant(model: MLP, bias: float) -> float:
    """What a unit with incoming weights 0 puts out."""
    return float(TABLE[model.activation].function(torch.tensor(bias, dtype=torch.float64)))
