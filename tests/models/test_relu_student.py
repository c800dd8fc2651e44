import math

import pytest
import torch

from escapedim.models.families import Wanted
from escapedim.models.relu_student import ReluStudent
from escapedim.training.problems import PROBLEMS

STUDENT = ReluStudent(6, 8)


def test_only_incoming_weights_are_there_and_all_can_be_pruned():
    assert STUDENT.shapes == {"layer1.weight": (8, 6)}
    assert STUDENT.prunable == ("layer1.weight",)
    assert STUDENT.output_layer is None
    assert STUDENT.name == "relu-student 6-8"


def test_the_output_is_the_sum_of_the_units():
    x = torch.tensor([[1.0, 2.0], [-3.0, 0.5]])
    params = {"layer1.weight": torch.tensor([[1.0, 0.0], [0.0, -1.0], [1.0, 1.0]])}
    assert ReluStudent(2, 3).apply(params, x).tolist() == [[4.0], [0.0]]


def test_entries_are_drawn_with_variance_one_over_inputs():
    weights = ReluStudent(40, 900).init(torch.Generator().manual_seed(1))["layer1.weight"]
    assert weights.dtype == torch.float64
    assert 40 * (weights**2).mean().item() == pytest.approx(1, abs=6 * math.sqrt(2 / weights.numel()))


@pytest.mark.parametrize("hidden", [(), (4, 4)])
def test_there_is_one_hidden_layer_of_relu_units_whatever_is_wanted(hidden):
    wanted = Wanted(input_shape=(6,), outputs=1, activation="tanh", init="lecun-normal", bias=True)
    assert PROBLEMS["relu-teacher"].fully_connected(wanted, (8,)) == STUDENT
    assert STUDENT.groups[0].activation == "relu"
    with pytest.raises(ValueError, match="values to unpack"):
        PROBLEMS["relu-teacher"].fully_connected(wanted, hidden)
    with pytest.raises(ValueError, match="values to unpack"):
        STUDENT.resized(hidden)
