"""Entries of the experiments beside width scaling, built by hand, with numbers as runs on digits and a teacher give."""

from __future__ import annotations

from math import comb
from typing import Any

from escapedim.reporting.numbers import wilson
from tests.reporting.widen_cases import DIGITS

Entry = dict[str, Any]


def share(count: int, of: int) -> Entry:
    """A count with its rate and interval."""
    rate, interval = (count / of, list(wilson(count, of))) if of else (None, None)
    return {"count": count, "of": of, "rate": rate, "interval": interval}


def estimated(value: float | None, low: float | None = None, high: float | None = None) -> Entry:
    """A quantity with its interval, or without."""
    return {"value": value, "interval": None if low is None else [low, high]}


def paired(both: int, first: int, second: int, neither: int) -> Entry:
    """A table of pairs, with McNemar's exact p."""
    differ = first + second
    tail = sum(comb(differ, k) for k in range(min(first, second) + 1)) / 2**differ
    p = min(1.0, 2 * tail) if differ else None
    return {"both": both, "first_only": first, "second_only": second, "neither": neither, "p": p}


def isolation(width: int = 8, table: tuple[int, ...] = (62, 29, 2, 7), sampled: bool = False, **more: Any) -> Entry:
    """All subnetworks of one unit less: 64 of 100 members have a winner, 91 succeed."""
    both, wide_only, subnetwork_only, neither = table
    members, none = sum(table), wide_only + neither
    size = {"units": width - 1, "trained": width, "there": width, "winning": share(members, width * members)}
    return {
        "width": width,
        "members": members,
        "sizes": [size],
        "sampled": sampled,
        "table": paired(*table),
        "wins_given_none": None if sampled else share(wide_only, none),
        "fails_given_some": share(subnetwork_only, both + subnetwork_only),
        "q": share(members - both - wide_only, members),
        "q_lit": share(none, members),
        **more,
    }


def tickets(count: int, retest: Entry, rates: dict[float, float], draws: int = 20) -> Entry:
    """`count` narrow networks with their success rates by scale."""
    surrounded = [
        {
            "scale": scale,
            "rate": estimated(rate, max(0.0, rate - 0.08), min(1.0, rate + 0.08)),
            "networks": count * draws,
            "successes": round(rate * count * draws),
        }
        for scale, rate in rates.items()
    ]
    each = {"1": draws // 2} | {f"{scale:g}": round(rate * draws) for scale, rate in rates.items()}
    found = [{"replicate": k, "retest": draws - 2, "successes": each} for k in range(count)]
    return {"tickets": found, "retest": retest, "surrounded": surrounded if count else []}


def complement(**more: Any) -> Entry:
    """Twenty winners and twenty losers of 7 units in networks of 8."""
    return {
        "width": 8,
        "units": 7,
        "draws": 20,
        "deterministic": False,
        "winners": tickets(20, estimated(0.8825, 0.804, 0.961), {1: 0.8125, 3: 0.6025, 10: 0.2275}),
        "losers": tickets(20, estimated(0.31, 0.215, 0.405), {1: 0.775, 3: 0.56, 10: 0.2125}),
        "fresh": share(311, 400),
        "index": estimated(0.332, -0.214, 0.805),
        **more,
    }


def landing(ending: str, members: int, loss: float | None = None) -> Entry:
    """Members of one ending."""
    return {"ending": ending, "loss": loss, "members": members}


def escape(width: int, sources: int, reached: int, noise: int, **more: Any) -> Entry:
    """Failed members of one width, split once; what noise alone reaches, the embedding mostly reaches too."""
    both = max(min(reached, noise) * 3 // 4, reached + noise - sources)
    table = paired(both, reached - both, noise - both, sources - reached - noise + both)
    return {
        "from_width": width,
        "to_width": width + 1,
        "by": 1,
        "embedding": "split",
        "alpha": 0.5,
        "perturbation": "noise",
        "sources": sources,
        "source_ending": "failed",
        "judged_by": "success",
        "negative_directions": None,
        "lambda_min": None,
        "opened_gradient": None,
        "escaped": None,
        "reached_global": share(reached, sources),
        "landings": [landing("undecided", sources)] if sources else [],
        "controls": {
            "noise_only": share(noise, sources),
            "fresh_narrow": share(DIGITS.get(width, 100), 100),
            "fresh_wide": share(DIGITS.get(width + 1, 100), 100),
        },
        "against_noise": table,
        "replicates": list(range(sources)),
        "loss_before": [0.31] * sources,
        "loss_after": [0.12] * sources,
        "loss_noise_only": [0.25] * sources,
        "reason": "a relu network has none on a finite sample, almost everywhere",
        **more,
    }


def certified(width: int, sources: int, reached: int, ending: str = "bad minimum", **more: Any) -> Entry:
    """Certified bad endings of a teacher: noise alone brings each of them back."""
    found = [landing("global minimum", reached, 2e-9), landing("bad minimum", sources - reached, 0.012873)]
    return escape(
        width,
        sources,
        reached,
        0,
        **{
            "source_ending": ending,
            "judged_by": "ending",
            "negative_directions": {"min": 1, "median": 2, "max": 6} if sources else None,
            "lambda_min": -0.0412 if sources else None,
            "opened_gradient": 3e-11 if sources else None,
            "escaped": share(sources, sources),
            "landings": [one for one in found if one["members"]],
            "critical": True,
            "reason": "",
            **more,
        },
    )


def restarts(width: int, narrow: int = 4, **more: Any) -> Entry:
    """The best of so many networks of width 4 (9 of 100) as one of `width` costs."""
    k, each = (76 * width + 10) / (76 * narrow + 10), share(DIGITS.get(narrow, 9), 100)
    low, high = wilson(DIGITS.get(narrow, 9), 100)
    return {
        "narrow": narrow,
        "width": width,
        "narrow_multiply_adds": 60_000.0 * (76 * narrow + 10),
        "wide_multiply_adds": 60_000.0 * (76 * width + 10),
        "k": k,
        "narrow_success": each,
        "best_of_k": estimated(*(1 - (1 - rate) ** k for rate in (each["rate"], low, high))),
        "wide_success": share(DIGITS.get(width, 100), 100),
        **more,
    }


def transient(width: int, sources: int, merged: int, noise: int, **more: Any) -> Entry:
    """Failed members widened by a unit for 500 steps."""
    both = max(min(merged, noise) // 2, merged + noise - sources)
    return {
        "width": width,
        "by": 1,
        "steps": 500,
        "sources": sources,
        "source_ending": "failed",
        "judged_by": "success",
        "merged": share(merged, sources),
        "landings": [landing("undecided", sources)] if sources else [],
        "noise_only": share(noise, sources),
        "against_noise": paired(both, merged - both, noise - both, sources - merged - noise + both),
        **more,
    }


def halving(width: int, members: int = 1000, changed: int = 3, **more: Any) -> Entry:
    """Members of a teacher, 65.4 % of which succeed with the whole step."""
    won = members * 654 // 1000
    return {
        "width": width,
        "members": members,
        "changed": share(changed, members),
        "table": paired(won - changed, changed, 0, members - won),
        "endings": {"global minimum": won, "bad minimum": members - won},
        "halved_endings": {"global minimum": won - changed, "bad minimum": members - won + changed},
        **more,
    }


ESCAPES = {2: (100, 3, 0), 3: (98, 12, 2), 4: (91, 24, 6), 5: (76, 33, 9), 6: (59, 34, 10), 7: (38, 27, 8)}
ESCAPES |= {8: (22, 17, 6)}


def default() -> dict[str, list[Entry]]:
    """What a default run on digits adds to its widths."""
    return {
        "isolation": [isolation()],
        "complement": [complement()],
        "escape": [escape(width, *counts) for width, counts in ESCAPES.items()],
        "restarts": [restarts(width) for width in (5, 6, 7, 8, 9, 10, 12, 16, 32)],
    }


def on_teacher() -> dict[str, list[Entry]]:
    """What a run on a ReLU teacher adds, every ending certified."""
    return {
        "isolation": [isolation(7, (640, 320, 3, 37)), isolation(8, (970, 28, 0, 2))],
        "escape": [certified(6, 343, 331), certified(6, 2, 2, "saddle"), certified(7, 38, 36), certified(8, 1, 1)],
        "transient": [
            transient(
                6,
                343,
                301,
                0,
                source_ending="bad minimum",
                judged_by="ending",
                landings=[landing("global minimum", 301, 2e-9), landing("bad minimum", 42, 0.012873)],
            ),
            transient(
                7,
                38,
                35,
                0,
                source_ending="bad minimum",
                judged_by="ending",
                landings=[landing("global minimum", 35, 2e-9), landing("bad minimum", 3, 0.012873)],
            ),
        ],
        "step_halving": [halving(6), halving(7, changed=0)],
        "restarts": [restarts(8, 6), restarts(7, 6)],
    }
