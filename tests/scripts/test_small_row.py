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


@pytest.mark.long
def test_without_jax_the_rest_is_measured(script, small_row, scale, monkeypatch):
    monkeypatch.setattr(script("benchmarking.jax_side").importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(small_row, "usable_cores", lambda: 2)
    row = small_row.measure_small(scale)
    assert (row.one_core.processes, row.all_cores.processes) == (1, 2)
    assert row.one_core.plain_threads == 1
    assert row.all_cores.plain_threads in (1, 2)
    for times in (row.one_core, row.all_cores):
        assert times.jax is None
        assert times.plain_ratio == script("benchmarking.timing").Ratio.of(times.plain_us, times.engine_us)
        assert len(times.engine_us.values) == len(times.plain_us.values) == 2


def test_one_usable_core_is_measured_once(script, small_row, scale, monkeypatch):
    monkeypatch.setattr(script("benchmarking.jax_side").importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(small_row, "usable_cores", lambda: 1)
    assert small_row.measure_small(scale).all_cores is None


@NEEDS_JAX
def test_the_better_program_of_jax_is_compared(small_row, scale, monkeypatch):
    monkeypatch.setattr(small_row, "usable_cores", lambda: 2)
    row = small_row.measure_small(scale)
    for times in (row.one_core, row.all_cores):
        assert [program.program for program in times.jax.programs] == ["vmap", "map"]
        best = min(program.net_step_us.median for program in times.jax.programs)
        assert times.jax.ratio.ratio == best / times.engine_us.median
