from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from escapedim.models.conv import ConvNet
from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.models.network import Network
from escapedim.models.relu_student import ReluStudent
from escapedim.rewinding.alignment import aligned
from escapedim.rewinding.barriers import barriers
from escapedim.training.descent import descend
from escapedim.training.job import Job
from escapedim.training.problems import problem_of
from tests.training.plain import toy


def permuted(model: Network, row: torch.Tensor, orders: list[list[int]]) -> torch.Tensor:
    """The same function with the hidden units of every layer in another order."""
    result = row.clone()
    views = {name: view[0] for name, view in Layout(model.shapes).views(result[None]).items()}
    layers = [name.removesuffix(".weight") for name in model.shapes if name.endswith(".weight")]
    for layer, after, order in zip(layers, [*layers[1:], None], orders, strict=False):
        views[f"{layer}.weight"].copy_(views[f"{layer}.weight"][order].clone())
        if f"{layer}.bias" in views:
            views[f"{layer}.bias"].copy_(views[f"{layer}.bias"][order].clone())
        if after is not None:
            # By channel, where each has the values of its places one after the other.
            columns = views[f"{after}.weight"].unflatten(1, (len(order), -1))
            columns.copy_(columns[:, order].clone())
    return result


def drawn(model: Network, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(Layout(model.shapes).size, generator=generator, dtype=torch.float64)


MODELS = [
    MLP((3, 6, 2), "relu"),
    MLP((3, 5, 4, 2), "tanh"),
    MLP((2, 4, 4, 4, 3), "relu", bias=False),
    ReluStudent(3, 5),
    ConvNet((1, 4, 5), ((3, 4),), (5, 3), 2, "relu"),
    ConvNet((2, 5, 4), ((2, 3), (4,)), (3,), 3, "tanh"),
]


@pytest.mark.parametrize("samples", [0, 20])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
@settings(deadline=None, max_examples=15)
@given(data=st.data(), seed=st.integers(0, 1000))
def test_a_permuted_copy_is_brought_back_exactly(model, samples, data, seed):
    row, x = drawn(model, seed), torch.randn(samples, model.inputs, generator=torch.Generator().manual_seed(seed))
    orders = [data.draw(st.permutations(range(units))) for units in model.units]
    assert torch.equal(aligned(model, row, permuted(model, row, orders), x), row)


def test_units_that_no_sample_reaches_are_brought_back_too():
    model = MLP((2, 4, 1), "relu")
    row = drawn(model, 1)
    views = Layout(model.shapes).views(row[None])
    views["layer1.bias"][0, 1:3] = -100
    x = torch.rand(30, 2, dtype=torch.float64)
    assert torch.equal(aligned(model, row, permuted(model, row, [[3, 2, 1, 0]]), x), row)


@pytest.mark.parametrize("model", [MODELS[1], MODELS[-1]], ids=lambda model: model.name)
def test_alignment_permutes_and_changes_nothing_else(model):
    x = torch.randn(40, model.inputs, generator=torch.Generator().manual_seed(2)).double()
    one, other = drawn(model, 3), drawn(model, 4)
    found = aligned(model, one, other, x)

    def outputs(row):
        return model.apply({name: view[0] for name, view in Layout(model.shapes).views(row[None]).items()}, x)

    assert torch.allclose(outputs(found), outputs(other), rtol=0, atol=1e-12)
    assert sorted(found.tolist()) == sorted(other.tolist())
    assert (found - one).norm() < (other - one).norm()
    assert torch.equal(aligned(model, one, one, x), one)


def test_a_permuted_solution_has_a_barrier_before_alignment_and_none_after():
    problem = toy("cross-entropy", optimizer="adam", lr=0.05, steps=200, hidden=(8, 6), activation="relu")
    job = Job(problem.model, problem_of(problem.task), problem.recipe, problem.rows(1), None, [3])
    row = descend(job, problem.data, job.begin(), lambda members: False).params
    other = permuted(problem.model, row[0], [[3, 5, 1, 0, 7, 2, 4, 6], [5, 3, 0, 4, 1, 2]])[None]
    before = barriers(problem.model, problem.task, problem.data, row, other)
    after = aligned(problem.model, row[0], other[0], problem.data.train.x)[None]
    assert before.errors[0, 0] == before.errors[0, -1]
    assert before.barriers[0] > 0.1
    assert barriers(problem.model, problem.task, problem.data, row, after).barriers.tolist() == [0.0]


@pytest.mark.parametrize("value", [torch.nan, torch.inf, 1e200])
def test_a_network_that_diverged_is_left_as_it_is_or_at_least_permuted(value):
    model, x = MODELS[1], torch.randn(9, 3, dtype=torch.float64)
    one, other = drawn(model, 3), drawn(model, 4)
    other[2] = value
    found = aligned(model, one, other, x)
    assert len(found) == len(other)
    assert torch.equal(found.nan_to_num(7).sort().values, other.nan_to_num(7).sort().values)
