"""Complements in a rewind report: the ticket beside losing subnetworks, whole and with the complement cut away."""

from __future__ import annotations

from collections.abc import Sequence

from escapedim.records.rewinding import Against, Difference, RewindResult, Surrounded, Surroundings
from escapedim.reporting import numbers, shares
from escapedim.reporting.numbers import TIE
from escapedim.reporting.page import Section, prose
from escapedim.reporting.table import Column, fitted

_PARTS = ("whole", "alone")
_JOINTS = (" ", "\n")


def section(result: RewindResult, width: int) -> Section:
    """Return the last round's complements: how networks did, and how far subnetworks were moved by them."""
    number = result.complements[-1].round
    shown = [entry for entry in result.complements if entry.round == number]
    hidden = len({entry.round for entry in result.complements}) - 1
    body = [
        *fitted([_rates(shown, joint) for joint in _JOINTS], width, left=1),
        "",
        *(fitted([_accuracies(shown)], width, left=1) if _has_accuracy(shown) else []),
        *([""] if _has_accuracy(shown) else []),
        *fitted([_apart(shown)], width, left=1),
        *prose(_notes(shown, hidden), width),
    ]
    return Section("Complement", _sentence(shown), tuple(body))


def _sentence(entries: Sequence[Surroundings]) -> str:
    """Say how often tickets win in other surroundings, and alone afterwards, beside the first control."""
    entry = next((one for one in entries if one.complement == "redraw"), entries[-1])
    ticket = entry.subnetworks["ticket"]
    what = {"redraw": "with the rest redrawn", "masked": "with the rest at 0"}.get(
        entry.complement, f"with the rest {entry.complement}"
    )
    text = (
        f"at round{TIE}{entry.round}, {what}, {shares.told_estimate(ticket.whole, named=True)} of networks with a "
        f"ticket succeed, and {shares.told_estimate(ticket.alone)} of the tickets when the rest is cut away afterwards"
    )
    differences = [_contrast(against) for against in entry.against]
    return f"{text}{'; ' if differences else ''}{'; '.join(differences)}."


def _contrast(against: Against) -> str:
    return (
        f"against {against.control} the difference is {_points(against.whole)} whole and {_points(against.alone)} alone"
    )


def _points(found: Difference) -> str:
    """Return a difference of rates in points with its interval."""
    value = f"{100 * found.difference:+.1f}"
    interval = "" if found.interval is None else f" ({100 * found.interval[0]:.1f} to {100 * found.interval[1]:.1f})"
    return f"{value}{interval} points".replace(" ", TIE)


def _rates(entries: Sequence[Surroundings], joint: str) -> list[Column | None]:
    """Return success in percent: two rows a complement."""

    def column(kind: str) -> list[str]:
        return [_rate(entry.subnetworks[kind], part, joint) for entry in entries for part in _PARTS]

    names = [f"{entry.complement}, {part}" for entry in entries for part in _PARTS]
    kinds = entries[0].subnetworks
    return [("success in %", names), *((f"{kind}", column(kind)) for kind in kinds)]


def _accuracies(entries: Sequence[Surroundings]) -> list[Column | None]:
    """Return mean test accuracies in percent."""
    columns: list[Column | None] = [("accuracy in %", [entry.complement for entry in entries])]
    for part in _PARTS:
        for kind in entries[0].subnetworks:
            columns.append((f"{part},\n{kind}", [_accuracy(entry.subnetworks[kind], part) for entry in entries]))
    return columns


def _rate(found: Surrounded, part: str, joint: str) -> str:
    estimate = found.whole if part == "whole" else found.alone
    if estimate.value is None or estimate.interval is None:
        return shares.MISSING
    low, high = (100 * bound for bound in estimate.interval)
    return f"{100 * estimate.value:.0f}{joint}({low:.0f} to {high:.0f})"


def _accuracy(found: Surrounded, part: str) -> str:
    values = found.whole_accuracy if part == "whole" else found.alone_accuracy
    return numbers.percent(mean, 1) if (mean := numbers.estimate(values or []).mean) is not None else shares.MISSING


def _apart(entries: Sequence[Surroundings]) -> list[Column | None]:
    rows = [entry for entry in entries if entry.complement != "masked"] or list(entries)
    columns: list[Column | None] = [("against isolation", [entry.complement for entry in rows])]
    for kind in entries[0].subnetworks:
        columns.append((f"{kind},\ncosine", [_number(entry.subnetworks[kind].cosine) for entry in rows]))
        columns.append((f"{kind},\ndistance", [_number(entry.subnetworks[kind].distance) for entry in rows]))
    return columns


def _has_accuracy(entries: Sequence[Surroundings]) -> bool:
    return entries[0].subnetworks["ticket"].whole_accuracy is not None


def _number(values: Sequence[float | None]) -> str:
    found = numbers.estimate(values)
    return shares.MISSING if found.mean is None else f"{found.mean:.2f}"


def _notes(entries: Sequence[Surroundings], hidden: int) -> str:
    draws = max(entry.draws for entry in entries)
    first = entries[0]
    number = next(iter(first.subnetworks.values()))
    texts = [
        "Alone: trained in the complement, which is then cut away. masked is the classic ticket; original and frozen "
        f"have the weights of step{TIE}{first.to:,} around it; redraw a fresh draw (scale 3 and 10: so many times as "
        "large).",
        "reinit and random are losing subnetworks of the same density: the ticket's mask with fresh weights, and a "
        "random mask.",
        f"Intervals are clustered by replicate: {numbers.plural(len(number.whole_success), 'replicate')}, "
        f"{numbers.plural(draws, 'draw')} each where drawn.",
        "Against isolation: where the subnetwork's weights ended, and where they end in isolation; the distance over "
        "the norm of the latter, means over replicates.",
        f"{numbers.counted(hidden, 'round')} more {'is' if hidden == 1 else 'are'} in the JSON." if hidden else "",
    ]
    return " ".join(text for text in texts if text)
