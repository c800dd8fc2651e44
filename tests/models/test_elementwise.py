"""tanh and acos by NumPy against torch's, and what a member's bits depend on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from escapedim.models import elementwise
from escapedim.models.elementwise import acos_, tanh, tanh_

DTYPES = [torch.float64, torch.float32]
SIZES = [1e-30, 1e-8, 1e-3, 1.0, 30.0]
BY_NUMPY = ("TANH_BY_NUMPY", "ACOS_BY_NUMPY")


@pytest.fixture(params=[True, False], ids=["by numpy", "by torch"])
def _either(request, monkeypatch):
    for name in BY_NUMPY:
        monkeypatch.setattr(elementwise, name, request.param)


def draw(count: int, dtype: torch.dtype) -> torch.Tensor:
    return torch.randn(count, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)


@pytest.mark.usefixtures("_either")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
def test_tanh_is_torchs_but_for_rounding_of_its_own_size(size, dtype):
    z = size * draw(999, dtype)
    few = 6 * torch.finfo(dtype).eps
    torch.testing.assert_close(tanh(z), torch.tanh(z), rtol=few, atol=0)
    assert torch.equal(tanh_(z.clone()), tanh(z))
    assert torch.equal(tanh(-z), -tanh(z))


@pytest.mark.usefixtures("_either")
@pytest.mark.parametrize("dtype", DTYPES)
def test_acos_is_torchs_but_for_rounding_of_its_own_size(dtype):
    near = 1 - 10 ** -torch.linspace(0, 16, 200, dtype=torch.float64)
    cosines = torch.cat([near, -near, torch.tensor([1.0, -1.0, 0.0])]).to(dtype)
    few = 8 * torch.finfo(dtype).eps
    torch.testing.assert_close(acos_(cosines.clone()), torch.acos(cosines), rtol=few, atol=0)


@pytest.mark.usefixtures("_either")
def test_what_is_not_a_number_stays_so_and_far_ones_are_at_the_ends():
    far = torch.tensor([torch.nan, torch.inf, -torch.inf, 0.0, -0.0], dtype=torch.float64)
    expected = torch.tensor([torch.nan, 1.0, -1.0, 0.0, -0.0], dtype=torch.float64)
    torch.testing.assert_close(tanh(far), expected, rtol=0, atol=0, equal_nan=True)
    assert torch.equal(tanh(far)[3:].signbit(), far[3:].signbit())
    assert acos_(torch.tensor([torch.nan], dtype=torch.float64)).isnan().all()


@pytest.mark.usefixtures("_either")
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_number_has_the_same_bits_wherever_it_is(dtype):
    z = draw(300, dtype)
    cosines = z.clamp(-1, 1)
    whole, angles = tanh_(z.clone()), acos_(cosines.clone())
    for start in range(0, 40, 3):
        for length in (1, 7, 16, 33, 250):
            part = slice(start, start + length)
            assert torch.equal(tanh_(z[part].clone()), whole[part])
            assert torch.equal(acos_(cosines[part].clone()), angles[part])


@pytest.mark.usefixtures("_either")
def test_torch_differentiates_and_transforms_tanh():
    z = draw(5, torch.float64)
    torch.testing.assert_close(torch.func.vmap(tanh)(z), torch.tanh(z))
    torch.testing.assert_close(torch.func.vmap(torch.func.grad(tanh))(z), 1 - torch.tanh(z) ** 2)
    slope = torch.autograd.grad(tanh(z.requires_grad_()).sum(), z)[0]
    torch.testing.assert_close(slope, 1 - torch.tanh(z) ** 2)


def test_numpy_is_left_alone_where_it_cannot_tell_its_kernels(monkeypatch):
    monkeypatch.delattr(np.lib, "introspect", raising=False)
    assert not elementwise._has_kernels("tanh")


@pytest.mark.parametrize(("kernel", "taken"), [("X86_V4", True), ("baseline(X86_V2)", False)])
def test_numpy_is_taken_where_it_has_more_than_its_baseline(kernel, taken, monkeypatch):
    class Introspect:
        @staticmethod
        def opt_func_info(func_name, signature):
            return {"tanh": {kind: {"current": kernel, "available": kernel} for kind in ("ff", "dd")}}

    monkeypatch.setattr(np.lib, "introspect", Introspect, raising=False)
    assert elementwise._has_kernels("tanh") is taken
