"""Worlds: what is true of failure rates, subnetworks, escape and complement in a simulated study.

A world says for each directional row which prediction is true in it (None: neither), and which laws of q(n) are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import comb

from escapedim.comparison.fitting import DISJOINT, FAMILY, HEURISTIC, INDEPENDENT, LITERAL


@dataclass(frozen=True)
class World:
    """Truth of one kind of study.

    `failure` are q(n) by width, the first being r. Of wide networks with a winning subnetwork `fails_given_some` fail,
    of those without one `wins_given_none` succeed. Failed members reach the minimum with the probabilities `escape`
    (after a split), `noise` and `narrow` (fresh narrow networks). `stay` are shares that fail again by width. `winner`
    are networks around a winning ticket, `fresh` drawn anew; tickets differ by `spread` (standard deviation).
    """

    name: str
    failure: Mapping[int, float]
    members: int
    some: float
    wins_given_none: float
    fails_given_some: float
    escape: float
    noise: float
    narrow: float
    winner: float
    fresh: float
    true_rows: Mapping[str, str | None]
    true_laws: Sequence[str] = ()
    stay: Mapping[int, float] = field(default_factory=dict)
    sources: int = 40
    tickets: int = 40
    draws: int = 4
    spread: float = 0.1
    gamma: float | None = None


TICKETS = {"isolation": "tickets", "complement": "tickets", "escape": "tickets", "literal_tickets": "tickets"}
ESCAPE = {"isolation": "escape", "complement": "escape", "escape": "escape", "literal_tickets": "escape"}
BETWEEN = {"isolation": "escape", "complement": None, "escape": "escape", "literal_tickets": "tickets"}
BORDER = {"isolation": "tickets", "complement": None, "escape": "tickets", "literal_tickets": "tickets"}
WIDTHS = (6, 7, 8, 9, 12)


def worlds() -> list[World]:
    """Return the worlds: both explanations true, something between them, too few networks, and each law in turn."""
    return [
        _tickets("tickets", 400),
        _tickets("tickets, large", 4000),
        _escape("escape", 400),
        _escape("escape, large", 4000),
        _between("between", 400),
        _between("between, large", 4000),
        _border("at the margin", 400),
        _border("at the margin, large", 4000),
        _escape("escape, few networks", 20, sources=6, tickets=4),
        _law(DISJOINT, {n: 0.6 ** (n // 6) for n in WIDTHS}, (DISJOINT,)),
        _law(INDEPENDENT, {n: 0.9 ** comb(n, 6) for n in (6, 7, 8)}, (INDEPENDENT,)),
        _law(FAMILY, {n: 0.7 ** ((n / 6) ** 1.8) for n in WIDTHS}, (FAMILY,), 1.8),
        _law(HEURISTIC, {6: 0.7, 7: 0.49, 8: 0.343, 9: 0.24}, (HEURISTIC,), stay={6: 0.7, 7: 0.7, 8: 0.7}),
        _law("none", {6: 0.7, 7: 0.68, 8: 0.3, 9: 0.28, 12: 0.05}, ()),
    ]


def _tickets(name: str, members: int) -> World:
    """Wide networks do what their best subnetwork does, noise is as good as a split, and tickets win anywhere."""
    return World(
        name=name, failure={n: 0.6 ** (n / 6) for n in WIDTHS}, members=members, some=0.6, wins_given_none=0.0,
        fails_given_some=0.0, escape=0.1, noise=0.1, narrow=0.4, winner=1.0, fresh=0.5, true_rows=TICKETS,
        true_laws=(LITERAL, FAMILY), spread=0.0, gamma=1.0,
    )  # fmt: skip


def _escape(name: str, members: int, sources: int = 40, tickets: int = 40) -> World:
    """Subnetworks do not matter, a split opens the way out, and what is around a ticket decides."""
    return World(
        name=name, failure={n: 0.6 ** (n / 6) for n in WIDTHS}, members=members, some=0.4, wins_given_none=0.6,
        fails_given_some=0.3, escape=0.9, noise=0.05, narrow=0.4, winner=0.5, fresh=0.5, true_rows=ESCAPE,
        true_laws=(FAMILY,), gamma=1.0, sources=sources, tickets=tickets,
    )  # fmt: skip


def _between(name: str, members: int) -> World:
    """Some of both: A is 1/2, a few networks contradict their subnetworks, and yet q is q_lit."""
    return World(
        name=name, failure={n: 0.6 ** ((n / 6) ** 1.3) for n in WIDTHS}, members=members, some=0.6,
        wins_given_none=0.15, fails_given_some=0.1, escape=0.7, noise=0.3, narrow=0.4, winner=0.75, fresh=0.5,
        true_rows=BETWEEN, true_laws=(FAMILY,), gamma=1.3,
    )  # fmt: skip


def _border(name: str, members: int) -> World:
    """All differences are the margin itself, where a wrong direction is likeliest."""
    return World(
        name=name, failure={n: 0.6 ** (n / 6) for n in WIDTHS}, members=members, some=0.5, wins_given_none=0.05,
        fails_given_some=0.05, escape=0.35, noise=0.3, narrow=0.3, winner=0.75, fresh=0.5, true_rows=BORDER,
        true_laws=(LITERAL, FAMILY), gamma=1.0, sources=400,
    )  # fmt: skip


def _law(
    name: str,
    failure: Mapping[int, float],
    true: Sequence[str],
    gamma: float | None = None,
    stay: Mapping[int, float] | None = None,
) -> World:
    """A law of q(n) that is true, among networks for which subnetworks do not matter."""
    world = _escape(f"law: {name}", 1000)
    unrelated = {6: 0.2, 7: 0.2, 8: 0.2}
    return World(
        **{**vars(world), "failure": failure, "true_laws": true, "stay": stay or unrelated, "gamma": gamma,
           "sources": 200},
    )  # fmt: skip
