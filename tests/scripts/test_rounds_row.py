import pytest
import torch

from escapedim.errors import EscapedimError


@pytest.fixture(scope="module")
def rounds_row(script):
    return script("benchmarking.rounds_row")


def test_rounds_are_pruned_by_the_tools_fractions_and_stacked_as_it_does(rounds_row, setting):
    ours = setting.of(hidden="30,20", rounds=4, device="cpu", steps="100it")
    pruned = rounds_row.Pruned.of(ours, 4, members=6)
    assert pruned.density == pytest.approx(0.8**4, abs=0.03)  # the output layer is pruned half as fast
    assert sum(len(job.params) for job in pruned.jobs) == 6
    masks = torch.cat([job.mask for job in pruned.jobs])
    params = torch.cat([job.params for job in pruned.jobs])
    assert (params[~masks] == 0).all()
    assert rounds_row.Pruned.of(ours, 0, members=2).jobs[0].mask is None


@pytest.mark.long
def test_every_round_is_held_against_the_plain_loop_and_round_0(script, rounds_row, monkeypatch):
    monkeypatch.setattr(rounds_row, "MEMBERS", 2)
    monkeypatch.setattr(rounds_row, "ROUNDS", (0, 1))
    timing = script("benchmarking.timing")
    rows = rounds_row.measure_rounds(timing.Scale(repeats=2, net_steps=1))
    assert [(row.inputs, row.round) for row in rows] == [
        (inputs, number) for inputs in ("64", "784, border", "784", "64, by units") for number in (0, 1)
    ]
    for dense, row in zip(rows[::2], rows[1::2], strict=True):
        assert row.ratio == timing.Ratio.of(row.plain_ms, row.engine_ms)
        assert row.default_ratio == timing.Ratio.of(row.default_ms, row.engine_ms)
        assert row.dense_ratio == timing.Ratio.of(dense.engine_ms, row.engine_ms)
        assert row.density < dense.density == 1
    shown = [line for block in script("benchmarking.report_more").rounds_blocks(rows) for line in block.lines]
    assert max(map(len, shown)) <= 80


def test_a_lost_mask_is_noticed(script, monkeypatch):
    same_work = script("benchmarking.same_work")
    monkeypatch.setattr(same_work, "ROUNDS", (0, 1))
    same_work.check_same_rounds()
    monkeypatch.setattr(script("benchmarking.plain_loop"), "apply_masks", lambda tensors, masks: None)
    with pytest.raises(
        EscapedimError, match="round 1 with 64 inputs: after 5 steps the plain loop and escapedim differ"
    ):
        same_work.check_same_rounds()
