"""The gradient of relu students in closed form (`tasks.relu_teacher_forms`)."""

from __future__ import annotations

import torch
from torch import Tensor

from escapedim.models.network import Network
from escapedim.tasks import relu_teacher_forms
from escapedim.training.kernels.kernel import Gradient, in_pairs
from escapedim.training.problems.closed_form import ReluTeacher, students
from escapedim.training.problems.problem import Problem

ANGLE = 7e-9  # seconds for the angle of two units, or of a unit and the teacher's


class ClosedForm:
    """Takes relu students of a relu teacher."""

    def takes(self, network: Network, problem: Problem, whole: bool) -> bool:
        """See `Kernel`."""
        return problem == ReluTeacher()

    def gradient(self, network: Network, problem: Problem, weights: Tensor | None) -> Gradient:
        """See `Kernel`; inputs and targets are not used."""

        def gradient(flat: Tensor, x: Tensor, targets: Tensor, out: Tensor) -> None:
            out.copy_(relu_teacher_forms.gradient(students(network, flat)).reshape(out.shape))

        return in_pairs(gradient)

    def step_s(self, network: Network, batch: int, dtype: torch.dtype) -> float:
        """See `Kernel`; there is no batch."""
        return ANGLE * network.width * (network.width + network.inputs)
