"""Laws of the failure rate in a comparison: how they fit, and what they predict at each width."""

from __future__ import annotations

from escapedim.records.comparison import Law, Laws
from escapedim.reporting import numbers, shares
from escapedim.reporting.numbers import TIE
from escapedim.reporting.page import prose
from escapedim.reporting.table import Column, fitted

_MOST_WIDTHS = 8
_JOINTS = (" ", "\n")


def lines(found: Laws, width: int) -> list[str]:
    """Return the sentence, the laws with their fits, and failure rates by width beside the predicted ones."""
    text = prose(f"Laws: {found.sentence}", width)
    if not found.laws:
        return text
    fitted_laws = [law for law in found.laws if law.predicted]
    bound = f"Off by at most: points, at any width, with {100 * (1 - found.level):g}{TIE}% confidence."
    body = [*text, "", *fitted([_fits(found)], width, left=2), *prose(bound, width)]
    if fitted_laws:
        layouts = [*(_rates(found, fitted_laws, joint) for joint in _JOINTS), _rates(found, fitted_laws, None)]
        body += ["", *fitted(layouts, width, left=1)]
        hidden = len(found.observed) - _MOST_WIDTHS
        note = f"Failures in %, with 95{TIE}% intervals and bands where there is room."
        body += prose(f"{note} {shares.more(max(0, hidden), 'widths')}", width)
    return body


def _fits(found: Laws) -> list[Column | None]:
    return [
        ("law", [law.name for law in found.laws]),
        ("q(n)", [law.formula for law in found.laws]),
        ("deviance", [shares.MISSING if law.deviance is None else f"{law.deviance:.1f}" for law in found.laws]),
        ("p", [shares.p_cell(law.p) for law in found.laws]),
        (
            "off by\nat most",
            [shares.MISSING if law.off_by is None else f"{100 * law.off_by:.1f}" for law in found.laws],
        ),
        ("fits", [_fit(law) for law in found.laws]),
    ]


def _fit(law: Law) -> str:
    return {None: shares.MISSING, True: "rejected", False: "yes"}[law.rejected]


def _rates(found: Laws, laws: list[Law], joint: str | None) -> list[Column | None]:
    base = found.base_width or 0
    telling = sorted(found.observed, key=lambda one: (abs(one.rate - 0.5), abs(one.width - base)))[:_MOST_WIDTHS]
    shown = sorted(telling, key=lambda one: one.width)
    columns: list[Column | None] = [
        ("width", [f"{one.width:,}" for one in shown]),
        ("measured", [_cell(one.rate, one.interval, joint) for one in shown]),
    ]
    for law in laws:
        by = {one.width: one for one in law.predicted}
        cells = [
            _cell(by[one.width].rate, by[one.width].band, joint) if one.width in by else shares.MISSING for one in shown
        ]
        columns.append((law.name.replace(" ", "\n", 1), cells))
    return columns


def _cell(rate: float, bounds: tuple[float, float], joint: str | None) -> str:
    """Return a rate in percent with its bounds; without a joint there is no room for them."""
    if joint is None:
        return numbers.percent(rate, 1)
    low, high = (numbers.percent(bound, 1) for bound in bounds)
    return f"{numbers.percent(rate, 1)}{joint}({low} to {high})"
