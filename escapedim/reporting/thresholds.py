"""How far the failures depend on the threshold of the success criterion, in a few lines."""

from __future__ import annotations

from escapedim.records.results import Threshold, WidenResult, Width
from escapedim.reporting import numbers
from escapedim.reporting.numbers import TIE
from escapedim.reporting.page import prose

LISTED = 3
"""So many widths are shown, those whose failures change most."""


def lines(result: WidenResult, width: int) -> list[str]:
    """Return one sentence where no failure depends on the threshold, and else a line for the most changed widths."""
    measured = [entry for entry in result.widths if len(entry.threshold_sensitivity) > 1]
    if not measured:
        return []
    thresholds = [one.threshold for entry in measured for one in entry.threshold_sensitivity]
    span = f"thresholds from {min(thresholds):g} to {max(thresholds):g}".replace(" ", TIE)
    changed = [entry for entry in measured if _change(entry)]
    if not changed:
        return prose(f"Failures are the same at all {span}.", width)
    shown = sorted(changed, key=lambda entry: -_change(entry))[:LISTED]
    return [
        *prose(f"Failures change with the threshold at {_where(len(shown), len(changed), len(measured))}:", width),
        *(line for entry in sorted(shown, key=lambda one: one.width) for line in prose(_line(entry), width, "    ")),
    ]


def _change(entry: Width) -> float:
    rates = [one.failure_rate for one in entry.threshold_sensitivity]
    return max(rates) - min(rates)


def _where(shown: int, changed: int, measured: int) -> str:
    if measured == 1:
        return "this width"
    most = f", most at {'this one' if shown == 1 else f'these {shown}'}" if shown < changed else ""
    return f"{changed:,} of {numbers.plural(measured, 'width')}{most}"


def _line(entry: Width) -> str:
    ranked = sorted(entry.threshold_sensitivity, key=lambda one: one.threshold)
    ends = dict.fromkeys([ranked[0], ranked[-1]])
    return f"  width {entry.width:,}: {', '.join(_failures(one, entry.members) for one in ends)}"


def _failures(one: Threshold, members: int) -> str:
    bounds = numbers.rate(one.failure_rate, one.failure_interval, numbers.rate_digits(members))
    return f"{bounds} fail at {one.threshold:g}".replace(" ", TIE)
