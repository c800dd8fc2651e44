from __future__ import annotations

import itertools
import re

import pytest

from escapedim.pruning.config import PruneConfig
from escapedim.pruning.pruning_plan import ARMS
from escapedim.records.identity import role_of, run_id
from escapedim.training.config import TrainConfig

BASE = {
    "hidden": [3],
    "activation": "relu",
    "init": "glorot-normal",
    "optimizer": "adam",
    "lr": 0.1,
    "schedule": "constant",
    "steps": "5it",
    "batch_size": 6,
    "dtype": "float32",
    "jobs": 1,
}
TASK = {"name": "digits"}


def identity(content=TASK, **changes) -> str:
    return run_id("lottery", PruneConfig.model_validate(BASE | changes), content)


@pytest.mark.parametrize("model", [TrainConfig, PruneConfig])
def test_every_field_declares_its_role(model):
    roles = {field: role_of(model, field) for field in model.model_fields}
    assert set(roles.values()) == {"scientific", "extendable", "operational"}
    assert {field for field, role in roles.items() if role == "operational"} == {"device", "jobs"}
    assert {field for field, role in roles.items() if role == "extendable"} <= {"rounds", "replicates", "tolerance"}


def test_is_sixteen_hex_digits():
    assert re.fullmatch("[0-9a-f]{16}", identity())


@pytest.mark.parametrize(
    "change", [{"jobs": 8}, {"device": "cuda"}, {"rounds": 3}, {"replicates": 9}, {"tolerance": 0.1}]
)
def test_does_not_depend_on_how_or_how_much(change):
    assert identity(**change) == identity()


@pytest.mark.parametrize(
    "change", [{"lr": 0.2}, {"seed": 1}, {"hidden": [4]}, {"fraction": 0.1}, {"arms": ["ticket"]}, {"keep": ["1it"]}]
)
def test_depends_on_what_is_computed(change):
    assert identity(**change) != identity()


def test_does_not_depend_on_the_order_in_which_arms_are_written():
    orders = {identity(arms=list(order)) for order in itertools.permutations(ARMS)}
    assert orders == {identity()}
    assert identity(arms="random,ticket") == identity(arms="ticket, random") != identity()


def test_does_not_depend_on_how_kept_points_are_written():
    assert identity(keep="3%,500it") == identity(keep="500it, 3%,500it") == identity(keep=["500 it", "3.0%"])
    assert identity(keep="3%,500it") != identity(keep="3%")


def test_data_enter_by_content_and_not_by_path():
    content = {"name": "npz", "data": "abc"}
    assert identity(content, task="npz:a.npz") == identity(content, task="npz:elsewhere/b.npz")
    assert identity(content) != identity(content | {"data": "abd"})


def test_kinds_differ():
    config = TrainConfig.model_validate(BASE)
    assert run_id("train", config, TASK) != run_id("lottery", config, TASK)
