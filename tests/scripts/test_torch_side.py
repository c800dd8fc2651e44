import pytest
import torch


@pytest.fixture(scope="module")
def torch_side(script):
    return script("benchmarking.torch_side")


@pytest.fixture(scope="module")
def small(script):
    return script("benchmarking.small_row").small_setting(10**6)


def test_torch_func_takes_the_steps_of_the_plain_loop(script, torch_side, small):
    plain_loop = script("benchmarking.plain_loop")
    network = plain_loop.plain_network(small.model, small.initial(0))
    plain_loop.plain_descend(small, network, 3)
    ended = torch_side.eager_side(small).end(3)
    assert ended.shape == (512, 97)
    torch.testing.assert_close(ended[0], plain_loop.as_row(network), rtol=0, atol=1e-13)
    assert torch_side.eager_side(small).run(1) > 0


def test_without_a_compiler_it_is_said_why(torch_side, monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(torch_side, "which", lambda name: None)
    assert torch_side.why_not_compiled() == "torch.compile was left out: there is no compiler of C++ here."
    monkeypatch.setattr(torch_side, "which", lambda name: f"/usr/bin/{name}")
    assert torch_side.why_not_compiled() == ""


def test_torch_func_and_the_floor_are_in_the_row(script, monkeypatch):
    small_row, timing = script("benchmarking.small_row"), script("benchmarking.timing")
    monkeypatch.setattr(script("benchmarking.jax_side").importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(small_row, "usable_cores", lambda: 1)
    row = small_row.measure_small(timing.Scale(repeats=2, net_steps=2, small_steps=1))
    times = row.one_core
    assert [other.name for other in times.others] == ["torch.func, vmap of grad", small_row.FLOOR]
    assert all(other.ratio == timing.Ratio.of(other.net_step_us, times.engine_us) for other in times.others)
    shown = " ".join(line for block in script("benchmarking.report").small_blocks(row) for line in block.lines)
    assert "torch.compile was left out: --compile measures it." in shown
