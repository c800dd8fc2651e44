"""Restarts in a widen report: the best of k narrow networks against one wide one at equal cost. It is a description.

Cost is multiply-adds over the steps that were taken; where the run measured seconds a member, it is seconds too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from escapedim.records.experiments import Estimated, Restarts
from escapedim.records.summary import Summary
from escapedim.reporting import contrasts, numbers, shares
from escapedim.reporting.numbers import TIE
from escapedim.reporting.page import Section, prose
from escapedim.reporting.table import Column, fitted
from escapedim.widening.member_keys import by_width, members_key

MOST_ROWS = 9

_LARGE = 1e6


def seconds_per_member(summary: Summary) -> dict[int, float]:
    """Return by width the seconds that a member took, of the finished stacks of a widen run whose times are known."""
    taken, files = summary.cost.unit_s, summary.result.checkpoints
    finished = [key for key in taken if f"checkpoints/{key}.safetensors" in files]
    means = {width: _mean_seconds(width, stacks, taken) for width, stacks in by_width(finished).items()}
    return {width: mean for width, mean in means.items() if mean > 0}


def _mean_seconds(width: int, stacks: Sequence[Sequence[int]], taken: Mapping[str, float]) -> float:
    return sum(taken[members_key(width, stack)] for stack in stacks) / sum(map(len, stacks))


def section(entries: Sequence[Restarts], width: int, seconds: Mapping[int, float]) -> Section:
    """Return both success rates by width; k by seconds too where the `seconds` of a member are known by width."""
    shown = sorted(shares.most(entries, MOST_ROWS, _difference), key=lambda entry: (entry.narrow, entry.width))
    ratios = [_ratio(entry, seconds) for entry in shown]
    timed = ratios if any(ratio is not None for ratio in ratios) else None
    body = [
        *fitted([_columns(shown, timed, joint) for joint in " \n"], width),
        *prose(_notes(timed is not None, len(entries) - len(shown)), width),
    ]
    return Section("Restarts", _sentence(entries), tuple(body))


def _difference(entry: Restarts) -> float:
    wide = shares.value(entry.wide_success)
    return -1.0 if wide is None or entry.best_of_k.value is None else abs(wide - entry.best_of_k.value)


def _ratio(entry: Restarts, seconds: Mapping[int, float]) -> float | None:
    narrow, wide = seconds.get(entry.narrow), seconds.get(entry.width)
    return wide / narrow if narrow and wide else None


def _sentence(entries: Sequence[Restarts]) -> str:
    narrow = {entry.narrow: entry.narrow_success for entry in entries}
    against = "narrow networks"
    if len(narrow) == 1:
        width, share = narrow.popitem()
        against = f"networks of width{TIE}{width:,}, {shares.told(share, named=True)} of which succeed"
    found = [(entry.wide_success.interval, entry.best_of_k.interval, (entry.width, "")) for entry in entries]
    return (
        f"One wide network against the best of k {against}, at equal multiply-adds: the wide network's interval "
        f"{contrasts.beyond(found)}."
    )


def _columns(entries: Sequence[Restarts], timed: Sequence[float | None] | None, joint: str) -> list[Column | None]:
    narrow = [f"{entry.narrow:,}" for entry in entries]
    return [
        ("narrow", narrow) if len(set(narrow)) > 1 else None,
        ("width", [f"{entry.width:,}" for entry in entries]),
        ("success, %", [shares.cell(entry.wide_success, joint) for entry in entries]),
        ("k by\nmultiply-adds", [_k(entry.k) for entry in entries]),
        ("best of k, %", [shares.estimate_cell(entry.best_of_k, joint) for entry in entries]),
        *(_by_seconds(entries, timed, joint) if timed else ()),
    ]


def _by_seconds(entries: Sequence[Restarts], timed: Sequence[float | None], joint: str) -> list[Column]:
    best = [_best(entry, k) for entry, k in zip(entries, timed, strict=True)]
    return [
        ("k by\nseconds", [shares.MISSING if k is None else _k(k) for k in timed]),
        ("best of k, %", [shares.estimate_cell(one, joint) for one in best]),
    ]


def _k(value: float) -> str:
    return numbers.significant(value) if abs(value) < _LARGE else f"{value:.3g}"


def _best(entry: Restarts, k: float | None) -> Estimated:
    """Return 1 - (1 - p)^k with its interval carried through, as the results have it for multiply-adds."""
    rate, bounds = shares.value(entry.narrow_success), entry.narrow_success.interval
    if k is None or rate is None:
        return Estimated(value=None, interval=None)
    interval = None if bounds is None else (_best_of(bounds[0], k), _best_of(bounds[1], k))
    return Estimated(value=_best_of(rate, k), interval=interval)


def _best_of(rate: float, k: float) -> float:
    return 1 - math.pow(1 - rate, k)


def _notes(timed: bool, hidden: int) -> str:
    power = "1 - (1 - p)^k".replace(" ", TIE)
    texts = [
        f"k: the cost of the wide network over that of a narrow one, by the steps that they took; best of k: {power}.",
        "Seconds are those that the run measured." if timed else "",
        "A description: neither explanation predicts it.",
        shares.more(hidden, "widths"),
    ]
    return " ".join(text for text in texts if text)
