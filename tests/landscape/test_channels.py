"""The test bed with two channels and a line of duplicated units: told apart, with losses at infinity as by scipy."""

from __future__ import annotations

import pytest
import torch

from escapedim.landscape.channels import find_channels
from escapedim.landscape.endings import certify
from escapedim.landscape.vocabulary import Ending
from escapedim.models.mlp import MLP
from tests.landscape.networks import ErfBed, draw, limit_losses, surface

ON_THE_WAY = [[-3.3, -2.6, 6.0, -8.0], [0.62, 1.06, -2.8, 4.45]]  # towards the good and the bad channel
LINE = [1.39, 1.41, 0.9, 1.25]


@pytest.fixture(scope="module")
def bed() -> ErfBed:
    return ErfBed()


@pytest.fixture(scope="module")
def settled(bed) -> torch.Tensor:
    """Members a short descent after starts beside the two channels and the line."""
    torch.set_num_threads(1)
    starts = torch.tensor([*ON_THE_WAY, LINE], dtype=torch.float64)
    return bed.descend(starts, steps=5000, rate=0.1)


def test_both_channels_and_the_line_are_told_apart(bed, settled):
    found = certify(bed.surface, settled, None)
    assert found.ending.tolist() == [Ending.CHANNEL, Ending.CHANNEL, Ending.PLATEAU_SADDLE]
    assert found.limit_loss[:2] == pytest.approx(limit_losses(), rel=1e-7)
    assert (found.loss[:2] > found.limit_loss[:2]).all()


@pytest.mark.parametrize("flips", [(-1, 1), (1, -1), (-1, -1)])
def test_mirror_images_and_exchanged_units_end_alike(bed, settled, flips):
    signs = torch.tensor([*flips, *flips], dtype=torch.float64)
    mirrored, plain = certify(bed.surface, settled * signs, None), certify(bed.surface, settled, None)
    exchanged = certify(bed.surface, settled[:, [1, 0, 3, 2]], None)
    for other in (mirrored, exchanged):
        assert other.ending.tolist() == plain.ending.tolist()
        assert other.limit_loss[:2] == pytest.approx(plain.limit_loss[:2], rel=1e-9)


def test_the_good_channel_is_a_global_minimum_where_the_loss_says_so(bed, settled):
    assert certify(bed.surface, settled, 0.01).ending.tolist() == [
        Ending.GLOBAL_MINIMUM,
        Ending.CHANNEL,
        Ending.PLATEAU_SADDLE,
    ]


def test_a_channel_is_found_far_along_where_the_gradient_is_still(bed, settled):
    """In pair coordinates the same member at a thousandth of its distance: gradients of finite minima are no larger."""
    row = settled[1]
    middle, apart = (row[0] + row[1]) / 2, (row[0] - row[1]) / 2000
    total, big = row[2] + row[3], 1000 * (row[2] - row[3])
    far = torch.stack([middle + apart, middle - apart, (total + big) / 2, (total - big) / 2])[None]
    found = find_channels(bed.surface.units(far), bed.surface.loss(far))
    assert found.limit_loss.item() == pytest.approx(limit_losses()[1], rel=1e-7)


def test_units_that_are_close_but_pull_together_are_no_channel(bed):
    together = torch.tensor([LINE], dtype=torch.float64)
    assert not find_channels(bed.surface.units(together), bed.surface.loss(together)).found.any()


def test_drawn_members_end_in_the_two_channels_on_the_line_or_undecided(bed):
    found = certify(bed.surface, bed.descend(3 * draw(12, 4), steps=12_000, rate=0.1), None)
    assert set(found.ending) <= {Ending.CHANNEL, Ending.PLATEAU_SADDLE, Ending.UNDECIDED}
    ends = found.limit_loss[found.ending == Ending.CHANNEL]
    assert len(ends) >= 1
    assert all(min(abs(end - known) for known in limit_losses()) < 1e-8 for end in ends)


def test_relu_networks_are_not_searched():
    on, flat = surface(MLP((2, 4, 1), "relu"), "squared"), draw(3, 17)
    assert not find_channels(on.units(flat), on.loss(flat)).found.any()
