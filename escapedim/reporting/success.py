"""Success rate against width: as a sentence that claims no more than the intervals do, and as a plot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from escapedim.records.results import WidenResult
from escapedim.records.summary import Summary
from escapedim.reporting import numbers
from escapedim.reporting.numbers import TIE
from escapedim.reporting.plot import Bars, Series, line_plot

_LOG_SPAN = 8  # Widths that differ by a larger factor crowd at the left of a linear axis.
_WHOLE_SPAN = 50.0  # Percentage points; rates that span more are drawn from 0 to 100, others magnified (ours).
_PLOT_WIDTH = 100


@dataclass(frozen=True)
class Rate:
    """Success rate of one width with its 95 % Wilson interval."""

    width: int
    members: int
    successes: int
    value: float
    low: float
    high: float

    def text(self) -> str:
        """Return "12.0 % (8.9 to 16.0) at width 2"."""
        shown = numbers.rate(self.value, (self.low, self.high), numbers.rate_digits(self.members))
        return f"{shown} at{TIE}width{TIE}{self.width:,}"

    def above(self, other: Rate) -> bool:
        """Say whether this interval lies wholly above the other one."""
        return self.low > other.high


def rates(result: WidenResult) -> list[Rate]:
    """Return the rates that were measured, by width."""
    found = [
        Rate(entry.width, entry.members, entry.successes, entry.success_rate, *entry.success_interval)
        for entry in result.widths
        if entry.success_rate is not None and entry.success_interval is not None
    ]
    return sorted(found, key=lambda rate: rate.width)


def sentence(summary: Summary, result: WidenResult) -> str:
    """Return the finding; an unfinished run's begins with "So far"."""
    measured = rates(result)
    if not measured:
        return f"No width is finished; the criterion is {result.success_criterion}."
    text = f"{_finding(measured)}; criterion {result.success_criterion}."
    return text if summary.status == "complete" else f"So far: {text[0].lower()}{text[1:]}"


def _finding(measured: Sequence[Rate]) -> str:
    first, last = measured[0], measured[-1]
    if len(measured) == 1:
        verb = "succeeds" if first.successes == 1 else "succeed"
        return f"{first.successes:,} of {numbers.plural(first.members, 'member')} {verb}: {_with_interval(first)}"
    if (same := _without_exception(measured)) is not None:
        return same
    if last.above(first) or first.above(last):
        verb = "rises" if last.above(first) else "falls"
        return f"Success {verb} from {_with_interval(first)} to {last.text()}{_between(measured)}"
    return (
        f"No clear change of success with width: {_with_interval(first)} and {last.text()}, intervals that overlap"
        f"{_between(measured)}"
    )


def _with_interval(rate: Rate) -> str:
    return rate.text().replace("(", f"(95{TIE}% interval ", 1)


def _without_exception(measured: Sequence[Rate]) -> str | None:
    members, successes = sum(rate.members for rate in measured), sum(rate.successes for rate in measured)
    if not successes:
        text, bound, way = "No member succeeds at any", max(rate.high for rate in measured), "up"
    elif successes == members:
        text, bound, way = "All members succeed at each", min(rate.low for rate in measured), "down"
    else:
        return None
    reach = f"the 95{TIE}% intervals reach {way} to {numbers.percent(bound, 1)}{TIE}%"
    return f"{text} of {len(measured):,} widths ({successes:,} of {numbers.plural(members, 'member')}; {reach})"


def _between(measured: Sequence[Rate]) -> str:
    """Return what the first and the last width do not tell: a rate between them that is beyond both."""
    first, last = measured[0], measured[-1]
    above = [rate for rate in measured if rate.above(first) and rate.above(last)]
    below = [rate for rate in measured if first.above(rate) and last.above(rate)]
    parts = []
    if above:
        parts.append(f"higher between them, {max(above, key=lambda rate: rate.value).text()}")
    if below:
        parts.append(f"lower between them, {min(below, key=lambda rate: rate.value).text()}")
    return f", but {numbers.listed(parts)}" if parts else ""


def plot(result: WidenResult, width: int, rows: int) -> list[str]:
    """Return the success rate against width with its intervals; one width is no plot."""
    measured = rates(result)
    if len(measured) < 2:
        return []
    spans = [(rate.width, 100 * rate.low, 100 * rate.high) for rate in measured]
    points = [(rate.width, 100 * rate.value) for rate in measured]
    widths = [rate.width for rate in measured]
    whole = max(high for *_, high in spans) - min(low for _, low, _ in spans) > _WHOLE_SPAN
    return line_plot(
        [Series("success rate", points, "o", Bars("95 % Wilson interval, where it is longer than a row", spans))],
        width=min(width, _PLOT_WIDTH),
        height=rows,
        x_label="width",
        y_label="success rate in %",
        log_x=widths[0] > 0 and widths[-1] > _LOG_SPAN * widths[0],
        x_ticks=widths,
        y_range=(0.0, 100.0) if whole else None,
    )
