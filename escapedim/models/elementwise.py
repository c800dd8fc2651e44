"""tanh and acos of whole tensors: on the CPU by NumPy, where it has kernels for the vector registers of this processor.

torch leaves both to MKL, which on an AMD processor took five and four times as long: tanh was two thirds of a step of
small networks. Both round within two units in the last place, so values differ by rounding only; tanh is as exactly
odd, and a number's value depends neither on its place in a tensor nor on its neighbours: `kernels.kernel` builds on
that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


def _has_kernels(name: str) -> bool:
    """Say whether NumPy has more than its baseline for a function of float64 and float32; it cannot tell before 2.1."""
    introspect: Any = getattr(np.lib, "introspect", None)
    if introspect is None:
        return False
    found = introspect.opt_func_info(func_name=f"^{name}$", signature="float64|float32").get(name, {})
    return bool(found) and not any(kernel["current"].startswith("baseline") for kernel in found.values())


TANH_BY_NUMPY = _has_kernels("tanh")
ACOS_BY_NUMPY = _has_kernels("arccos")


def tanh(z: Tensor) -> Tensor:
    """Return tanh z; torch differentiates and transforms it as its own."""
    values = _array(z) if TANH_BY_NUMPY else None
    if values is None:
        return torch.tanh(z)
    out = torch.empty_like(z)
    np.tanh(values, out=out.numpy())
    return out


def tanh_(z: Tensor) -> Tensor:
    """Write tanh z over z, and return it."""
    values = _array(z) if TANH_BY_NUMPY else None
    if values is None:
        return z.tanh_()
    np.tanh(values, out=values)
    return z


def acos_(cosine: Tensor) -> Tensor:
    """Write the angles over cosines, none of them beyond ±1, and return them."""
    values = _array(cosine) if ACOS_BY_NUMPY else None
    if values is None:
        return cosine.acos_()
    np.arccos(values, out=values)
    return cosine


def _array(tensor: Tensor) -> np.ndarray | None:
    """Return the memory of a tensor; None on CUDA, and of one that is being differentiated or transformed."""
    if tensor.is_cuda:
        return None
    try:
        return tensor.numpy()
    except RuntimeError:
        return None
