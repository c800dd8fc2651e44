"""Which tickets match the dense network, and which of them win against their controls.

Matching: the mean test accuracy is no more than the tolerance below the dense mean of the same replicates. Winning:
matching, and above the best trained control by a paired t test over replicates, two-sided at 5 %, Holm-corrected over
rounds. The best control of a round is the one with the highest mean, which makes the test conservative. A round in
which a ticket diverged does not match; nothing wins where fewer than two replicates leave no spread to estimate.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from escapedim.comparison.statistics import LEVEL, PairedDifference, holm, paired_difference, standard_error
from escapedim.pruning.pruning_plan import CONTROLS
from escapedim.records.columns import Arm
from escapedim.records.results import Contrast, LotteryVerdict, Round

EPSILON = 1e-9  # accuracies are ratios of whole numbers: equality to the tolerance must not depend on rounding


def judge(rounds: Sequence[Round], tolerance: float) -> tuple[list[Round], LotteryVerdict]:
    """Return the rounds with their marks and contrasts, and the verdict over them."""
    dense = rounds[0].arms["dense"] if rounds else None
    accuracies = _by_replicate(rounds[0], dense) if rounds and dense else {}
    contrasts = {entry.round: _contrast(entry) for entry in rounds}
    tested = {number: pair for number, pair in contrasts.items() if pair and pair[1].p is not None}
    corrected = dict(zip(tested, holm([pair[1].p or 0.0 for pair in tested.values()]), strict=True))
    judged = [
        _marked(entry, _matches(entry, accuracies, tolerance), contrasts[entry.round], corrected.get(entry.round))
        for entry in rounds
    ]
    known = [value for value in accuracies.values() if value is not None]
    return judged, LotteryVerdict(
        last_matching_round=max((entry.round for entry in judged if entry.round and entry.matching), default=None),
        last_winning_round=max((entry.round for entry in judged if entry.winning), default=None),
        tolerance=tolerance,
        dense_test_accuracy=float(np.mean(known)) if known else None,
        dense_standard_error=standard_error(known),
    )


def _by_replicate(entry: Round, arm: Arm) -> dict[int, float | None]:
    if arm.test_accuracy is None:
        return {}
    return dict(zip(entry.replicates or range(len(arm.test_accuracy)), arm.test_accuracy, strict=True))


def _matches(entry: Round, dense: dict[int, float | None], tolerance: float) -> bool | None:
    """Compare a round's ticket with dense over the replicates that have both; None where none has."""
    if entry.round == 0 or not dense:
        return None
    tickets = _by_replicate(entry, entry.arms["ticket"])
    if None in tickets.values():
        return False
    gaps = [
        ticket - full
        for replicate, ticket in tickets.items()
        if ticket is not None and (full := dense.get(replicate)) is not None
    ]
    return bool(np.mean(gaps) >= -tolerance - EPSILON) if gaps else None


def _contrast(entry: Round) -> tuple[str, PairedDifference] | None:
    """Ticket minus the control with the highest mean, over the replicates in which neither diverged."""
    means = {
        name: float(np.mean(values))
        for name in CONTROLS
        if name in entry.arms
        and (values := [value for value in entry.arms[name].test_accuracy or [] if value is not None])
    }
    if not means:
        return None
    best = max(means, key=means.__getitem__)
    pairs = [
        (ticket, control)
        for ticket, control in zip(
            entry.arms["ticket"].test_accuracy or [], entry.arms[best].test_accuracy or [], strict=True
        )
        if ticket is not None and control is not None
    ]
    if not pairs:
        return None
    tickets, controls = zip(*pairs, strict=True)
    return best, paired_difference(tickets, controls)


def _marked(
    entry: Round, matching: bool | None, pair: tuple[str, PairedDifference] | None, p_holm: float | None
) -> Round:
    if pair is None:
        return entry.model_copy(update={"matching": matching})
    name, difference = pair
    above = None if p_holm is None else p_holm < 1 - LEVEL and difference.mean > 0
    contrast = Contrast(
        control=name,
        difference=difference.mean,
        standard_error=difference.standard_error,
        interval=difference.interval,
        p=difference.p,
        p_holm=p_holm,
    )
    winning = None if above is None else bool(matching and above)
    return entry.model_copy(update={"matching": matching, "winning": winning, "contrast": contrast})
