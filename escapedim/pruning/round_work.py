"""The works of `escapedim prune`: one round of one replicate with all its arms, from the stored rounds before it.

The arms share their data order and are trained as one stack, with those of other replicates where networks are small.
Round 0 is the dense network; it keeps the weights that later rounds rewind to. What of a round is stored, and under
which names, is known here alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from escapedim.models import units
from escapedim.models.layout import Layout
from escapedim.models.network import Network
from escapedim.pruning import invariants
from escapedim.pruning.arms import Draws
from escapedim.pruning.criteria import Weights
from escapedim.pruning.loop import Arms, Trained, lottery
from escapedim.pruning.masks import Masks, full_masks
from escapedim.pruning.pruning_plan import PruningPlan, expected_counts
from escapedim.training.experiment import stack_size
from escapedim.training.initial import fresh_row, initial_row, order_seed
from escapedim.training.job import Job, State
from escapedim.training.kernels.choice import gradient_of
from escapedim.training.keys import Key
from escapedim.training.metrics import measure
from escapedim.training.problems import problem_of
from escapedim.training.recipe import Recipe
from escapedim.training.seeds import derive_seed
from escapedim.training.stretch import train_joined
from escapedim.training.work import Arrays, Context, Outcome

ROUND = Key("round-{round:03d}-replicate-{replicate:04d}")
BEYOND = 1.2  # how much larger than what fits the cache a stack of whole replicates may be; ours


@dataclass(frozen=True)
class RoundWork:
    """One round of one replicate: prune, rewind, train, and say what came of it."""

    plan: PruningPlan
    model: Network
    recipe: Recipe
    keep: tuple[int, ...]
    seed: int
    replicate: int
    round: int

    @property
    def key(self) -> str:
        """Name of its checkpoint."""
        return round_key(self.round, self.replicate)

    @property
    def needs(self) -> tuple[str, ...]:
        """Round 0, for the weights to rewind to, and the round before."""
        earlier = sorted({0, self.round - 1}) if self.round else []
        return tuple(round_key(number, self.replicate) for number in earlier)

    @property
    def kin(self) -> RoundWork:
        """The same round of no replicate: rounds of other replicates may be trained in the same stack."""
        return replace(self, replicate=-1)

    @property
    def most(self) -> int:
        """Replicates whose arms fill a stack, or go a little beyond it: that costs less than one stack more."""
        arms, fit = len(self.plan.arms) if self.round else 1, stack_size(self.model, self.recipe)
        return max(1, int(BEYOND * fit / arms))

    def __call__(self, context: Context, earlier: Mapping[str, Arrays], paused: Arrays | None) -> Outcome:
        """One cycle; `earlier` are the arrays of `needs`."""
        return self.together([self], context, [earlier], [] if paused is None else [paused])[0]

    def together(
        self,
        works: Sequence[RoundWork],
        context: Context,
        earlier: Sequence[Mapping[str, Arrays]],
        paused: Sequence[Arrays],
    ) -> list[Outcome]:
        """Train one cycle of several replicates as one stack."""
        begun = [work.begin(context, arrays) for work, arrays in zip(works, earlier, strict=True)]
        job = _job(context, begun)
        counts = [len(one.arms) for one in begun]

        def ended(state: State) -> list[Outcome]:
            measured = iter(measure(job, context.task, context.data, state))
            return [
                one.ended(part, {arm: next(measured) for arm in one.arms})
                for one, part in zip(begun, state.split(counts), strict=True)
            ]

        return train_joined(job, context, paused, counts, ended)

    def begin(self, context: Context, earlier: Mapping[str, Arrays]) -> _Begun:
        """Enter the loop behind the rounds before: prune and rewind."""
        past = _past(self, context, earlier) if self.round else None
        return _Begun(self, past, next(lottery(self.plan, self.model, self._draws, past)))

    def prunable(self, row: np.ndarray) -> dict[str, np.ndarray]:
        """Prunable layers of a row of parameters, as views."""
        layers = Layout(self.model.shapes).split(row)
        return {name: layers[name] for name in self.model.prunable}

    def _draws(self, number: int) -> Draws:
        of_replicate = self.model, self.recipe.dtype, self.seed, self.replicate

        def generator(purpose: str) -> np.random.Generator:
            return np.random.default_rng(derive_seed(self.seed, purpose, self.model.name, self.replicate, number))

        return Draws(
            lambda: initial_row(*of_replicate).numpy(), lambda: fresh_row(*of_replicate, number).numpy(), generator
        )


@dataclass(frozen=True)
class _Begun:
    """A cycle before its training: what the rounds before have left, and where every arm starts."""

    work: RoundWork
    past: Trained | None
    arms: Arms

    def ended(self, state: State, measured: dict[str, dict[str, Any]]) -> Outcome:
        """Return what came of the training: `state` and the measures of the arms."""
        return Outcome(self._kept_arrays(state), self._metrics(state, measured))

    @property
    def start(self) -> int:
        """The step at which the training starts."""
        return self.work.plan.rewind_step if self.past else 0

    @property
    def _masks(self) -> Masks:
        """Those of the lead arm: the ticket, or in round 0 the dense network."""
        return next(iter(self.arms.values())).masks

    def _metrics(self, state: State, measured: dict[str, dict[str, Any]]) -> dict[str, Any]:
        work, past, masks = self.work, self.past, self._masks
        trained = invariants.TrainedWeights(
            rewound=work.prunable(past.rewound if past else state.kept[0][0].numpy()),
            started=work.prunable(state.kept[self.start][0].numpy()),
            ended=work.prunable(state.params[0].cpu().numpy()),
            masks=masks,
            last_masks=past.masks["ticket"] if past else masks,
        )
        expected = expected_counts(work.plan, work.model)[work.round]
        return {
            "arms": measured,
            "invariants": invariants.check(work.plan, work.model, trained, expected),
            "surviving": {name: int(mask.sum()) for name, mask in masks.items()},
            "units_alive": {name: int(alive.sum()) for name, alive in units.alive(work.model, masks).items()},
            "parameters": work.model.size,
            "net_steps": (work.recipe.steps - self.start) * len(self.arms),
        }

    def _kept_arrays(self, state: State) -> Arrays:
        """The lead arm's end and kept points, and the masks of all arms that have their own."""
        lead = next(iter(self.arms))
        points = {} if self.past else {f"step{step}": rows[0].numpy() for step, rows in state.kept.items()}
        rows = {**points, f"{lead}.end": state.params[0].cpu().numpy()}
        layout = Layout(self.work.model.shapes)
        named = {
            f"{prefix}.{name}": values for prefix, row in rows.items() for name, values in layout.split(row).items()
        }
        masks = {
            f"{arm}.mask.{name}": mask
            for arm, start in self.arms.items()
            if arm not in {"dense", "reinit"}
            for name, mask in start.masks.items()
        }
        return named | masks


def _job(context: Context, begun: Sequence[_Begun]) -> Job:
    """All arms of all replicates as one stack; the arms of a replicate share its data order."""
    first, starts = begun[0], [(one.work, start) for one in begun for start in one.arms.values()]
    work, layout = first.work, Layout(first.work.model.shapes)
    rows = np.stack([start.row for _, start in starts])
    mask = np.stack([layout.pack(start.masks, True, np.dtype(bool)) for _, start in starts])
    return Job(
        model=work.model,
        problem=problem_of(context.task),
        recipe=work.recipe,
        params=torch.from_numpy(rows).to(context.device),
        mask=torch.from_numpy(mask).to(context.device) if work.round else None,
        order_seeds=[order_seed(one.model, one.seed, one.replicate, one.round) for one, _ in starts],
        start=first.start,
        keep=() if work.round else work.keep,
    )


def _past(work: RoundWork, context: Context, earlier: Mapping[str, Arrays]) -> Trained:
    """Return what the rounds before have left to a round."""
    network, layout = work.model, Layout(work.model.shapes)
    dense, last = earlier[work.needs[0]], earlier[work.needs[-1]]  # in round 1 they are the same
    whole = full_masks(network) if work.round == 1 else None

    def row(arrays: Arrays, prefix: str) -> np.ndarray:
        named = {name: arrays[f"{prefix}.{name}"] for name in network.shapes}
        return layout.pack(named, 0, np.dtype(work.recipe.dtype))

    initial, final = row(dense, "step0"), row(last, "dense.end" if whole else "ticket.end")

    def weights(masks: Masks) -> Weights:
        kept = layout.pack(masks, True, np.dtype(bool))
        start = initial * kept
        return Weights(
            network=network,
            initial=work.prunable(start),
            final=work.prunable(final * kept),
            parameters=layout.split(start),
            gradient=lambda: work.prunable(_gradient(network, context, start)),
        )

    return Trained(
        round=work.round - 1,
        masks={
            arm: whole or {name: last[f"{arm}.mask.{name}"] for name in network.prunable}
            for arm in ("ticket", *{"random"}.intersection(work.plan.arms))
        },
        rewound=row(dense, f"step{work.plan.rewind_step}"),
        weights=weights,
    )


def _gradient(network: Network, context: Context, row: np.ndarray) -> np.ndarray:
    """Loss gradient `(parameters,)` on the whole training part at a row of parameters."""
    flat, train = torch.from_numpy(row)[None].to(context.device), context.data.train
    out = torch.empty_like(flat)
    gradient_of(network, problem_of(context.task), train.weights)(flat, train.x, train.targets, out)
    gradient: np.ndarray = out[0].cpu().numpy()
    return gradient


def round_key(number: int, replicate: int) -> str:
    """Name of the checkpoint of one round of one replicate."""
    return ROUND.of(round=number, replicate=replicate)
