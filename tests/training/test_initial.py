import itertools

import pytest
import torch

from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.training.initial import drawn_row, initial_row, order_seed

MODEL = MLP((6, 5, 3), "relu")
OTHERS = [MLP((6, 4, 3), "relu"), MLP((6, 5, 3), "tanh"), MLP((6, 5, 5, 3), "relu")]


def numbers(row: torch.Tensor) -> set[float]:
    """The standard normal numbers behind a row of Glorot-normal weights, to 9 digits."""
    return {round(value, 9) for value in row.tolist() if value}


def standard(model: MLP, root: int = 0, replicate: int = 0) -> set[float]:
    named = Layout(model.shapes).split(initial_row(model, "float64", root, replicate).numpy())
    rows = [torch.from_numpy(w * ((sum(w.shape) / 2) ** 0.5)).flatten() for n, w in named.items() if "weight" in n]
    return numbers(torch.cat(rows))


@pytest.mark.parametrize("other", OTHERS, ids=lambda model: model.name)
def test_two_architectures_share_no_draw(other):
    mine, theirs = standard(MODEL), standard(other)
    assert len(mine) == 45
    assert not mine & theirs
    assert order_seed(MODEL, 0, 0, 0) != order_seed(other, 0, 0, 0)


def test_replicates_and_root_seeds_share_no_draw():
    draws = [standard(MODEL, root, replicate) for root in (0, 1) for replicate in (0, 1)]
    assert not any(one & other for one, other in itertools.combinations(draws, 2))


def test_every_round_of_every_replicate_has_its_own_data_order():
    seeds = {
        order_seed(MODEL, root, replicate, cycle) for root, replicate, cycle in itertools.product(range(4), repeat=3)
    }
    assert len(seeds) == 64


def test_every_dtype_starts_from_the_same_draw():
    double = initial_row(MODEL, "float64", 3, 4)
    assert double.dtype == torch.float64
    assert torch.equal(initial_row(MODEL, "float32", 3, 4), double.float())


def test_a_row_is_the_models_own_draw():
    params = MODEL.init(torch.Generator().manual_seed(9))
    row = Layout(MODEL.shapes).split(drawn_row(MODEL, "float64", 9).numpy())
    assert all(torch.equal(params[name], torch.from_numpy(row[name])) for name in params)
