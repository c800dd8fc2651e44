"""Best of k narrow networks against one wide one at equal cost: restarts are what width has to beat.

The cost of a training is its steps times the multiply-adds of a step, so that it is the same on every machine; the
seconds that were measured beside it are in the cost of a summary. No torch is needed for either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from escapedim.comparison.statistics import best_of
from escapedim.errors import BadInput
from escapedim.records.experiments import Estimated, Restarts, Share
from escapedim.records.results import Width


def check_narrow(narrow: int, widths: Sequence[int]) -> None:
    """Refuse a narrow width that no larger one can be held against.

    Raises
    ------
    BadInput
        `narrow` is not among the widths, or the largest of them.
    """
    smaller = [width for width in widths if width < max(widths)]
    if narrow in smaller:
        return
    expected = f"one of {', '.join(map(str, smaller))}" if smaller else "a second, larger width"
    remedy = "add a larger one to --widths" if narrow in widths else "add it to --widths"
    raise BadInput(f"restarts: expected a width that is not the largest ({expected}), found {narrow}; {remedy}.")


def describe_restarts(
    narrow: int, widths: Sequence[Width], mean_steps: Mapping[int, float], multiply_adds: Callable[[int], float]
) -> list[Restarts]:
    """Hold the counted members of a narrow width against those of every larger one.

    Parameters
    ----------
    narrow
        A width that passes `check_narrow`; without members of it so far there are no entries.
    widths
        Entries of widths with at least one member each.
    mean_steps
        By width, the steps that a member took on average: `net_steps` of its stacks over their members.
    multiply_adds
        Those of one step of one network of a width (`Problem.multiply_adds`).
    """
    by_width = {entry.width: entry for entry in widths}
    if narrow not in by_width or not mean_steps[narrow]:  # where no step was taken there is no cost to hold against
        return []
    costs = {width: mean_steps[width] * multiply_adds(width) for width in by_width}
    return [_against(by_width[narrow], by_width[width], costs) for width in sorted(by_width) if width > narrow]


def _against(narrow: Width, wide: Width, costs: Mapping[int, float]) -> Restarts:
    k = costs[wide.width] / costs[narrow.width]
    best = best_of(narrow.successes, narrow.members, k)
    assert best is not None, "a width has members"
    return Restarts(
        narrow=narrow.width,
        width=wide.width,
        narrow_multiply_adds=costs[narrow.width],
        wide_multiply_adds=costs[wide.width],
        k=k,
        narrow_success=_success(narrow),
        best_of_k=Estimated(value=best[0], interval=best[1]),
        wide_success=_success(wide),
    )


def _success(entry: Width) -> Share:
    return Share(count=entry.successes, of=entry.members, rate=entry.success_rate, interval=entry.success_interval)
