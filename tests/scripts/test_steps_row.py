import pytest


@pytest.fixture(scope="module")
def steps_row(script):
    return script("benchmarking.steps_row")


def test_every_stack_is_held_against_the_plain_loop_of_its_turn(script, steps_row):
    timing = script("benchmarking.timing")
    rows = steps_row.measure_steps(timing.Scale(repeats=2, net_steps=6), [1, 3])
    assert [(row.members, row.steps) for row in rows] == [(1, 6), (3, steps_row.LEAST_STEPS)]
    for row in rows:
        for stack in (row.shared, row.own):
            assert len(row.plain_ms.values) == len(stack.net_step_ms.values) == 2
            assert 0 < stack.net_step_ms.min <= stack.net_step_ms.median <= stack.net_step_ms.max
            assert stack.ratio == timing.Ratio.of(row.plain_ms, stack.net_step_ms)
