"""From the metrics of finished stacks to the entries of a rewind summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from escapedim.comparison.statistics import (
    PairedDifference,
    mcnemar,
    paired_difference,
    paired_shares,
    standard_error,
)
from escapedim.comparison.tickets import clustered_rate
from escapedim.records.columns import Arm
from escapedim.records.experiments import Estimated, Paired
from escapedim.records.results import LotteryResult
from escapedim.records.results import Round as RoundEntry
from escapedim.records.rewinding import (
    Against,
    Difference,
    Kept,
    Line,
    Retrained,
    RewindResult,
    Surrounded,
    Surroundings,
)
from escapedim.rewinding.barriers import ALPHAS, STABLE_BELOW, error_name, has_accuracy
from escapedim.rewinding.mode_names import DENSE_ORDERS, END, ORDERS, SUCCESSIVE
from escapedim.rewinding.retraining import LinesWork, ReplayWork, RewindWork
from escapedim.rewinding.rewinding_plan import Mode, RewindingPlan
from escapedim.rewinding.treatments import Treatment
from escapedim.tasks.base import Task
from escapedim.training.recipe import Recipe
from escapedim.training.work import Metrics

Row = Mapping[str, Any]
_ARMS = {"weights": "ticket", "reinit": "reinit", "shuffle": "shuffle"}  # modes that are arms of the prune run


@dataclass(frozen=True)
class RetrainedNetwork:
    """One network of a finished stack: whole, with its complement cut away, how far apart, and its invariants."""

    replicate: int
    whole: Row
    alone: Row
    apart: Row
    invariants: Mapping[str, bool]


@dataclass(frozen=True)
class Work:
    """All works of a run, and what they are about."""

    task: Task
    recipe: Recipe
    plan: RewindingPlan
    lottery: LotteryResult
    stacks: Sequence[RewindWork]
    replays: Sequence[ReplayWork]
    rounds: Sequence[LinesWork]


@dataclass(frozen=True)
class RewindMetrics:
    """What is finished so far, by round and treatment."""

    work: Work
    metrics: Mapping[str, Metrics]

    def describe(self, kept: Sequence[int], rewind_to: int, checkpoints: Mapping[str, str]) -> RewindResult:
        """Return the result; a round enters it once all its stacks are finished."""
        exact = [
            holds
            for work in self.work.replays
            if work.key in self.metrics
            for holds in self.metrics[work.key]["replay_exact"]
        ]
        numbers = [number for number in self._numbers if self._done(number)]
        return RewindResult(
            replicates=sorted({replicate for work in self.work.stacks for replicate in work.replicates}),
            success_criterion=str(self.work.task.criterion),
            rewind_to=rewind_to,
            kept=list(kept),
            replay_exact=all(exact) if exact else None,
            modes=[self._retrained(number, mode, rewind_to) for number in numbers for mode in self.work.plan.modes],
            complements=[
                self._surroundings(number, name, kinds)
                for number in numbers
                for name, kinds in self.work.plan.complements.items()
            ],
            instability=[*(line for number in numbers for line in self._copies(number)), *self._successive()],
            checkpoints=dict(checkpoints),
        )

    @property
    def _numbers(self) -> list[int]:
        return sorted({work.round.number for work in self.work.stacks})

    def _done(self, number: int) -> bool:
        return all(work.key in self.metrics for work in self.work.stacks if work.round.number == number)

    @cached_property
    def _networks(self) -> dict[tuple[int, Treatment], list[RetrainedNetwork]]:
        """Networks by round and treatment, in the order of replicates."""
        found: dict[tuple[int, Treatment], list[RetrainedNetwork]] = {}
        for work in self.work.stacks:
            if work.key not in self.metrics:
                continue
            own = self.metrics[work.key]
            columns = zip(*(own[name] for name in ("whole", "alone", "apart", "invariants")), strict=True)
            for (at, treatment), columns_of_one in zip(work.members, columns, strict=True):
                network = RetrainedNetwork(work.left[at].replicate, *columns_of_one)
                found.setdefault((work.round.number, treatment), []).append(network)
        return {key: sorted(networks, key=lambda one: one.replicate) for key, networks in found.items()}

    def _entry(self, number: int) -> RoundEntry:
        return next(entry for entry in self.work.lottery.rounds if entry.round == number)

    def _retrained(self, number: int, mode: Mode, rewind_to: int) -> Retrained:
        networks, treatment = self._networks[number, mode.treatment], mode.treatment
        arm = _arm(self.work.task, networks)
        earlier = self.work.plan.modes[: self.work.plan.modes.index(mode)]
        same = next((one.name for one in earlier if (one.to, one.treatment) == (mode.to, treatment)), None)
        own = self._entry(number).arms.get(_ARMS.get(mode.name, "")) if mode.to == rewind_to else None
        return Retrained(
            round=number,
            density=self._entry(number).density,
            mode=mode.name,
            to=mode.to,
            mask_from="end, shuffled" if treatment.subnetwork == "shuffle" else END,
            weights_from=_place(treatment.weights),
            schedule_from=END if treatment.at_last_rate else _place(treatment.start),
            steps=self.work.recipe.steps - treatment.start,
            same_as=same,
            arm=arm,
            against_dense=self._against_dense(networks),
            equals_run=None if own is None else arm == own,
            invariants=_kept(networks),
        )

    def _against_dense(self, networks: Sequence[RetrainedNetwork]) -> Difference | None:
        dense = self._entry(0)
        accuracies = dense.arms["dense"].test_accuracy
        if accuracies is None:
            return None
        by_replicate = dict(zip(dense.replicates or range(len(accuracies)), accuracies, strict=True))
        return _difference(
            [one.whole["test_accuracy"] for one in networks], [by_replicate[one.replicate] for one in networks]
        )

    def _surroundings(self, number: int, name: str, kinds: Mapping[str, tuple[Treatment, ...]]) -> Surroundings:
        networks = {kind: [self._networks[number, one] for one in draws] for kind, draws in kinds.items()}
        isolated = {kind: self._networks[number, draws[0].alone] for kind, draws in kinds.items()}
        found = {kind: self._surrounded(draws, isolated[kind]) for kind, draws in networks.items()}
        first = next(iter(kinds.values()))
        return Surroundings(
            round=number,
            density=self._entry(number).density,
            to=first[0].start,
            complement=name,
            draws=len(first),
            subnetworks=found,
            against=[_against(kind, found["ticket"], found[kind]) for kind in found if kind != "ticket"],
            invariants=_kept([one for draws in networks.values() for part in draws for one in part]),
        )

    def _surrounded(
        self, draws: Sequence[Sequence[RetrainedNetwork]], isolated: Sequence[RetrainedNetwork]
    ) -> Surrounded:
        by_replicate = list(zip(*draws, strict=True))
        whole = [float(np.mean([one.whole["success"] for one in group])) for group in by_replicate]
        alone = [float(np.mean([one.alone["success"] for one in group])) for group in by_replicate]
        accuracies: dict[str, Any] = {}
        if has_accuracy(self.work.task):
            accuracies = {
                "whole_accuracy": [_mean(one.whole["test_accuracy"] for one in group) for group in by_replicate],
                "alone_accuracy": [_mean(one.alone["test_accuracy"] for one in group) for group in by_replicate],
            }
        return Surrounded(
            networks=sum(map(len, draws)),
            whole=_rate(whole),
            alone=_rate(alone),
            whole_success=whole,
            alone_success=alone,
            winners=sum(one.whole["success"] for one in isolated),
            whole_of_winners=_rate(_of_winners(whole, isolated)),
            alone_of_winners=_rate(_of_winners(alone, isolated)),
            against_isolation=_paired(isolated, draws[0]),
            cosine=[_mean(one.apart["cosine"] for one in group) for group in by_replicate],
            distance=[_mean(one.apart["distance"] for one in group) for group in by_replicate],
            **accuracies,
        )

    def _copies(self, number: int) -> list[Line]:
        made = []
        for step, pairs in self.work.plan.copies.items():
            works = [
                work for work in self.work.stacks if work.round.number == number and work.pairs and work.start == step
            ]
            for at, name in enumerate(pairs):
                lines = [self.metrics[work.key]["lines"][at] for work in works]
                density = 1.0 if name == DENSE_ORDERS else self._entry(number).density
                networks = [one for side in pairs[name] for one in self._networks[number, side]]
                made.append(self._line(name, number, density, step, lines, _kept(networks)))
        return made

    def _successive(self) -> list[Line]:
        works = [work for work in self.work.rounds if work.key in self.metrics]
        if not works or len(works) < len(self.work.rounds):
            return []
        made = []
        for at in range(len(works[0].ends) - 1):
            lines = [
                {name: values[at : at + 1] for name, values in self.metrics[work.key]["line"].items()} for work in works
            ]
            made.append(self._line(SUCCESSIVE, at + 1, self._entry(at + 1).density, None, lines))
        return made

    def _line(
        self,
        between: str,
        number: int,
        density: float,
        step: int | None,
        lines: Sequence[Row],
        invariants: Kept | None = None,
    ) -> Line:
        errors = np.array([row for one in lines for row in one["errors"]], dtype=np.float64)
        barriers: list[float | None] = [value for one in lines for value in one["barriers"]]
        aligned: list[float | None] = [value for one in lines for value in one["aligned"]]
        known = [value for value in barriers if value is not None]
        mean = float(np.mean(known)) if known else None
        judged = between in (ORDERS, DENSE_ORDERS) and has_accuracy(self.work.task)
        return Line(
            between=between,
            round=number,
            density=density,
            to=step,
            error=error_name(self.work.task),
            alphas=list(ALPHAS),
            errors=[None if np.isnan(value) else float(value) for value in errors.mean(0)],
            barriers=barriers,
            mean=mean,
            standard_error=standard_error(known),
            stable=bool(mean < STABLE_BELOW) if judged and mean is not None else None,
            aligned=aligned,
            aligned_mean=float(np.mean(rest)) if (rest := [one for one in aligned if one is not None]) else None,
            invariants=invariants,
        )


def _place(origin: int | str) -> str:
    return origin if isinstance(origin, str) else f"step {origin:,}"


def _arm(task: Task, networks: Sequence[RetrainedNetwork]) -> Arm:
    lists = {name: [one.whole[name] for one in networks] for name in task.measured}
    return Arm(success=[one.whole["success"] for one in networks], **lists)


def _kept(networks: Sequence[RetrainedNetwork]) -> Kept:
    names = Kept.model_fields
    return Kept(**{name: all(one.invariants[name] for one in networks) for name in names})


def _mean(values: Iterable[float | None]) -> float | None:
    """Mean of the values; None where one is missing, as of a diverged network."""
    found = list(values)
    return None if None in found or not found else float(np.mean([value for value in found if value is not None]))


def _rate(shares: Sequence[float]) -> Estimated:
    found = clustered_rate(shares)
    return Estimated(value=None, interval=None) if found is None else Estimated(value=found[0], interval=found[1])


def _difference(
    left: Sequence[float | None],
    right: Sequence[float | None],
    paired: Callable[[Sequence[float], Sequence[float]], PairedDifference] = paired_difference,
) -> Difference | None:
    """Paired difference over the replicates that have both; None of none."""
    pairs = [(a, b) for a, b in zip(left, right, strict=True) if a is not None and b is not None]
    if not pairs:
        return None
    found = paired(*zip(*pairs, strict=True))
    return Difference(difference=found.mean, standard_error=found.standard_error, interval=found.interval, p=found.p)


def _of_winners(shares: Sequence[float], isolated: Sequence[RetrainedNetwork]) -> list[float]:
    return [share for share, one in zip(shares, isolated, strict=True) if one.whole["success"]]


def _paired(first: Sequence[RetrainedNetwork], second: Sequence[RetrainedNetwork]) -> Paired:
    """Success of the same replicates under two treatments."""
    counts = Counter((bool(a.whole["success"]), bool(b.whole["success"])) for a, b in zip(first, second, strict=True))
    return Paired(
        both=counts[True, True],
        first_only=counts[True, False],
        second_only=counts[False, True],
        neither=counts[False, False],
        p=mcnemar(counts[True, False], counts[False, True]),
    )


def _against(control: str, ticket: Surrounded, other: Surrounded) -> Against:
    whole = _difference(ticket.whole_success, other.whole_success, paired_shares)
    alone = _difference(ticket.alone_success, other.alone_success, paired_shares)
    assert whole is not None, "success is known of every network"
    assert alone is not None, "success is known of every network"
    return Against(
        control=control,
        whole=whole,
        alone=alone,
        whole_accuracy=_difference(ticket.whole_accuracy or [], other.whole_accuracy or []),
        alone_accuracy=_difference(ticket.alone_accuracy or [], other.alone_accuracy or []),
    )
