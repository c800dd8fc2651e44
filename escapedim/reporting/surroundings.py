"""Complements in a rewind report: the ticket beside its controls, whole and with the complement cut away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

from escapedim.records.experiments import Estimated
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
    tables: list[list[list[Column | None]]] = [[_rates(shown, joint) for joint in _JOINTS]]
    tables += [[_accuracies(shown, joint) for joint in _JOINTS]] if _has_accuracy(shown) else []
    tables += [[_winners(shown, joint) for joint in _JOINTS], [_apart(shown)]]
    body = [line for layouts in tables for line in (*fitted(layouts, width, left=1), "")]
    return Section("Complement", _sentence(shown), (*body[:-1], *prose(_notes(shown, hidden), width)))


def _sentence(entries: Sequence[Surroundings]) -> str:
    """Say how often tickets win in other surroundings, and alone afterwards, beside the controls."""
    entry = next((one for one in entries if one.complement == "redraw"), entries[-1])
    ticket = entry.subnetworks["ticket"]
    what = {"redraw": "with the rest redrawn", "masked": "with the rest at 0"}.get(
        entry.complement, f"with the rest {entry.complement}"
    )
    text = (
        f"at round{TIE}{entry.round}, {what}, {shares.told_estimate(ticket.whole, named=True)} of networks with a "
        f"ticket succeed, and {shares.told_estimate(ticket.alone)} of the tickets when the rest is cut away afterwards"
    )
    return f"{'; '.join([text, *map(_contrast, entry.against)])}.{_failing(entry, ticket)}"


def _failing(entry: Surroundings, ticket: Surrounded) -> str:
    """Say how many tickets that win in isolation are made to fail by what is around them."""
    if entry.complement == "masked":
        return ""
    if not ticket.winners:
        return " No ticket succeeds in isolation, so that none can be made to fail."
    pairs = ticket.against_isolation
    p = "" if pairs.p is None else f" (McNemar: {numbers.p_value(pairs.p)})"
    return (
        f" Of {numbers.plural(ticket.winners, 'ticket')} that succeed{'s' if ticket.winners == 1 else ''} in isolation,"
        f" {pairs.first_only:,} fail{'s' if pairs.first_only == 1 else ''} with the rest around; of the others "
        f"{pairs.second_only:,} succeed{'s' if pairs.second_only == 1 else ''}{p}."
    )


def _contrast(against: Against) -> str:
    return (
        f"against {against.control} the difference is {_points(against.whole)} whole and {_points(against.alone)} alone"
    )


def _points(found: Difference) -> str:
    """Return a difference of rates in points with its interval."""
    value = f"{100 * found.difference:+.1f}"
    return f"{value}{_bounds(found, 1)} points".replace(" ", TIE)


def _bounds(found: Difference, digits: int, joint: str = " ") -> str:
    if found.interval is None:
        return ""
    low, high = (numbers.percent(bound, digits) for bound in found.interval)
    return f"{joint}({low} to {high})"


def _rates(entries: Sequence[Surroundings], joint: str) -> list[Column | None]:
    """Return success in percent, two rows a complement, and the ticket minus each control in points."""

    def rate(found: Surrounded, part: str) -> str:
        return _rate(found.whole if part == "whole" else found.alone, joint)

    def difference(against: Against, part: str) -> str:
        found = against.whole if part == "whole" else against.alone
        return f"{100 * found.difference:+.0f}{_bounds(found, 0, joint)}"

    return _side_by_side("success in %", entries, rate, difference)


def _accuracies(entries: Sequence[Surroundings], joint: str) -> list[Column | None]:
    """Return mean test accuracies in percent, and the ticket minus each control in points."""

    def accuracy(found: Surrounded, part: str) -> str:
        values = found.whole_accuracy if part == "whole" else found.alone_accuracy
        mean = numbers.estimate(values or []).mean
        return shares.MISSING if mean is None else numbers.percent(mean, 1)

    def difference(against: Against, part: str) -> str:
        found = against.whole_accuracy if part == "whole" else against.alone_accuracy
        if found is None:
            return shares.MISSING
        return f"{100 * found.difference:+.1f}{_bounds(found, 1, joint)}"

    return _side_by_side("accuracy in %", entries, accuracy, difference)


def _side_by_side(
    name: str,
    entries: Sequence[Surroundings],
    cell: Callable[[Surrounded, str], str],
    difference: Callable[[Against, str], str],
) -> list[Column | None]:
    rows = [(entry, part) for entry in entries for part in _PARTS]
    columns: list[Column | None] = [(name, [f"{entry.complement}, {part}" for entry, part in rows])]
    for kind in entries[0].subnetworks:
        columns.append((kind, [cell(entry.subnetworks[kind], part) for entry, part in rows]))
    for at, against in enumerate(entries[0].against):
        cells = [difference(entry.against[at], part) for entry, part in rows]
        columns.append((f"ticket -\n{against.control}", cells))
    return columns


def _rate(found: Estimated, joint: str) -> str:
    if found.value is None or found.interval is None:
        return shares.MISSING
    low, high = (100 * bound for bound in found.interval)
    return f"{100 * found.value:.0f}{joint}({low:.0f} to {high:.0f})"


def _winners(entries: Sequence[Surroundings], joint: str) -> list[Column | None]:
    """Return what becomes of subnetworks that succeed in isolation, in percent, and of the paired ones."""
    rows = [entry for entry in entries if entry.complement != "masked"] or list(entries)
    columns: list[Column | None] = [("of winners, in %", [entry.complement for entry in rows])]
    for kind in entries[0].subnetworks:
        found = [entry.subnetworks[kind] for entry in rows]
        columns.append(
            (f"{kind} whole,\n{found[0].winners:,} win", [_rate(one.whole_of_winners, joint) for one in found])
        )
    tickets = [entry.subnetworks["ticket"] for entry in rows]
    columns.append(("ticket\nalone", [_rate(one.alone_of_winners, joint) for one in tickets]))
    columns.append(("made to\nfail", [f"{one.against_isolation.first_only:,}" for one in tickets]))
    columns.append(("made to\nsucceed", [f"{one.against_isolation.second_only:,}" for one in tickets]))
    columns.append(("p", [shares.p_cell(one.against_isolation.p) for one in tickets]))
    return columns


def _apart(entries: Sequence[Surroundings]) -> list[Column | None]:
    rows = [entry for entry in entries if entry.complement != "masked"] or list(entries)
    columns: list[Column | None] = [("against isolation", [entry.complement for entry in rows])]
    for kind in entries[0].subnetworks:
        columns.append((f"{kind},\ncosine", [_median(entry.subnetworks[kind].cosine) for entry in rows]))
        columns.append((f"{kind},\ndistance", [_median(entry.subnetworks[kind].distance) for entry in rows]))
    return columns


def _has_accuracy(entries: Sequence[Surroundings]) -> bool:
    return entries[0].subnetworks["ticket"].whole_accuracy is not None


def _median(values: Sequence[float | None]) -> str:
    found = [value for value in values if value is not None]
    return f"{median(found):.2f}" if found else shares.MISSING


def _notes(entries: Sequence[Surroundings], hidden: int) -> str:
    draws = max(entry.draws for entry in entries)
    first = entries[0]
    number = next(iter(first.subnetworks.values()))
    original = any(entry.complement == "original" for entry in entries) and len(first.subnetworks) > 1
    texts = [
        "Alone: trained in the complement, which is then cut away. masked is the classic ticket; original and frozen "
        f"have the weights of step{TIE}{first.to:,} around it; redraw a fresh draw (scale 3 and 10: so many times as "
        f"large). All rewind to step{TIE}{first.to:,}, the first of --to.",
        "reinit and random are controls of the same density: the ticket's mask with fresh weights, and a random mask.",
        "In original surroundings the ticket and the random subnetwork are one and the same dense network, trained "
        "once: whole they cannot differ."
        if original
        else "",
        f"Intervals are 95{TIE}%, each for itself, and clustered by replicate: "
        f"{numbers.plural(len(number.whole_success), 'replicate')}, {numbers.plural(draws, 'draw')} each where drawn.",
        "Winners succeed in isolation; made to fail or succeed: tickets that are otherwise with the rest around them "
        "(first draw), p by McNemar's exact test.",
        "Against isolation: where the subnetwork's weights ended, and where they end in isolation; the distance over "
        "the norm of the latter, medians over replicates.",
        f"{numbers.counted(hidden, 'round')} more {'is' if hidden == 1 else 'are'} in the JSON." if hidden else "",
    ]
    return " ".join(text for text in texts if text)
