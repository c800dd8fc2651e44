"""What the runs of a plan will take: the estimates of their commands, asked for once for all runs that cost the same.

Nothing here imports torch: the estimates come from a process of their own (`escapedim.cli.estimating`).
"""

from __future__ import annotations

import heapq
import json
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from escapedim.children import python_module
from escapedim.errors import BadInput, EscapedimError
from escapedim.records.strict_json import canonical
from escapedim.sweeping.runner import shared
from escapedim.sweeping.runs import SweepRun
from escapedim.training.estimate import Estimate

COMPARISON = Estimate(0, 0, 3.0, 200.0)  # trains nothing; measured on the plans in sweeps/, two cores of 2023
_FREE = frozenset({"seed", "lr"})  # settings that change what is found and not what it takes


class RunCosts:
    """Estimates of the runs of one plan."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], Estimate] = {}

    def of(self, run: SweepRun, jobs: int) -> Estimate:
        """Return what a run takes with so many processes; `ask` must have been told of it."""
        return COMPARISON if run.command == "compare" else self._known[_key(run), jobs]

    def ask(self, wanted: Iterable[tuple[SweepRun, int]]) -> None:
        """Get the estimates of runs with so many processes each, those that are known already left out.

        Raises
        ------
        BadInput
            A run that its command would refuse.
        EscapedimError
            The process that estimates has failed.
        """
        asked = {
            (_key(run), jobs): {
                "command": run.command, "settings": dict(run.settings), "jobs": jobs,
                "source": dict(run.sources[0].settings) if run.sources else None,
            }
            for run, jobs in wanted if run.command != "compare"
        }  # fmt: skip
        missing = [key for key in asked if key not in self._known]
        for key, answer in zip(missing, _answers([asked[key] for key in missing]), strict=True):
            if "refused" in answer:
                raise BadInput(f"{asked[key]['command']}: {answer['refused']}")
            self._known[key] = Estimate(**answer)

    def together(self, runs: Sequence[SweepRun], jobs: int) -> Estimate:
        """Return what runs take, stage after stage, each started where a process is free, as a sweep starts them."""
        total = Estimate(0, 0, 0.0, 0.0)
        for _, group in groupby(shares(runs, jobs), key=lambda share: share[0].stage):
            parts = [self.of(run, each) for run, each in group]
            workers, _ = shared(len(parts), jobs)
            total = Estimate(
                networks=total.networks + sum(part.networks for part in parts),
                net_steps=total.net_steps + sum(part.net_steps for part in parts),
                seconds=total.seconds + _side_by_side([part.seconds for part in parts], workers),
                memory_mb=max(total.memory_mb, sum(heapq.nlargest(workers, (part.memory_mb for part in parts)))),
                most=total.most or any(part.most for part in parts),
            )
        return total


def shares(runs: Sequence[SweepRun], jobs: int) -> list[tuple[SweepRun, int]]:
    """Return runs with the number of processes that each has when they are started together."""
    counts = Counter(run.stage for run in runs)
    return [(run, shared(counts[run.stage], jobs)[1]) for run in runs]


def _side_by_side(seconds: Sequence[float], workers: int) -> float:
    ends = [0.0] * workers
    for each in seconds:
        heapq.heapreplace(ends, ends[0] + each)
    return max(ends)


def _key(run: SweepRun) -> str:
    kept = [{key: value for key, value in one.settings.items() if key not in _FREE} for one in (run, *run.sources)]
    return canonical([run.command, kept])


def _answers(asked: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    if not asked:
        return []
    ended = subprocess.run(
        python_module("escapedim.cli.estimating"), input=json.dumps(asked), capture_output=True, text=True, check=False
    )
    if ended.returncode != 0:
        last = (ended.stderr.strip().splitlines() or ["no message"])[-1]
        raise EscapedimError(f"the runs could not be estimated ({last}); escapedim doctor may say why.")
    answers: list[dict[str, Any]] = json.loads(ended.stdout)
    return answers
