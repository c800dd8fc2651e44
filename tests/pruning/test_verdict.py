from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from escapedim.pruning.verdict import judge
from escapedim.records.columns import Arm
from escapedim.records.results import Invariants, Round

HOLD = Invariants(
    survivors_equal_rewind_weights=True,
    masked_weights_zero=True,
    masks_nested=True,
    density_exact=True,
    no_layer_empty=True,
)
Accuracies = list[float | None]


def arm(accuracies: Accuracies | None, members: int = 3) -> Arm:
    """An arm with these test accuracies; None for an arm of a task without accuracy."""
    if accuracies is None:
        return Arm(train_loss=[0.1] * members, success=[True] * members)
    losses = [None if value is None else 1 - value for value in accuracies]
    return Arm(train_loss=losses, test_accuracy=accuracies, success=[value is not None for value in accuracies])


def make_round(number: int, replicates: list[int] | None = None, **arms: Accuracies | None) -> Round:
    made = {name: arm(accuracies) for name, accuracies in arms.items()}
    members = len(next(iter(made.values())).train_loss)
    return Round(
        round=number,
        density=0.8**number,
        surviving=round(1000 * 0.8**number),
        total=1000,
        layers=[],
        arms=made,
        invariants=HOLD,
        replicates=list(range(members)) if replicates is None else replicates,
    )


def judged(*rounds: Round, tolerance: float = 0.005):
    entries, verdict = judge(rounds, tolerance)
    assert verdict.tolerance == tolerance
    assert [
        entry.model_copy(update={"matching": None, "winning": None, "contrast": None}) for entry in entries
    ] == list(rounds)
    return entries, verdict


DENSE = make_round(0, dense=[0.97, 0.96, 0.95])

# Matching.

AT_THE_TOLERANCE = [
    ([0.97, 0.96, 0.95], [0.965, 0.955, 0.945], 0.005, True),
    ([0.9, 0.9, 0.9], [0.895, 0.895, 0.895], 0.005, True),
    ([349 / 360] * 3, [349 / 360, 349 / 360, 348 / 360], 1 / 1080, True),
    ([0.3, 0.1, 0.2], [0.2, 0.0, 0.1], 0.1, True),
    ([0.3, 0.1, 0.2], [0.2, 0.0, 0.1], 0.1 - 1e-6, False),
    ([0.97, 0.96, 0.95], [0.965, 0.955, 0.945 - 1 / 10_000], 0.005, False),
    ([0.97, 0.96, 0.95], [0.95, 0.96, 0.97], 0.0, True),
    ([0.97, 0.96, 0.95], [1.0, 0.96, 0.90], 0.005, False),
    ([0.97, 0.96, 0.95], [1.0, 1.0, 1.0], 0.0, True),
]


@pytest.mark.parametrize(("dense", "ticket", "tolerance", "matching"), AT_THE_TOLERANCE)
def test_matching_is_no_more_than_the_tolerance_below_the_dense_mean(dense, ticket, tolerance, matching):
    entries, verdict = judged(make_round(0, dense=dense), make_round(1, ticket=ticket), tolerance=tolerance)
    assert entries[1].matching is matching
    assert verdict.last_matching_round == (1 if matching else None)
    assert verdict.dense_test_accuracy == pytest.approx(np.mean(dense))


def test_dense_neither_matches_nor_wins():
    entries, verdict = judged(DENSE)
    assert (entries[0].matching, entries[0].winning, entries[0].contrast) == (None, None, None)
    assert (verdict.last_matching_round, verdict.last_winning_round) == (None, None)
    assert verdict.dense_test_accuracy == pytest.approx(0.96)


def test_a_ticket_that_diverged_does_not_match():
    entries, verdict = judged(DENSE, make_round(1, ticket=[1.0, 1.0, None], random=[0.5, 0.4, 0.6]))
    assert entries[1].matching is False
    assert not entries[1].winning
    assert verdict.last_matching_round is None


def test_replicates_whose_dense_network_diverged_are_left_out():
    dense = make_round(0, dense=[0.9, None, 0.8])
    entries, verdict = judged(dense, make_round(1, ticket=[0.9, 0.1, 0.8]), make_round(2, ticket=[0.9, 1.0, 0.7]))
    assert [entry.matching for entry in entries] == [None, True, False]
    assert verdict.dense_test_accuracy == pytest.approx(0.85)


def test_a_round_under_way_is_compared_over_its_own_replicates():
    """Replicate 1 alone is done: 0.96 against 0.96, not against the mean of all."""
    dense = make_round(0, dense=[0.99, 0.96, 0.99])
    entries, _ = judged(dense, make_round(1, replicates=[1], ticket=[0.96]), tolerance=0.0)
    assert entries[1].matching is True


def test_where_all_dense_networks_diverged_there_is_nothing_to_match():
    entries, verdict = judged(make_round(0, dense=[None, None]), make_round(1, ticket=[0.9, 0.9]))
    assert entries[1].matching is None
    assert not entries[1].winning
    assert verdict.dense_test_accuracy is None


def test_the_last_matching_round_is_the_last_of_all():
    tickets = ([0.97, 0.96, 0.95], [0.5, 0.5, 0.5], [0.97, 0.96, 0.95], [0.4, 0.4, 0.4])
    rounds = [make_round(number, ticket=ticket) for number, ticket in enumerate(tickets, start=1)]
    entries, verdict = judged(DENSE, *rounds)
    assert [entry.matching for entry in entries] == [None, True, False, True, False]
    assert verdict.last_matching_round == 3


# Winning.

TICKET = [0.97, 0.961, 0.952]
FAR_BELOW = [0.90, 0.889, 0.883]
JUST_BELOW = [0.968, 0.963, 0.949]


def test_a_winner_is_above_its_best_control():
    entries, verdict = judged(DENSE, make_round(1, ticket=TICKET, reinit=FAR_BELOW, random=[0.1, 0.3, 0.2]))
    contrast = entries[1].contrast
    expected = stats.ttest_rel(TICKET, FAR_BELOW)
    assert contrast.control == "reinit"
    assert contrast.difference == pytest.approx(np.mean(np.subtract(TICKET, FAR_BELOW)))
    assert (contrast.p, contrast.p_holm) == (pytest.approx(expected.pvalue), pytest.approx(expected.pvalue))
    assert tuple(contrast.interval) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert entries[1].winning is True
    assert verdict.last_winning_round == 1


def test_the_best_control_counts_and_not_the_easiest():
    arms = {"ticket": TICKET, "reinit": FAR_BELOW, "shuffle": JUST_BELOW, "random": FAR_BELOW}
    entries, verdict = judged(DENSE, make_round(1, **arms))
    assert entries[1].contrast.control == "shuffle"
    assert entries[1].winning is False
    assert verdict.last_winning_round is None


def test_a_ticket_below_its_control_does_not_win_however_small_p_is():
    entries, _ = judged(DENSE, make_round(1, ticket=TICKET, reinit=[0.99, 0.982, 0.971]))
    assert entries[1].contrast.p < 0.05
    assert entries[1].contrast.difference < 0
    assert entries[1].winning is False


def test_a_ticket_that_does_not_match_does_not_win():
    below = [value - 0.05 for value in TICKET]
    entries, _ = judged(DENSE, make_round(1, ticket=below, reinit=[value - 0.1 for value in FAR_BELOW]))
    assert entries[1].contrast.p < 0.05
    assert (entries[1].matching, entries[1].winning) == (False, False)


def test_one_replicate_leaves_winning_open():
    entries, verdict = judged(make_round(0, dense=[0.96]), make_round(1, ticket=[0.97], random=[0.5]))
    assert (entries[1].matching, entries[1].winning) == (True, None)
    assert entries[1].contrast.difference == pytest.approx(0.47)
    assert (entries[1].contrast.p, entries[1].contrast.p_holm, entries[1].contrast.interval) == (None, None, None)
    assert verdict.last_winning_round is None


def test_pairs_in_which_one_diverged_are_left_out():
    ticket, control = [0.97, 0.961, 0.952, 0.9], [0.9, None, 0.883, 0.85]
    entries, _ = judged(make_round(0, dense=[0.9] * 4), make_round(1, ticket=ticket, random=control))
    kept = [0, 2, 3]
    expected = stats.ttest_rel([ticket[n] for n in kept], [control[n] for n in kept])
    assert entries[1].contrast.p == pytest.approx(expected.pvalue)


def test_controls_that_all_diverged_are_no_controls():
    entries, _ = judged(DENSE, make_round(1, ticket=TICKET, random=[None] * 3))
    assert (entries[1].matching, entries[1].winning, entries[1].contrast) == (True, None, None)


def test_without_controls_nothing_wins():
    entries, verdict = judged(DENSE, make_round(1, ticket=TICKET))
    assert (entries[1].matching, entries[1].winning, entries[1].contrast) == (True, None, None)
    assert verdict.last_winning_round is None


def test_without_accuracy_there_is_no_verdict():
    entries, verdict = judged(make_round(0, dense=None), make_round(1, ticket=None, random=None))
    assert (entries[1].matching, entries[1].winning, entries[1].contrast) == (None, None, None)
    assert (verdict.last_matching_round, verdict.last_winning_round, verdict.dense_test_accuracy) == (None, None, None)


def test_without_rounds_there_is_no_verdict():
    entries, verdict = judged()
    assert entries == []
    assert (verdict.last_matching_round, verdict.last_winning_round, verdict.dense_test_accuracy) == (None, None, None)


def step_down(p_values: list[float]) -> list[float]:
    """Holm 1979, as in the textbook: the largest of (m - j + 1) p_(j) over the ranks up to one's own."""
    ordered = sorted(p_values)
    adjusted = [min(1.0, max((len(ordered) - j) * ordered[j] for j in range(rank + 1))) for rank in range(len(ordered))]
    return [adjusted[ordered.index(p)] for p in p_values]


accuracy = st.integers(300, 360).map(lambda right: right / 360)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.tuples(accuracy, accuracy), min_size=4, max_size=4), min_size=1, max_size=6))
def test_p_values_are_corrected_over_the_rounds(rounds):
    dense = make_round(0, dense=[0.0] * 4)  # so that every ticket matches
    entries, verdict = judged(
        dense,
        *(
            make_round(number, ticket=[pair[0] for pair in pairs], shuffle=[pair[1] for pair in pairs])
            for number, pairs in enumerate(rounds, start=1)
        ),
    )
    testable = [pairs for pairs in rounds if np.ptp([a - b for a, b in pairs]) > 1e-9]
    p_values = [float(stats.ttest_rel(*zip(*pairs, strict=True)).pvalue) for pairs in testable]
    corrected = iter(step_down(p_values))
    winners = []
    for number, (entry, pairs) in enumerate(zip(entries[1:], rounds, strict=True), start=1):
        if pairs not in testable:
            assert (entry.contrast.p_holm, entry.winning) == (None, None)
            continue
        expected = next(corrected)
        assert entry.contrast.p_holm == pytest.approx(expected, rel=1e-6)
        if not math.isclose(expected, 0.05, rel_tol=1e-6):
            wins = expected < 0.05 and sum(a - b for a, b in pairs) > 0
            assert entry.winning is wins
            winners += [number] * wins
    assert verdict.last_winning_round == max(winners, default=None)


def test_a_lone_winner_can_lose_to_the_correction():
    """The same round wins alone and does not among many that show nothing."""
    ticket, control = [0.97, 0.961, 0.952], [0.95, 0.949, 0.93]
    round_of = {"ticket": ticket, "random": control}
    p = stats.ttest_rel(ticket, control).pvalue
    assert 0.01 < p < 0.05
    assert judged(DENSE, make_round(1, **round_of))[0][1].winning is True
    others = [make_round(number, ticket=JUST_BELOW, random=TICKET) for number in range(2, 7)]
    entry = judged(DENSE, make_round(1, **round_of), *others)[0][1]
    assert entry.winning is False
    assert entry.contrast.p_holm == pytest.approx(6 * p)
