"""Reading a lottery result: its arms in their order, and the accuracies that the report compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from escapedim.records.columns import Arm
from escapedim.records.results import LotteryResult, LotteryVerdict, Round
from escapedim.reporting import numbers
from escapedim.reporting.numbers import TIE, Uncertain

TICKET = "ticket"
DENSE = "dense"
_ORDER = (DENSE, TICKET, "reinit", "shuffle", "random")
_DEFAULT_TOLERANCE = 0.005  # Half a percentage point: design, section 2.


def with_tolerance(result: LotteryResult, config: Mapping[str, Any]) -> LotteryResult:
    """Return the result with the configured tolerance where a verdict does not state it yet."""
    configured = config.get("tolerance")
    if result.verdict is not None or not isinstance(configured, int | float):
        return result
    stated = LotteryVerdict(
        last_matching_round=None, last_winning_round=None, tolerance=configured, dense_test_accuracy=None
    )
    return result.model_copy(update={"verdict": stated})


def names(rounds: Sequence[Round]) -> list[str]:
    """Return the arms of all rounds in the order of the report: ticket first, dense left out."""
    found = {name for entry in rounds for name in entry.arms if name != DENSE}
    return sorted(found, key=_rank)


def ordered(entry: Round) -> list[tuple[str, Arm]]:
    """Return one round's arms in the order of the report."""
    return [(name, entry.arms[name]) for name in sorted(entry.arms, key=_rank)]


def _rank(name: str) -> tuple[int, str]:
    return (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)


def controls(entry: Round) -> list[str]:
    """Return the trained controls of a round."""
    return [name for name, _ in ordered(entry) if name not in (TICKET, DENSE)]


def has_accuracy(result: LotteryResult) -> bool:
    """Say whether the task has a test accuracy; without a finished round, assume so."""
    trained = [arm for entry in result.rounds for arm in entry.arms.values()]
    return not trained or any(arm.test_accuracy is not None for arm in trained)


def replicates(result: LotteryResult) -> int:
    """Return the largest number of replicates of an arm."""
    return max((len(arm.success) for entry in result.rounds for arm in entry.arms.values()), default=0)


def diverged(result: LotteryResult) -> bool:
    """Say whether what is shown is missing anywhere: a member diverged.

    A training loss alone may be missing because there is no training set.
    """
    arms = [arm for entry in result.rounds for arm in entry.arms.values()]
    shown = (arm.train_loss if arm.test_accuracy is None else arm.test_accuracy for arm in arms)
    return any(value is None for values in shown for value in values)


def test_accuracy(entry: Round, name: str) -> list[float | None]:
    """Return the test accuracies of an arm, or nothing where it has none."""
    return (entry.arms[name].test_accuracy or []) if name in entry.arms else []


def dense_round(result: LotteryResult) -> Round | None:
    """Return round 0 if it was trained."""
    return next((entry for entry in result.rounds if DENSE in entry.arms), None)


def dense_accuracy(result: LotteryResult) -> Uncertain:
    """Return the dense network's test accuracy, as measured or else as the verdict states it."""
    dense = dense_round(result)
    measured = numbers.estimate(test_accuracy(dense, DENSE) if dense else [])
    if measured.count or result.verdict is None or result.verdict.dense_test_accuracy is None:
        return measured
    return Uncertain(result.verdict.dense_test_accuracy, None, 1, measured.missing)


def ticket_minus_dense(result: LotteryResult, entry: Round) -> Uncertain:
    """Return ticket minus dense in test accuracy, over the replicates that have both."""
    dense = dense_round(result)
    full = _by_replicate(dense, DENSE) if dense else {}
    tickets = _by_replicate(entry, TICKET)
    return numbers.estimate([tickets[replicate] - full[replicate] for replicate in tickets.keys() & full.keys()])


def _by_replicate(entry: Round, name: str) -> dict[int, float]:
    values = test_accuracy(entry, name)
    replicates = entry.replicates or range(len(values))
    return {replicate: value for replicate, value in zip(replicates, values, strict=False) if value is not None}


def fewer_replicates(result: LotteryResult) -> list[int]:
    """Return the rounds in which an arm has fewer replicates than others have."""
    most = replicates(result)
    return [entry.round for entry in result.rounds if any(len(arm.success) < most for arm in entry.arms.values())]


def tolerance_points(result: LotteryResult) -> float:
    """Return the tolerance of matching in percentage points; summaries state it as a share."""
    return 100 * (_DEFAULT_TOLERANCE if result.verdict is None else result.verdict.tolerance)


def tolerance(result: LotteryResult) -> str:
    """Return "0.5 points"."""
    points = numbers.significant(tolerance_points(result))
    return f"{points}{TIE}point{'' if points == '1' else 's'}"
