"""Numbers as a reader wants them: estimate ± standard error, densities, counts, durations.

A replicate that diverged is None; it is left out of the mean and the standard error, and counted, so that a
report can say so. The standard error of the mean is the sample standard deviation over √n; it takes two
replicates. Texts for sentences tie number and unit by a no-break space, which `page.prose` turns into a plain
one after breaking lines.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from escapedim.text import count as count
from escapedim.text import counted as counted

TIE = "\u00a0"


@dataclass(frozen=True)
class Uncertain:
    """Mean and standard error over the `count` replicates with a value; `missing` have none.

    `mean` is None without a value, `error` is None with fewer than two.
    """

    mean: float | None
    error: float | None
    count: int
    missing: int


def estimate(values: Sequence[float | None]) -> Uncertain:
    """Return mean and standard error of the values that are there and finite."""
    present = [float(value) for value in values if value is not None and math.isfinite(value)]
    missing = len(values) - len(present)
    if not present:
        return Uncertain(None, None, 0, missing)
    # Scaled by the largest value: sums and squares of losses near the end of the float range overflow.
    scale = max(abs(value) for value in present) or 1.0
    shares = [value / scale for value in present]
    mean = math.fsum(shares) / len(shares)
    return Uncertain(mean * scale, _standard_error(shares, mean, scale), len(present), missing)


def _standard_error(shares: Sequence[float], mean: float, scale: float) -> float | None:
    if len(shares) < 2:
        return None
    variance = math.fsum((share - mean) ** 2 for share in shares) / (len(shares) - 1)
    return math.sqrt(variance / len(shares)) * scale


def percent(value: float, digits: int = 2) -> str:
    """Return a share in percent without the sign: `0.9822` is "98.22"."""
    return _signless_zero(f"{100 * value:.{digits}f}")


def rate_digits(count: int) -> int:
    """Return the decimals of a percentage that tell `count` from `count` - 1 successes: 1 up to 1,000, at most 4."""
    return min(max(1, len(str(count - 1)) - 2), 4)


def interval(bounds: tuple[float, float], digits: int = 1) -> str:
    """Return an interval of shares in percent: "8.9 to 16.0"."""
    return TIE.join([percent(bounds[0], digits), "to", percent(bounds[1], digits)])


def rate(value: float, bounds: tuple[float, float], digits: int = 1) -> str:
    """Return a rate with its interval for a sentence: "12.0 % (8.9 to 16.0)"."""
    return f"{percent(value, digits)}{TIE}% ({interval(bounds, digits)})"


def wilson(successes: int, count: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a rate (Wilson 1927) without scipy, which a report does not wait for."""
    z = NormalDist().inv_cdf(0.975)
    share, weight = successes / count, z * z / count
    middle, half = share + weight / 2, z * math.sqrt(share * (1 - share) / count + weight / (4 * count))
    return max(0.0, (middle - half) / (1 + weight)), min(1.0, (middle + half) / (1 + weight))


def loss(value: float) -> str:
    """Return a loss with three significant digits."""
    return f"{value:.3g}"


def _signless_zero(text: str) -> str:
    return text.removeprefix("-") if not text.strip("-0.") else text


def accuracy(value: Uncertain, joint: str = " ± ") -> str:
    """Return an accuracy in percent with its standard error, or "-" without a value."""
    if value.mean is None:
        return "-"
    return percent(value.mean) + ("" if value.error is None else joint + percent(value.error))


def mean_loss(value: Uncertain, joint: str = " ± ") -> str:
    """Return a loss with its standard error, to the error's second digit, or "-" without a value."""
    if value.mean is None:
        return "-"
    if value.error is None:
        return loss(value.mean)
    decimals = 1 - math.floor(math.log10(value.error)) if value.error else 4
    if not 0 < decimals <= 6:
        return scientific(value, joint)
    return f"{value.mean:.{decimals}f}{joint}{value.error:.{decimals}f}"


def mean_count(value: Uncertain) -> str:
    """Return a mean of counts with its standard error, or "-" without a value."""
    if value.mean is None:
        return "-"
    return f"{value.mean:,.1f}" + ("" if value.error is None else f" ± {value.error:,.1f}")


def scientific(value: Uncertain, joint: str = " ± ") -> str:
    """Return a loss with its standard error in columns that span decades: "2.7e-05 ± 1e-05"."""
    if value.mean is None:
        return "-"
    return f"{value.mean:.1e}" + ("" if value.error is None else f"{joint}{value.error:.0e}")


def points(difference: Uncertain) -> str:
    """Return a difference of accuracies in words: "0.83 ± 0.12 points above"."""
    value = difference.mean or 0.0
    error = "" if difference.error is None else f" ± {percent(difference.error)}"
    text = f"{percent(abs(value))}{error} points".replace(" ", TIE)
    return f"{text} {'below' if value < 0 else 'above'}"


def density(value: float) -> str:
    """Return a density for a sentence, three significant digits: "10.7 %"."""
    return f"{significant(100 * value)}{TIE}%"


def significant(value: float, digits: int = 3) -> str:
    """Return a number with `digits` significant digits, from 1e-6 on without exponent or trailing zeros."""
    if abs(value) < 1e-6:
        return f"{value:.{digits}g}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def plural(number: int, noun: str) -> str:
    """Return what `counted` does, with number and noun tied for a sentence."""
    return counted(number, noun).replace(" ", TIE, 1)


def p_value(value: float) -> str:
    """Return "p = 0.003", or "p < 0.001" below that."""
    if value < 0.001:
        return f"p{TIE}<{TIE}0.001"
    return f"p{TIE}={TIE}{value:.{3 if value < 0.01 else 2}f}"


def duration(seconds: float) -> str:
    """Return a duration in its two largest units: "3 min 12 s"."""
    if seconds < 10:
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400:,} d {whole % 86400 // 3600:02d} h"


def listed(parts: Sequence[str]) -> str:
    """Return "a", "a and b" or "a, b and c"."""
    return " and ".join(parts) if len(parts) < 3 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def rounds(numbers: Sequence[int]) -> str:
    """Return "round 9", or "rounds 3 to 5, 7 and 9": runs of three or more are joined."""
    return ranges(numbers, "round")


def ranges(numbers: Sequence[int], noun: str) -> str:
    """Return "width 9", or "widths 3 to 5, 7 and 9": runs of three or more are joined."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts: list[str] = []
    for run in runs:
        parts += [f"{run[0]:,} to {run[-1]:,}"] if len(run) > 2 else [f"{number:,}" for number in run]
    return f"{noun}{'' if len(set(numbers)) == 1 else 's'} {listed(parts)}".replace(" ", TIE, 1)


def successes(success: Sequence[bool]) -> str:
    """Return "4 of 5"."""
    return f"{sum(success)} of {len(success)}"
