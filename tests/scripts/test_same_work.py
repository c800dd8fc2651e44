import math
from contextlib import nullcontext

import pytest
import torch

from escapedim.errors import EscapedimError

NOTHING_TIMED = "they do not do the same work, and nothing was timed"


@pytest.fixture(scope="module")
def same_work(script):
    return script("benchmarking.same_work")


def test_both_sides_do_the_same_work(same_work):
    same_work.check_same_work()


@pytest.mark.parametrize(
    ("module", "name", "wrong"),
    [
        ("plain_loop", "apply_masks", lambda tensors, masks: None),
        ("plain_loop", "plain_masks", lambda plan, masks, scores: masks),
        ("plain_loop", "plain_train", lambda setting, network, order, steps, masks, fused=True: 1.0),
        ("same_work", "plain_train", lambda setting, network, order, steps, masks, fused=True: 1.0),
    ],
)
def test_different_work_of_the_plain_loop_is_found(script, same_work, monkeypatch, module, name, wrong):
    monkeypatch.setattr(script(f"benchmarking.{module}"), name, wrong)
    with pytest.raises(EscapedimError, match=NOTHING_TIMED):
        same_work.check_same_work()


def test_small_networks_do_the_same_work(same_work):
    same_work.check_same_small_work()


@pytest.mark.parametrize(
    ("module", "name", "wrong"),
    [
        ("same_work", "plain_descend", lambda setting, network, steps: 1.0),
        pytest.param("plain_loop", "LAYERS", {"tanh": torch.nn.Sigmoid}, marks=pytest.mark.long),
    ],
)
def test_different_work_on_small_networks_is_found(script, same_work, monkeypatch, module, name, wrong):
    monkeypatch.setattr(script(f"benchmarking.{module}"), name, wrong)
    with pytest.raises(EscapedimError, match=f"small networks: .*{NOTHING_TIMED}"):
        same_work.check_same_small_work()


@pytest.mark.long
@pytest.mark.parametrize("wrong", ["map", "vmap"])
def test_different_work_of_jax_is_found(script, same_work, monkeypatch, wrong):
    class Still:
        def compile(self, program, steps): ...

        def end(self, program, steps):
            setting = script("benchmarking.small_row").small_setting(steps)
            if program == wrong:
                return torch.cat(setting.stacks)
            return torch.cat([same_work._ended(setting, same_work.width_job(setting, rows)) for rows in setting.stacks])

    monkeypatch.setattr(same_work, "jax_side", lambda setting: nullcontext(Still()))
    with pytest.raises(EscapedimError, match=f"small networks, {wrong}: after 5 steps JAX and escapedim differ"):
        same_work.check_same_small_work()


def test_other_data_orders_of_the_engine_are_found(same_work, monkeypatch):
    job = same_work.engine_job
    monkeypatch.setattr(same_work, "engine_job", lambda setting, rows, own_orders: job(setting, rows, not own_orders))
    with pytest.raises(EscapedimError, match=f"a stack with one data order: .*{NOTHING_TIMED}"):
        same_work.check_same_work()


def test_parameters_that_are_not_numbers_differ(same_work):
    with pytest.raises(EscapedimError, match="differ by nan"):
        same_work._hold("a stack", torch.tensor([math.nan]), torch.tensor([math.nan]))
