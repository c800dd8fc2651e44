import pytest

from escapedim.landscape.vocabulary import Ending


def test_all_members_are_certified(script):
    scale = script("benchmarking.timing").Scale(repeats=1, certify_members=3)
    row = script("benchmarking.certify_row").measure_certify(scale)
    assert (row.members, row.network) == (3, "relu-student 10-10")
    assert row.net_steps > 0
    assert set(row.endings) <= {Ending.GLOBAL_MINIMUM.value, Ending.BAD_MINIMUM.value}
    assert sum(row.endings.values()) == pytest.approx(1)
