"""One share or two treatments over several widths, in a sentence that claims no more than intervals and tests allow."""

from __future__ import annotations

from collections.abc import Sequence

from escapedim.records.experiments import Paired, Share
from escapedim.reporting import numbers, shares
from escapedim.reporting.numbers import TIE

LEVEL = 0.05
"""Of all tests in a sentence together."""

Place = tuple[int, str]
"""A width, and what tells its entry from the others: the ending of its sources, the embedding."""

Bounds = tuple[float, float] | None


def places(widths: Sequence[int], *labels: Sequence[str]) -> list[Place]:
    """Return the place of each entry, with those labels that are not the same for all of them."""
    varied = [texts for texts in labels if len(set(texts)) > 1]
    return [(width, ", ".join(texts[index] for texts in varied)) for index, width in enumerate(widths)]


def at(places: Sequence[Place]) -> str:
    """Return "at width 9", "at widths 3 to 5 and 7" or "at width 6 (saddle) and width 7 (bad minimum)"."""
    if not any(label for _, label in places):
        return f"at {numbers.ranges([width for width, _ in places], 'width')}"
    names = [f"width{TIE}{width:,}{f' ({label})' if label else ''}" for width, label in places]
    return f"at {numbers.listed(list(dict.fromkeys(names)))}"


def span(found: Sequence[tuple[Share, Place]], named: bool = False) -> str:
    """Return the one share that there is, or the least and the largest, each with its interval and place.

    Of equal shares it is that of most members, whose interval says most.
    """
    measured = [(shares.value(share) or 0.0, share, place) for share, place in found if share.of]
    if not measured:
        return shares.MISSING
    low, least, first = min(measured, key=lambda one: (one[0], -one[1].of))
    high, largest, last = max(measured, key=lambda one: (one[0], one[1].of))
    if low == high:
        others = [place for *_, place in measured if place != first]
        return f"{shares.told(least, named)} {at([first])}{f' and as much {_rest(others)}' if others else ''}"
    return f"between {shares.told(least, named)} {at([first])} and {shares.told(largest)} {at([last])}"


def beyond(found: Sequence[tuple[Bounds, Bounds, Place]]) -> str:
    """Return where the first interval lies wholly above or below the second, and where they overlap."""
    known = [(left, right, place) for left, right, place in found if left and right]
    above = [place for left, right, place in known if left[0] > right[1]]
    below = [place for left, right, place in known if right[0] > left[1]]
    overlap = [place for *_, place in known if place not in above and place not in below]
    parts = [f"lies {way} {at(places)}" for way, places in (("above", above), ("below", below)) if places]
    if overlap:
        parts.append(f"overlaps {_rest(overlap) if parts else _everywhere(known)}")
    return numbers.listed(parts) or "is not known"


def _rest(places: Sequence[Place]) -> str:
    """Return where the others are: one by its name."""
    return at(places) if len(places) == 1 else "elsewhere"


def _everywhere(known: Sequence[tuple[Bounds, Bounds, Place]]) -> str:
    return "everywhere" if len(known) > 1 else at([place for *_, place in known])


def apart(found: Sequence[tuple[Paired, Place]]) -> str:
    """Return where McNemar's test tells the first treatment from the second, at Bonferroni's level."""
    level = f"p{TIE}<{TIE}{LEVEL:g}{f'/{len(found)}' if len(found) > 1 else ''}"
    clear = [(pair, place) for pair, place in found if pair.p is not None and pair.p < LEVEL / len(found)]
    more = [place for pair, place in clear if pair.first_only > pair.second_only]
    fewer = [place for pair, place in clear if pair.first_only < pair.second_only]
    parts = [f"{way} {at(places)}" for way, places in (("a larger share", more), ("a smaller share", fewer)) if places]
    if rest := [place for _, place in found if place not in more and place not in fewer]:
        parts.append(f"no clear difference{f' {_rest(rest)}' if parts else ''}")
    return f"McNemar's test ({level}) finds {numbers.listed(parts)}"


def mcnemar(p: float | None) -> str:
    """Return McNemar's p for a sentence."""
    return "no member differs" if p is None else f"McNemar's {numbers.p_value(p)}"
