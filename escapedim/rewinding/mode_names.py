"""Names of retraining modes and of complements, importable without torch."""

from __future__ import annotations

MODES = ("weights", "lr", "finetune", "reinit", "shuffle")
"""Retraining modes: Renda, Frankle & Carbin 2020, and the controls of Frankle & Carbin 2019."""

COMPLEMENTS = ("masked", "original", "redraw", "scale:3", "scale:10", "frozen")
"""What is around a ticket while it trains (ours)."""

SCALES = {"redraw": 1.0, "scale:3": 3.0, "scale:10": 10.0}
"""Complements that are drawn anew, by the factor of their weights."""

SUBNETWORKS = ("ticket", "reinit", "random")
"""What is surrounded: the ticket, and losing subnetworks of the same density."""

ORDERS, DENSE_ORDERS = "data orders", "dense data orders"
TICKET_AND_DENSE, SUCCESSIVE = "ticket and dense", "successive rounds"
"""What lines are between: copies of the ticket and of the dense network under two orders, and the rest."""

NONE = "none"
END, FRESH = "end", "fresh"
