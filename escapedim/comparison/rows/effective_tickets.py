"""`effective_tickets`: N(n) = ln q(n) / ln q(r), how many independent networks of width r fail as often as one of n.

A description. Literally, floor(n/r) if tickets are disjoint and C(n, r) if all subsets were independent, which they are
not: neither explanation predicts one number.
"""

from __future__ import annotations

from math import comb

from escapedim.comparison.commands import command
from escapedim.comparison.effective import effective_tickets
from escapedim.comparison.rows.building import not_measured
from escapedim.comparison.study import Study
from escapedim.comparison.widths import failures
from escapedim.records.comparison import Failures, Measured, Row

_MOST = 1e300  # binomials beyond it are no JSON numbers


def row(study: Study) -> Row:
    """Return the row; its estimate is that of the largest width at which both ends of the interval are known."""
    observed = {one.width: one for one in failures(study)}
    base = study.base_width
    wider = [one for width, one in observed.items() if base is not None and width > base]
    if base is None or base not in observed or not wider:
        needs = "no width was scaled" if not observed else f"there is no width beside the base width {base}"
        first = base or 4
        return not_measured(
            "effective_tickets", False, "tickets", needs,
            command(study, "widen", {"--widths": f"{first}:{first + 4}"}),
        )  # fmt: skip
    measured = [_measured(observed[base], one, not study.of_family) for one in wider]
    known = [one for one in measured if one.interval is not None]
    last = known[-1] if known else measured[-1]
    return Row(
        key="effective_tickets",
        kind="descriptive",
        estimate=last.estimate,
        interval=last.interval,
        unit="tickets",
        observations=sum(one.members for one in (observed[base], *wider)),
        sentence=_sentence(base, last),
        method="profile likelihood over both failure rates",
        inputs=list(dict.fromkeys(source.name for source, _ in study.widths())),
        measured=measured,
    )


def _measured(base: Failures, one: Failures, one_hidden: bool) -> Measured:
    subsets = comb(one.width, base.width)
    found = effective_tickets((base.failed, base.members), (one.failed, one.members))
    two_sided = found.low is not None and found.high is not None
    bound = "" if two_sided or found.reason else _bound(found.low, found.high)
    return Measured(
        what=f"width {one.width} over {base.width}",
        x=one.width,
        estimate=found.estimate,
        interval=(found.low, found.high) if found.low is not None and found.high is not None else None,
        observations=base.members + one.members,
        at_least=None if two_sided else found.low,
        at_most=None if two_sided else found.high,
        predictions={
            "disjoint": float(one.width // base.width),
            **({"independent": float(subsets)} if one_hidden and subsets < _MOST else {}),
        },
        note=found.reason or bound,
    )


def _bound(low: float | None, high: float | None) -> str:
    if low is not None:
        return f"at least {low:.3g}"
    return "" if high is None else f"at most {high:.3g}"


def _sentence(base: int, last: Measured) -> str:
    if last.estimate is None or last.interval is None:
        return f"Effective tickets at {last.what} cannot be told: {last.note or 'too few failures'}"
    low, high = last.interval
    several = last.predictions.get("independent")
    most = f" and {several:,.0f} if all subsets were independent" if several is not None and several < 1e15 else ""
    return (
        f"At {last.what} a network fails as rarely as {last.estimate:.3g} ({low:.3g} to {high:.3g}) independent "
        f"networks of width {base} all do; {last.predictions['disjoint']:.0f} if tickets were disjoint{most}"
    )
