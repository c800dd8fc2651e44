"""The oracle of the benchmark: the plain loop and the engine end with the same parameters.

Both run a few steps in float64 before anything is timed. A comparison of speeds says nothing where one side trains on
other minibatches, leaves out a mask or prunes other weights.
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarking.engine_side import engine_job, engine_prune
from benchmarking.plain_loop import PlainPrune, as_row, plain_network, plain_train
from benchmarking.setting import Setting
from benchmarking.timing import threads
from escapedim.errors import EscapedimError
from escapedim.training.descent import descend

CHECKED_STEPS = 5
TOLERANCE = 1e-9  # in float64, where lr is 1e-3 and an honest difference 1e-15


def check_same_work() -> None:
    """Hold both sides of both rows against each other, over a few steps in float64.

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


def _both_stacks(setting: Setting, own_orders: bool) -> tuple[Tensor, Tensor]:
    rows = torch.stack([setting.initial(member) for member in range(3)])
    networks = [plain_network(setting.model, row) for row in rows]
    for member, network in enumerate(networks):
        plain_train(setting, network, setting.order(member * own_orders, 0), CHECKED_STEPS, [])
    job = engine_job(setting, rows, own_orders)
    return torch.stack(list(map(as_row, networks))), descend(
        job, setting.data, job.begin(), lambda members: False
    ).params


def _hold(what: str, plain: Tensor, engine: Tensor) -> None:
    difference = float((plain - engine).abs().max())
    if not difference <= TOLERANCE:
        raise EscapedimError(
            f"{what}: after {CHECKED_STEPS} steps the plain loop and escapedim differ by {difference:.1e}, "
            f"more than {TOLERANCE:.0e}: they do not do the same work, and nothing was timed."
        )
