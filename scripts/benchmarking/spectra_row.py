"""The row `spectra`: exact Hessian spectra of many small networks, against loops of other tools over networks.

The other tools are `torch.autograd.functional.hessian` and, where it is installed, curvlinops, whose operator makes
the matrix through SciPy; both leave the eigenvalues to LAPACK, as the tool does. All make the same matrices.
"""

from __future__ import annotations

import importlib
import importlib.util
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarking.plain_loop import plain_network
from benchmarking.setting import WidthSetting
from benchmarking.small_row import small_setting
from benchmarking.timing import Ratio, Scale, Spread, one_core, threads
from escapedim.errors import EscapedimError
from escapedim.landscape.dense import DenseSurface
from escapedim.landscape.spectrum import eigenvalues
from escapedim.models.layout import Layout

LOOPED = 10  # networks of a timing of a loop
TOLERANCE = 1e-9  # of matrices whose largest numbers are about 1
NO_CURVLINOPS = "curvlinops is not installed, and was left out; pip install curvlinops-for-pytorch brings it."

MakeHessian = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class SpectraLoop:
    """A tool's loop: milliseconds per network, and how many times longer it takes than the stack."""

    name: str
    network_ms: Spread
    ratio: Ratio


@dataclass(frozen=True)
class SpectraRow:
    """Milliseconds per network of Hessian and eigenvalues, in one thread on one core."""

    network: str
    parameters: int
    members: int
    samples: int
    core: int | None
    engine_ms: Spread
    loops: Sequence[SpectraLoop]


def measure_spectra(scale: Scale) -> SpectraRow:
    """Hold all matrices against each other, and time the sides in turns.

    Raises
    ------
    EscapedimError
        A tool's Hessian is another one.
    """
    setting = small_setting(1)
    rows = torch.stack([setting.initial(replicate) for replicate in range(scale.certify_members)])
    train = setting.data.train
    surface = DenseSurface(setting.model, setting.task.loss, train.x, train.targets, train.weights)
    loops = {"torch.autograd.functional.hessian": by_autograd(setting)}
    if importlib.util.find_spec("curvlinops") is not None:
        loops["curvlinops, through SciPy"] = by_curvlinops(setting)
    with threads(1), one_core() as core:
        for name, make in loops.items():
            _hold(name, make(rows[0]), surface.hessian(rows[:1])[0])
        turns = [
            {"engine": _stack_ms(surface, rows)} | {name: _loop_ms(make, rows) for name, make in loops.items()}
            for _ in range(scale.repeats)
        ]
    spreads = {side: Spread.of([turn[side] for turn in turns]) for side in turns[0]}
    engine = spreads["engine"]
    return SpectraRow(
        network=setting.model.name,
        parameters=Layout(setting.model.shapes).size,
        members=len(rows),
        samples=len(train.x),
        core=core,
        engine_ms=engine,
        loops=[SpectraLoop(name, spreads[name], Ratio.of(spreads[name], engine)) for name in loops],
    )


def by_autograd(setting: WidthSetting) -> MakeHessian:
    """Return what makes one network's Hessian by torch's function for it."""
    layout, train = Layout(setting.model.shapes), setting.data.train

    def loss(row: Tensor) -> Tensor:
        params = {name: view[0] for name, view in layout.views(row[None]).items()}
        return nn.functional.mse_loss(setting.model.apply(params, train.x), train.targets)

    def make(row: Tensor) -> Tensor:
        matrix: Tensor = torch.autograd.functional.hessian(loss, row)  # type: ignore[no-untyped-call]
        return matrix

    return make


def by_curvlinops(setting: WidthSetting) -> MakeHessian:
    """Return what makes one network's Hessian by curvlinops: its operator times the identity."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of parts of torch that its own dependencies use, and torch calls old
        curvlinops: Any = importlib.import_module("curvlinops")
    data = [(setting.data.train.x, setting.data.train.targets)]

    def make(row: Tensor) -> Tensor:
        network = plain_network(setting.model, row)
        params = list(network.parameters())
        operator = curvlinops.HessianLinearOperator(network, nn.MSELoss(), params, data, check_deterministic=False)
        return torch.from_numpy(operator.to_scipy() @ np.eye(len(row)))

    return make


def _stack_ms(surface: DenseSurface, rows: Tensor) -> float:
    began = time.perf_counter()
    eigenvalues(surface.hessian(rows))
    return 1e3 * (time.perf_counter() - began) / len(rows)


def _loop_ms(make: MakeHessian, rows: Tensor) -> float:
    began = time.perf_counter()
    for row in rows[:LOOPED]:
        torch.linalg.eigvalsh(make(row))
    return 1e3 * (time.perf_counter() - began) / len(rows[:LOOPED])


def _hold(name: str, other: Tensor, own: Tensor) -> None:
    difference = float((other - own).abs().max())
    if not difference <= TOLERANCE:
        raise EscapedimError(f"spectra: {name} makes another Hessian, off by {difference:.1e}; nothing was timed.")
