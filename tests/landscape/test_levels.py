"""Clusters of equal loss: cut at gaps, one level of global minima, channels by their limit."""

from __future__ import annotations

import numpy as np
import pytest

from escapedim.landscape.levels import LossLevel, levels
from escapedim.landscape.vocabulary import Ending


def found(*members: tuple[Ending, float], limits=None, marginal=None, smallest=None, negative=None) -> list[LossLevel]:
    count = len(members)
    endings = np.empty(count, dtype=object)
    endings[:] = [ending for ending, _ in members]
    return levels(
        ending=endings,
        loss=np.array([loss for _, loss in members], dtype=float),
        limit_loss=np.full(count, np.nan) if limits is None else np.array(limits),
        marginal=np.zeros(count, bool) if marginal is None else np.array(marginal),
        smallest_eigenvalue=np.full(count, np.nan) if smallest is None else np.array(smallest),
        negative_directions=np.zeros(count, int) if negative is None else np.array(negative),
    )


BAD, SADDLE = Ending.BAD_MINIMUM, Ending.SADDLE


def test_losses_are_cut_at_gaps_and_counted():
    got = found((BAD, 0.5), (BAD, 0.2 + 1e-9), (BAD, 0.2), (SADDLE, 0.2))
    assert [(level.loss, level.members) for level in got] == [(0.2, 2), (0.2, 1), (0.5, 1)]
    assert [level.ending for level in got] == [BAD, SADDLE, BAD]


@pytest.mark.parametrize(("gap", "count"), [(0.5e-6, 1), (2e-6, 2)])
def test_a_gap_is_relative_to_the_loss(gap, count):
    for scale in (1e-2, 1.0, 1e4):
        assert len(found((BAD, scale), (BAD, scale * (1 + gap)))) == count


def test_near_zero_a_gap_is_absolute():
    assert len(found((BAD, 0.0), (BAD, 5e-10))) == 1
    assert len(found((BAD, 0.0), (BAD, 5e-9))) == 2


def test_global_minima_are_one_level_with_the_smallest_loss():
    got = found((Ending.GLOBAL_MINIMUM, 9e-4), (Ending.GLOBAL_MINIMUM, 1e-12))
    assert [(level.loss, level.members) for level in got] == [(1e-12, 2)]
    assert got[0].smallest_eigenvalue is None
    assert got[0].negative_directions is None


def test_channels_count_by_their_loss_at_infinity():
    got = found((Ending.CHANNEL, 0.3), (Ending.CHANNEL, 0.4), limits=[0.25, 0.25])
    assert [(level.loss, level.members) for level in got] == [(0.25, 2)]


def test_only_certified_endings_have_levels():
    others = [Ending.STALLED, Ending.DIVERGED, Ending.UNDECIDED]
    assert found(*((ending, np.nan) for ending in others)) == []


def test_a_level_has_the_lowest_curvature_and_any_members_flag():
    members = [(SADDLE, 1.0)] * 3
    (level,) = found(*members, marginal=[0, 1, 0], smallest=[-1.0, -3.0, -2.0], negative=[2, 2, 1])
    assert (level.smallest_eigenvalue, level.marginal, level.negative_directions) == (-3, True, 2)


def test_the_fifty_most_frequent_levels_are_kept():
    got = found(*((BAD, float(value)) for value in range(60)), (BAD, 59.0))
    assert len(got) == 50
    assert (got[0].loss, got[0].members) == (59.0, 2)
