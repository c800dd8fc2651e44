import importlib.util

import pytest

NEEDS_JAX = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed: the bench extra")


@pytest.fixture(scope="module")
def small_row(script):
    return script("benchmarking.small_row")


@pytest.fixture
def scale(script):
    return script("benchmarking.timing").Scale(repeats=2, net_steps=2, small_steps=1)


def test_stacks_are_those_of_widen(small_row):
    setting = small_row.small_setting(2)
    sizes = [len(rows) for rows in setting.stacks]
    assert sum(sizes) == small_row.MEMBERS
    assert set(sizes[:-1]) == {small_row.stack_size(setting.model, setting.recipe)}
    assert (setting.recipe.samples, setting.recipe.batch_size) == (500, 500)


def test_without_jax_the_rest_is_measured(script, small_row, scale, monkeypatch):
    monkeypatch.setattr(script("benchmarking.jax_side").importlib.util, "find_spec", lambda name: None)
    row = small_row.measure_small(scale)
    assert row.jax is None
    assert row.plain_ratio == script("benchmarking.timing").Ratio.of(row.plain_us, row.engine_us)
    assert len(row.engine_us.values) == len(row.plain_us.values) == 2


@NEEDS_JAX
def test_the_better_program_of_jax_is_compared(small_row, scale):
    row = small_row.measure_small(scale)
    assert [times.program for times in row.jax.programs] == ["vmap", "map"]
    best = min(times.net_step_us.median for times in row.jax.programs)
    assert row.jax.ratio.ratio == best / row.engine_us.median
