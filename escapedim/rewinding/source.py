"""What a prune run left of its replicates: masks, weights at the kept points, and the ends that the masks came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from escapedim.errors import BadInput
from escapedim.models.layout import Layout
from escapedim.models.network import Network
from escapedim.pruning.round_work import round_key
from escapedim.records.finished import FinishedRun
from escapedim.training.work import Arrays


@dataclass(frozen=True)
class Left:
    """What is left of one replicate to one round, as rows `(parameters,)`.

    `masks` by arm are true for survivors and all that is never pruned; `points` are the weights of round 0 by step,
    `end` is the end of the training from which the masks were made, and `surviving` how many weights the run recorded.
    """

    replicate: int
    masks: Mapping[str, np.ndarray]
    points: Mapping[int, np.ndarray]
    end: np.ndarray
    surviving: int


@dataclass(frozen=True)
class PruneSource:
    """A finished prune run: `ends` `(rounds, parameters)` of the lead arm and the rounds' arrays, by replicate."""

    model: Network
    dtype: str
    arrays: Mapping[str, Arrays]
    surviving: Mapping[str, int]
    rounds: int
    replicates: int

    @classmethod
    def of(cls, run: FinishedRun, model: Network, dtype: str, rounds: int, replicates: int) -> PruneSource:
        """Read the checkpoints of a run.

        Raises
        ------
        BadInput
            A checkpoint is missing, damaged, or not of this network.
        """
        checkpoints = run.checkpoints()
        stored = {key: arrays for key, (arrays, _) in checkpoints.items()}
        keys = [round_key(number, replicate) for number in range(rounds + 1) for replicate in range(replicates)]
        for key in keys:
            lead = "dense" if key.startswith(round_key(0, 0)[:9]) else "ticket"
            for name, shape in model.shapes.items():
                found = stored.get(key, {}).get(f"{lead}.end.{name}")
                if found is None or found.shape != shape:
                    raise BadInput(
                        f"{run.path}: expected the checkpoint {key} with {lead}.end.{name} {shape}, found "
                        f"{'nothing' if found is None else f'shape {found.shape}'}; repeat that run with --force."
                    )
        surviving = {key: sum(metrics["surviving"].values()) for key, (_, metrics) in checkpoints.items()}
        return cls(model, dtype, stored, surviving, rounds, replicates)

    @property
    def kept(self) -> tuple[int, ...]:
        """Steps of round 0 at which weights were kept."""
        prefix = f".{next(iter(self.model.shapes))}"
        names = (name.removesuffix(prefix) for name in self.arrays[round_key(0, 0)] if name.endswith(prefix))
        return tuple(sorted(int(name.removeprefix("step")) for name in names if name.startswith("step")))

    def left(self, number: int, replicate: int) -> Left:
        """Return what a round of a replicate starts from; `number` is at least 1."""
        own = self.arrays[round_key(number, replicate)]
        return Left(
            replicate=replicate,
            masks={arm: self._mask(own, arm) for arm in self._arms(own)},
            points=self._points[replicate],
            end=self.end(number - 1, replicate),
            surviving=self.surviving[round_key(number, replicate)],
        )

    @cached_property
    def _points(self) -> dict[int, dict[int, np.ndarray]]:
        """Weights of round 0 by replicate and step: made once, since many works start from them."""
        dense = {replicate: self.arrays[round_key(0, replicate)] for replicate in range(self.replicates)}
        return {
            replicate: {step: self._row(arrays, f"step{step}") for step in self.kept}
            for replicate, arrays in dense.items()
        }

    def end(self, number: int, replicate: int) -> np.ndarray:
        """Return where the ticket of a round ended, or in round 0 the dense network."""
        return self._row(self.arrays[round_key(number, replicate)], "ticket.end" if number else "dense.end")

    def ends(self, replicate: int) -> np.ndarray:
        """Return the ends of all rounds `(rounds + 1, parameters)`."""
        return np.stack([self.end(number, replicate) for number in range(self.rounds + 1)])

    def _arms(self, arrays: Arrays) -> Sequence[str]:
        return sorted({name.partition(".mask.")[0] for name in arrays if ".mask." in name})

    def _mask(self, arrays: Arrays, arm: str) -> np.ndarray:
        masks = {name: arrays[f"{arm}.mask.{name}"] for name in self.model.prunable}
        return Layout(self.model.shapes).pack(masks, True, np.dtype(bool))

    def _row(self, arrays: Arrays, prefix: str) -> np.ndarray:
        named = {name: arrays[f"{prefix}.{name}"] for name in self.model.shapes}
        return Layout(self.model.shapes).pack(named, 0, np.dtype(self.dtype))


@dataclass(frozen=True)
class Expected(PruneSource):
    """What a prune run that is not there yet will leave, as far as the counts of a rewind run go: no weights.

    `points` are the steps of round 0 at which it will keep weights.
    """

    points: tuple[int, ...] = ()

    @classmethod
    def after(cls, model: Network, dtype: str, rounds: int, replicates: int, points: tuple[int, ...]) -> Expected:
        """Return what a prune run of so many rounds and replicates will leave."""
        return cls(model, dtype, {}, {}, rounds, replicates, points)

    @property
    def kept(self) -> tuple[int, ...]:
        """Steps of round 0 at which weights will be kept."""
        return self.points

    def left(self, number: int, replicate: int) -> Left:
        """Return a replicate by its number alone."""
        return Left(replicate, {}, {}, np.empty(0), 0)
