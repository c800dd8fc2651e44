"""Escape: failed members are embedded in a wider network, perturbed and trained on, to see where they land.

Leaving a strict saddle is a theorem, the landing is what is measured. Three controls: the same noise and the same
training without widening (failed members of minibatch training often succeed when they are simply trained on), and
fresh draws of the narrow and of the wide network.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from escapedim.landscape.surface import Surface
from escapedim.models.network import Network
from escapedim.records.experiments import Controls, Escape, Spread
from escapedim.specs import Spec, take_params
from escapedim.tasks.base import Task
from escapedim.training.certification import make_surface
from escapedim.training.optimizer_names import decays
from escapedim.training.seeds import derive_seed
from escapedim.widening.choice import Choice, Pool, stacks_of
from escapedim.widening.config import PERTURBATIONS
from escapedim.widening.embedding_names import EMBEDDINGS
from escapedim.widening.embeddings import Embedded, embed, why_not_critical, widened
from escapedim.widening.findings import Judge, Member, WidenMetrics, landings
from escapedim.widening.shares import paired, share
from escapedim.widening.sources import FAILED, along_the_steepest, noise, opened, sources
from escapedim.widening.stack import Earlier, Setting, StackWork, Starts, loss_name

LEFT = 1e-4  # of its loss: a member whose loss differs by more has left its source; ours


@dataclass(frozen=True)
class Embedding:
    """Which embedding widens which hidden layer by how many units, and what perturbs it then.

    Layer 0 are all unit groups of a family of networks: they grow to those of a width that is larger by so much.
    """

    spec: Spec
    layer: int
    by: int
    perturbation: Spec

    @property
    def size(self) -> float:
        """Length of the perturbation, relative to the weights."""
        size = take_params(self.perturbation, PERTURBATIONS[self.perturbation.name])["size"]
        assert isinstance(size, float)
        return size

    def width(self, network: Network) -> int:
        """Return the number of units that grows."""
        return network.units[self.layer - 1] if self.layer else network.width

    def grown(self, narrow: Network, at: Callable[[int], Network]) -> Network:
        """Return the wide network; `at` gives that of a width of the family. Errors as in `widened`."""
        return widened(narrow, self.layer, self.by) if self.layer else at(narrow.width + self.by)


@dataclass(frozen=True)
class Perturbed:
    """Begins with the sources and noise: the control without widening."""

    choice: Choice
    size: float

    def __call__(self, setting: Setting, task: Task, earlier: Earlier) -> Starts:
        """See `Begin`."""
        chosen = self.choice(setting.model, earlier)
        labels = {"source": chosen.replicates}
        if not chosen.replicates:
            return Starts(chosen.rows, [], labels)
        rows = sources(setting.model, chosen, task).rows
        rows = rows + noise(rows, self.size, _seeds(setting, "escape noise", chosen.replicates))
        return Starts(rows, setting.orders(chosen.replicates, "escape "), labels)


@dataclass(frozen=True)
class Widened:
    """Begins with the sources, widened and perturbed; the data orders are those of `Perturbed`."""

    narrow: Setting
    wide: Setting
    choice: Choice
    embedding: Embedding

    def __call__(self, setting: Setting, task: Task, earlier: Earlier) -> Starts:
        """See `Begin`."""
        chosen = self.choice(self.narrow.model, earlier)
        found = sources(self.narrow.model, chosen, task)
        labels: dict[str, list[Any]] = {
            "source": chosen.replicates,
            "source_ending": found.classes,
            "source_loss": found.losses,
        }
        if not chosen.replicates:
            return Starts(torch.zeros(0, 0), [], labels)
        wide = self.embedded(found.rows, chosen.replicates).flat
        surface = make_surface(setting.model, task)
        rows = wide + self._perturbation(surface, wide, _seeds(self.narrow, "escape noise", chosen.replicates))
        if not isinstance(surface, str):
            seen = opened(surface, wide, found, not self.why_not_critical())
            labels |= {"negative": seen.negative, "smallest": seen.smallest, "gradient": seen.gradient}
        return Starts(rows, self.narrow.orders(chosen.replicates, "escape "), labels)

    def embedded(self, rows: Tensor, replicates: Sequence[int]) -> Embedded:
        """Return rows of the narrow network in the wide one; which unit is split follows from the replicate."""
        seeds = _seeds(self.narrow, "embedding", replicates)
        return embed(self.narrow.model, self.wide.model, rows, self.embedding.spec, seeds)

    def why_not_critical(self) -> str:
        """Say why embedded critical points need not be critical; "" where they are."""
        decay = decays(self.narrow.recipe.optimizer)
        return why_not_critical(self.narrow.model, self.wide.model, self.embedding.spec, decay)

    def _perturbation(self, surface: Surface | str, wide: Tensor, seeds: list[int]) -> Tensor:
        """Noise, or where asked for the most negative direction of those members that have one."""
        drawn = noise(wide, self.embedding.size, seeds)
        if self.embedding.perturbation.name == "noise" or isinstance(surface, str):
            return drawn
        steepest = along_the_steepest(surface, wide, self.embedding.size, seeds)
        return torch.where((steepest == 0).all(1, keepdim=True), drawn, steepest)


@dataclass(frozen=True)
class Fresh:
    """Begins with a fresh draw of the wide network for each source."""

    narrow: Setting
    choice: Choice

    def __call__(self, setting: Setting, task: Task, earlier: Earlier) -> Starts:
        """See `Begin`."""
        replicates = self.choice(self.narrow.model, earlier).replicates
        if not replicates:
            return Starts(torch.zeros(0, 0), [], {"source": []})
        purpose = "escape fresh "
        return Starts(setting.drawn(replicates, purpose), setting.orders(replicates, purpose), {"source": replicates})


def _seeds(setting: Setting, purpose: str, replicates: Sequence[int]) -> list[int]:
    return [derive_seed(setting.seed, purpose, setting.model.name, replicate) for replicate in replicates]


@dataclass(frozen=True)
class Arms:
    """The members of one class of sources and of its controls, and how they are judged."""

    judge: Judge
    widened: list[Member]
    noise_only: list[Member]
    fresh_narrow: Sequence[Member]
    fresh_wide: Sequence[Member]

    @classmethod
    def of(
        cls,
        name: str,
        arms: Mapping[str, Sequence[Member]],
        task: Task,
        fresh_narrow: Sequence[Member],
        fresh_wide: Sequence[Member],
    ) -> Arms:
        """Pick the sources of the class `name`, in the same order in both arms that start from them."""
        widened = [member for member in arms[WIDENED] if member["source_ending"] == name]
        alike = {member["source"]: member for member in arms[NOISE]}
        noise_only = [alike[member["source"]] for member in widened]
        return cls(Judge.of(task, name != FAILED), widened, noise_only, fresh_narrow, fresh_wide)


def _spread(values: Sequence[float]) -> Spread | None:
    return Spread(min=min(values), median=float(np.median(values)), max=max(values)) if values else None


def _loss(member: Member, task: Task) -> float | None:
    """Return where a member came to: the loss at the end of a channel, that of its ending, or what was measured."""
    level, measured = member["level"], member[loss_name(task)]
    found: float | None = measured if level is None else level
    return found


def _left(member: Member, task: Task) -> bool:
    before, after = member["source_loss"], _loss(member, task)
    return after is not None and abs(after - before) > LEFT * abs(before)


WIDENED, NOISE, FRESH = "widened", "noise-only", "fresh-wide"


@dataclass(frozen=True)
class EscapePlan:
    """The stacks of one pool of sources, by arm; without fresh ones where the wide network's members are counted."""

    narrow: Setting
    wide: Setting
    embedding: Embedding
    arms: Mapping[str, tuple[StackWork, ...]]

    @property
    def works(self) -> tuple[StackWork, ...]:
        """All stacks."""
        return tuple(work for stacks in self.arms.values() for work in stacks)

    def describe(self, found: WidenMetrics) -> list[Escape]:
        """Return an entry for each class of sources, once all stacks and the fresh members are finished."""
        narrow = [*found.members(self.narrow.width).values()]
        counted = [*found.members(self.wide.width).values()] if FRESH not in self.arms else []
        if not narrow or not (counted or FRESH in self.arms) or not found.done(self.works):
            return []
        arms = {name: found.rows(works) for name, works in self.arms.items()}
        wide = arms.get(FRESH, counted)
        classes = Counter(member["source_ending"] for member in arms[WIDENED])
        return [
            self._entry(name, Arms.of(name, arms, found.task, narrow, wide), found.task)
            for name, _ in classes.most_common()
        ]

    def _entry(self, name: str, arms: Arms, task: Task) -> Escape:
        widened, kind = arms.widened, self.embedding
        alpha = take_params(kind.spec, EMBEDDINGS[kind.spec.name]).get("alpha")
        certified = name != FAILED
        negative, smallest, gradient = (
            [member[key] for member in widened if member.get(key) is not None]
            for key in ("negative", "smallest", "gradient")
        )
        return Escape(
            from_width=kind.width(self.narrow.model),
            to_width=kind.width(self.wide.model),
            layer=kind.layer,
            by=kind.by,
            embedding=kind.spec.name,
            alpha=alpha if isinstance(alpha, float) else None,
            perturbation=str(kind.perturbation),
            sources=len(widened),
            source_ending=name,
            judged_by=arms.judge.by,
            negative_directions=_spread(negative),
            lambda_min=min(smallest, default=None),
            opened_gradient=max(gradient, default=None),
            escaped=share([_left(member, task) for member in widened]) if certified else None,
            reached_global=share(arms.judge.all(widened)),
            landings=landings(widened),
            controls=Controls(
                noise_only=share(arms.judge.all(arms.noise_only)),
                fresh_narrow=share(arms.judge.all(arms.fresh_narrow)),
                fresh_wide=share(arms.judge.all(arms.fresh_wide)),
            ),
            against_noise=paired(arms.judge.all(widened), arms.judge.all(arms.noise_only)),
            replicates=[member["source"] for member in widened],
            loss_before=[member["source_loss"] for member in widened],
            loss_after=[_loss(member, task) for member in widened],
            loss_noise_only=[_loss(member, task) for member in arms.noise_only],
            critical=not self._why_not_critical() if certified else None,
            reason=self._reason(certified, task),
        )

    def _why_not_critical(self) -> str:
        return why_not_critical(
            self.narrow.model, self.wide.model, self.embedding.spec, decays(self.narrow.recipe.optimizer)
        )

    def _reason(self, certified: bool, task: Task) -> str:
        if not certified:
            return "no ending of theirs was certified"
        surface = make_surface(self.wide.model, task)
        if isinstance(surface, str):
            return surface
        if why_not := self._why_not_critical():
            return why_not
        if surface.flat_splits:
            return "on a finite sample the split of a relu unit has no curvature of its own"
        return ""


def escape_plan(narrow: Setting, wide: Setting, embedding: Embedding, pool: Pool, fresh: bool) -> EscapePlan:
    """Return the stacks of a pool of sources, with `fresh` draws of the wide network where none are counted."""
    key = (
        f"escape-width-{embedding.width(narrow.model):06d}-by-{embedding.by:03d}-{_text(embedding.spec)}"
        f"-{_text(embedding.perturbation)}"
    )
    arms = {
        WIDENED: stacks_of(pool, f"{key}-{WIDENED}", wide, partial(Widened, narrow, wide, embedding=embedding)),
        NOISE: stacks_of(pool, f"{key}-{NOISE}", narrow, partial(Perturbed, size=embedding.size)),
    }
    if fresh:
        arms[FRESH] = stacks_of(pool, f"{key}-{FRESH}", wide, partial(Fresh, narrow))
    return EscapePlan(narrow, wide, embedding, arms)


def _text(spec: Spec) -> str:
    """Return a spec as a part of a file name."""
    return str(spec).replace(":", "-").replace("=", "-").replace(",", "-")
