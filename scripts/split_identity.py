"""Check what a split opens at every bad minimum of relu students, and see where the splits land.

Students as wide as their orthonormal teacher (n = k, Safran & Shamir 2018) are trained as `escapedim widen` trains
them. Every unit of every certified bad minimum is split at α = 1/2. There the wide Hessian keeps the directions that
move a unit and its copy apart to themselves, and is 2 (H_ii - I/2) on them: the largest deviation from that, relative
to the largest entry, is printed, and more than 1e-6 is a failure (exit code 1). "opens" counts splits by the negative
directions of their Hessian. Then splits are pushed by noise of a relative size of 1e-4, trained on by the same descent,
and counted by where they land.

    python scripts/split_identity.py                      # k = 6, 7, 8, 10 with 1,000 replicates: a minute
    python scripts/split_identity.py --k 7 --land all     # land every minimum, not one of each level
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from escapedim.cli.settings import Given, resolve
from escapedim.errors import BadInput
from escapedim.landscape.endings import Certificates, certify
from escapedim.landscape.levels import GAP, clusters_of
from escapedim.landscape.relu_teacher import ReluTeacherSurface
from escapedim.landscape.spectrum import spectrum
from escapedim.landscape.vocabulary import Ending
from escapedim.models.network import Network
from escapedim.models.units import split
from escapedim.reporting.table import text_table
from escapedim.tasks.base import Task
from escapedim.training.certification import make_landing
from escapedim.training.data import Data
from escapedim.training.descent import descend
from escapedim.training.experiment import stack_size
from escapedim.training.initial import initial_row
from escapedim.training.job import Job
from escapedim.training.networks import network_of_width
from escapedim.training.problems import problem_of
from escapedim.training.recipe import Recipe
from escapedim.training.seeds import derive_seed, torch_generator
from escapedim.widening.config import WidenConfig
from escapedim.widening.embeddings import widened

MOST_DEVIATION = 1e-6
NOISE = 1e-4  # length over that of the weights
SAME, GLOBAL, OTHER = "same loss", "global minimum", "bad minimum of"


@dataclass(frozen=True)
class Students:
    """A teacher with k units, and how its students are trained."""

    task: Task
    model: Network
    recipe: Recipe
    seed: int

    @classmethod
    def of(cls, k: int, seed: int) -> Students:
        """Take everything from the defaults of `escapedim widen`, at width k."""
        settings = resolve(WidenConfig, Given({"task": f"relu-teacher:k={k}", "widths": k, "seed": seed}))
        config, task = settings.config, settings.task
        return cls(task, network_of_width(config, task, k), config.recipe(task), seed)

    @property
    def surface(self) -> ReluTeacherSurface:
        """The loss."""
        return ReluTeacherSurface(self.model.inputs)

    def descend(self, model: Network, rows: Tensor) -> Certificates:
        """Train members `(members, parameters)` to their ends, and name these."""
        stacks = torch.split(rows, stack_size(model, self.recipe))
        return certify(self.surface, torch.cat([self._end(model, stack) for stack in stacks]), self.task.global_below)

    def _end(self, model: Network, rows: Tensor) -> Tensor:
        landing, problem = make_landing(model, self.task, self.recipe), problem_of(self.task)
        job = Job(model, problem, self.recipe, rows, None, [0] * len(rows), landing=landing, restart=True)
        state = descend(job, Data.of(self.task, self.recipe.dtype, "cpu"), job.begin(), lambda members: False)
        return torch.where((state.diverged_at >= 0).unsqueeze(1), torch.nan, state.params)


@dataclass(frozen=True)
class Minima:
    """Certified bad minima `flat` `(minima, parameters)`.

    Of each its replicate and its loss; `levels` are rows of equal loss, lowest loss first.
    """

    flat: Tensor
    replicates: np.ndarray
    loss: np.ndarray
    levels: list[np.ndarray]


def bad_minima(students: Students, replicates: int) -> Minima:
    """Train as many students, and keep those that end in a bad minimum."""
    starts = [initial_row(students.model, "float64", students.seed, replicate) for replicate in range(replicates)]
    found = students.descend(students.model, torch.stack(starts))
    bad = np.flatnonzero(found.ending == Ending.BAD_MINIMUM)
    loss = found.loss[bad]
    levels = clusters_of(loss, np.arange(len(bad)), Ending.BAD_MINIMUM)
    return Minima(found.flat[torch.from_numpy(bad)], bad, loss, levels)


def one_of_each_level(minima: Minima) -> np.ndarray:
    """Return the rows of the first minima of the levels."""
    return np.array([level[0] for level in minima.levels], dtype=int)


def every_one(minima: Minima) -> np.ndarray:
    """Return all rows."""
    return np.arange(len(minima.flat))


CHOICES = {"levels": one_of_each_level, "all": every_one}


def splits(students: Students, flat: Tensor) -> Iterator[Tensor]:
    """Rows of the wide network, one unit after another."""
    (group,) = students.model.groups
    for unit in range(group.units):
        yield split(students.model, flat, group, torch.full((len(flat),), unit), 0.5)[1]


@dataclass(frozen=True)
class Opened:
    """Of every minimum and unit `(minima, units)` the relative deviation from the identity, and negative directions."""

    deviation: Tensor
    negative: Tensor


def opened(students: Students, flat: Tensor) -> Opened:
    """Hold the wide Hessians of all splits against the narrow network's matrices."""
    surface, k, found = students.surface, students.model.inputs, []
    matrices = surface.split_matrices(flat)
    for unit, wide in enumerate(splits(students, flat)):
        hessian = surface.hessian(wide)
        own, copy = slice(unit * k, (unit + 1) * k), slice(-k, None)
        expected = torch.zeros_like(hessian[:, :, own])
        expected[:, own], expected[:, copy] = 2 * matrices[:, unit], -2 * matrices[:, unit]
        difference = (hessian[:, :, own] - hessian[:, :, copy] - expected).abs().amax((1, 2))
        curvature = spectrum(hessian, surface.symmetries(wide), surface.norm(surface.gradient(wide)))
        found.append((difference / expected.abs().amax((1, 2)), curvature.negative))
    deviation, negative = zip(*found, strict=True)
    return Opened(torch.stack(deviation, 1), torch.stack(negative, 1))


def land(students: Students, minima: Minima, rows: np.ndarray) -> dict[int, Counter[str]]:
    """Push the splits of minima, train them on, and count for each minimum where they land."""
    landed: dict[int, Counter[str]] = {int(row): Counter() for row in rows}
    if not len(rows):
        return landed
    by_unit = enumerate(splits(students, minima.flat[torch.from_numpy(rows)]))
    pushed = torch.cat([_pushed(students, wide, unit, minima.replicates[rows]) for unit, wide in by_unit])
    ends = students.descend(widened(students.model, 1, 1), pushed)
    sources = np.tile(rows, students.model.width)
    for row, ending, loss in zip(sources.tolist(), ends.ending, ends.loss, strict=True):
        landed[row][_outcome(ending, loss, minima.loss[row])] += 1
    return landed


def _pushed(students: Students, wide: Tensor, unit: int, replicates: np.ndarray) -> Tensor:
    """Add noise to the splits of a unit, each from the seed of its replicate and unit."""
    name = students.model.name
    seeds = [derive_seed(students.seed, "noise of a split", name, replicate, unit) for replicate in replicates.tolist()]
    noise = torch.stack([torch.randn(wide.shape[1], generator=torch_generator(seed)).to(wide) for seed in seeds])
    pushed: Tensor = wide + NOISE * noise * (wide.norm(dim=1) / noise.norm(dim=1)).unsqueeze(1)
    return pushed


def _outcome(ending: Ending, loss: float, before: float) -> str:
    if ending is Ending.GLOBAL_MINIMUM:
        return GLOBAL
    if abs(loss - before) <= GAP * before:
        return SAME
    return f"{OTHER} {loss:.6f}" if ending is Ending.BAD_MINIMUM else ending.value


@dataclass(frozen=True)
class Findings:
    """All that is printed of one k."""

    k: int
    minima: Minima
    opened: Opened
    landed: dict[int, Counter[str]]

    @property
    def deviation(self) -> float:
        """Largest deviation; 0 without minima."""
        return float(self.opened.deviation.max()) if len(self.minima.flat) else 0.0

    def directions(self, rows: np.ndarray) -> Counter[int]:
        """Count the splits of these minima by the negative directions that they open."""
        return Counter(self.opened.negative[torch.from_numpy(rows)].flatten().tolist())


def find(k: int, replicates: int, seed: int, land_which: str) -> Findings:
    """Do all of it for one k."""
    students = Students.of(k, seed)
    minima = bad_minima(students, replicates)
    landed = land(students, minima, CHOICES[land_which](minima))
    return Findings(k, minima, opened(students, minima.flat), landed)


def identity_table(found: Sequence[Findings]) -> list[str]:
    """Lines: one row for each k."""
    counts = [each.directions(every_one(each.minima)) for each in found]
    numbers = range(1 + max((max(count, default=0) for count in counts), default=0))
    header = ["k = n", "bad minima", "levels", "splits", "largest deviation", *(f"opens {n}" for n in numbers)]
    rows = [
        [
            f"{each.k}",
            f"{len(each.minima.flat)}",
            f"{len(each.minima.levels)}",
            f"{count.total()}",
            f"{each.deviation:.1e}",
            *(f"{count[n]}" for n in numbers),
        ]
        for each, count in zip(found, counts, strict=True)
    ]
    return text_table(header, rows)


def landing_table(found: Sequence[Findings]) -> list[str]:
    """Lines: one row for each level of each k."""
    header = ["k = n", "loss", "minima", "opens", "landed", GLOBAL, SAME, "elsewhere"]
    return text_table(header, [_level_row(each, level) for each in found for level in each.minima.levels])


def _level_row(found: Findings, level: np.ndarray) -> list[str]:
    landed = sum((found.landed.get(row, Counter()) for row in level.tolist()), Counter[str]())
    opens = ", ".join(f"{n}: {splits}" for n, splits in sorted(found.directions(level).items()))
    elsewhere = [f"{splits} {where}" for where, splits in sorted(landed.items()) if where not in (GLOBAL, SAME)]
    return [
        f"{found.k}",
        f"{found.minima.loss[level].min():.6f}",
        f"{len(level)}",
        opens,
        f"{landed.total()}",
        f"{landed[GLOBAL]}",
        f"{landed[SAME]}",
        "\n".join(elsewhere),
    ]


def _whole(text: str) -> int:
    if not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"expected whole numbers from 1 on, found {text!r}")
    return int(text)


def _listed(text: str) -> list[int]:
    return [_whole(part.strip()) for part in text.split(",")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print both tables; return 1 where the identity does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--k", type=_listed, default="6,7,8,10", help="numbers of teacher units (default: 6,7,8,10)")
    parser.add_argument("--replicates", type=_whole, default=1000, help="students of each (default: 1000)")
    parser.add_argument("--seed", type=int, default=0, help="root seed (default: 0)")
    parser.add_argument("--land", choices=CHOICES, default="levels", help="one minimum of each level, or all")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    try:
        found = [find(k, given.replicates, given.seed, given.land) for k in given.k]
    except BadInput as error:
        parser.error(str(error))
    print("\n".join([*identity_table(found), "", *landing_table(found)]))
    if broken := [f"k = {each.k}" for each in found if not each.deviation <= MOST_DEVIATION]:
        print(f"split_identity: deviations above {MOST_DEVIATION:g} at {', '.join(broken)}", file=sys.stderr)
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
