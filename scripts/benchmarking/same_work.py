"""The oracle of the benchmark: all sides end with the same parameters.

They run a few steps in float64 before anything is timed. A comparison of speeds says nothing where one side trains on
other minibatches, leaves out a mask or prunes other weights.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from benchmarking.engine_side import engine_job, engine_prune, width_job
from benchmarking.jax_side import PROGRAMS, jax_side
from benchmarking.plain_loop import PlainPrune, as_row, plain_descend, plain_network, plain_train
from benchmarking.rounds_row import ROUNDS, Pruned, round_settings
from benchmarking.setting import Setting, WidthSetting
from benchmarking.small_row import small_setting
from benchmarking.timing import one_core, threads
from benchmarking.torch_side import eager_side
from escapedim.errors import EscapedimError
from escapedim.training.descent import descend
from escapedim.training.job import Job

CHECKED_STEPS = 5
TOLERANCE = 1e-9  # in float64, where lr is 1e-3 and an honest difference 1e-15


def check_same_work() -> None:
    """Hold both sides of `prune` and `steps` against each other, over a few steps in float64.

    Raises
    ------
    EscapedimError
        They end with different parameters.
    """
    setting = Setting.of(
        dtype="float64", steps=f"{CHECKED_STEPS}it", rounds=1, replicates=1, arms="ticket", device="cpu"
    )
    with threads(1):
        _hold("the last ticket", PlainPrune(setting).run()[0], engine_prune(setting)[0])
        _hold("a stack with one data order", *_both_stacks(setting, own_orders=False))
        _hold("a stack with own data orders", *_both_stacks(setting, own_orders=True))


def check_same_small_work() -> None:
    """Hold the plain loop and JAX, where it is installed, against the engine on all networks of the row `small`.

    Raises
    ------
    EscapedimError
        They end with different parameters.
    """
    setting = small_setting(CHECKED_STEPS)
    with threads(1), one_core(), jax_side(setting) as jax:
        engine = torch.cat([_ended(setting, width_job(setting, rows)) for rows in setting.stacks])
        _hold("small networks", _plain_ends(setting), engine)
        _hold("small networks", eager_side(setting).end(CHECKED_STEPS), engine, "torch.func")
        if jax is None:
            return
        for program in PROGRAMS:
            jax.compile(program, CHECKED_STEPS)
            _hold(f"small networks, {program}", jax.end(program, CHECKED_STEPS), engine, "JAX")


def check_same_rounds() -> None:
    """Hold the plain loop against the engine on pruned networks, of all densities and kinds of inputs.

    Raises
    ------
    EscapedimError
        They end with different parameters.
    """
    with threads(1), TemporaryDirectory() as folder:
        for inputs, setting in round_settings(Path(folder), dtype="float64", steps=f"{CHECKED_STEPS}it").items():
            for number in ROUNDS:
                pruned = Pruned.of(setting, number, members=2)
                ends = [_ended(setting, job) for job in pruned.jobs]
                _hold(f"round {number} with {inputs} inputs", _plain_pruned_ends(pruned, number), torch.cat(ends))


def _ended(setting: Setting | WidthSetting, job: Job) -> Tensor:
    return descend(job, setting.data, job.begin(), lambda members: False).params


def _plain_pruned_ends(pruned: Pruned, number: int) -> Tensor:
    setting, starts = pruned.setting, torch.cat([job.params for job in pruned.jobs])
    networks = [plain_network(setting.model, row) for row in starts]
    for replicate, network in enumerate(networks):
        masks = pruned.masks[replicate] if number else []
        plain_train(setting, network, setting.order(replicate, number), CHECKED_STEPS, masks)
    return torch.stack(list(map(as_row, networks)))


def _plain_ends(setting: WidthSetting) -> Tensor:
    networks = [plain_network(setting.model, row) for row in torch.cat(setting.stacks)]
    for network in networks:
        plain_descend(setting, network, CHECKED_STEPS)
    return torch.stack(list(map(as_row, networks)))


def _both_stacks(setting: Setting, own_orders: bool) -> tuple[Tensor, Tensor]:
    rows = torch.stack([setting.initial(member) for member in range(3)])
    networks = [plain_network(setting.model, row) for row in rows]
    for member, network in enumerate(networks):
        plain_train(setting, network, setting.order(member * own_orders, 0), CHECKED_STEPS, [])
    job = engine_job(setting, rows, own_orders)
    return torch.stack(list(map(as_row, networks))), _ended(setting, job)


def _hold(what: str, other: Tensor, engine: Tensor, side: str = "the plain loop") -> None:
    difference = float((other - engine).abs().max())
    if not difference <= TOLERANCE:
        raise EscapedimError(
            f"{what}: after {CHECKED_STEPS} steps {side} and escapedim differ by {difference:.1e}, "
            f"more than {TOLERANCE:.0e}: they do not do the same work, and nothing was timed."
        )
