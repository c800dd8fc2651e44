"""Where networks ended after an embedding: counts by ending, the losses of the certified ones, and what is scored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from escapedim.records.experiments import Landing
from escapedim.reporting import endings, numbers, shares

_LEVELS = 3


def verbs(judged_by: Iterable[str]) -> tuple[str, str]:
    """Return what members do that reach their goal, one of them and several."""
    judged = set(judged_by)
    if judged == {"success"}:
        return "succeeds", "succeed"
    either = " or succeed" if len(judged) > 1 else ""
    return f"ends in a global minimum{either and ' or succeeds'}", f"end in a global minimum{either}"


def head(judged_by: Iterable[str]) -> str:
    """Return what `verbs` says for a column."""
    return "success" if set(judged_by) == {"success"} else "global min."


def cell(found: Sequence[Landing]) -> str:
    """Return "280 G, 58 B"."""
    counts = endings.by_letter(_counts(found))
    return ", ".join(f"{count:,} {letter}" for letter, count in counts.items()) or shares.MISSING


def certified(found: Sequence[Landing]) -> bool:
    """Say whether any ending is certified: the others are what every network of a task without certificates has."""
    return endings.certified(_counts(found)) > 0


def legend(found: Sequence[Landing]) -> str:
    """Return what the letters mean and the most frequent losses; nothing where no ending is certified."""
    if not certified(found):
        return ""
    return f"Landed: {endings.legend(endings.present([_counts(found)]))}.{_levels(found)}"


def _counts(found: Sequence[Landing]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for one in found:
        counts[one.ending] += one.members
    return counts


def _levels(found: Sequence[Landing]) -> str:
    levels: Counter[str] = Counter()
    for one in found:
        if one.loss is not None and one.ending != endings.GLOBAL_MINIMUM and one.members:
            levels[f"{one.ending} at {one.loss:.5g}"] += one.members
    texts = [f"{level} ({count:,})".replace(" ", numbers.TIE) for level, count in levels.most_common(_LEVELS)]
    name = "Most frequent losses" if len(levels) > _LEVELS else "Losses"
    return f" {name}: {', '.join(texts)}." if texts else ""
