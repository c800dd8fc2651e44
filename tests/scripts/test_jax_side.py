import importlib.util

import numpy as np
import pytest
import torch

from escapedim.errors import EscapedimError

NEEDS_JAX = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed: the bench extra")


@pytest.fixture(scope="module")
def side(script):
    return script("benchmarking.jax_side")


@pytest.fixture(scope="module")
def small(script):
    return script("benchmarking.small_row").small_setting(2)


def test_without_jax_there_is_no_side(side, small, monkeypatch):
    monkeypatch.setattr(side.importlib.util, "find_spec", lambda name: None)
    with side.jax_side(small) as jax:
        assert jax is None


def test_the_end_of_its_process_is_said(side, small, monkeypatch):
    monkeypatch.setattr(side.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(side.sys, "executable", "false")
    with pytest.raises(EscapedimError, match="the process of JAX ended with code 1"), side.jax_side(small):
        pass


@NEEDS_JAX
def test_it_starts_from_the_same_weights_and_ends_with_its_context(side, small):
    with side.jax_side(small) as jax:
        for program in side.PROGRAMS:
            assert jax.compile(program, 0) > 0
            np.testing.assert_array_equal(jax.end(program, 0), torch.cat(small.stacks))
    assert jax._process.poll() is not None


@NEEDS_JAX
def test_an_error_in_its_process_is_said(side, small):
    with side.jax_side(small) as jax, pytest.raises(EscapedimError, match="KeyError"):
        jax.run("map", 3)
