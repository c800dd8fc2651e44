"""The problem of relu students and an orthonormal teacher (Safran & Shamir 2018), whose loss needs no samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from escapedim.landscape.relu_teacher import ReluTeacherSurface
from escapedim.landscape.surface import Surface
from escapedim.models.families import Wanted
from escapedim.models.network import Network
from escapedim.models.relu_student import ReluStudent
from escapedim.tasks import relu_teacher, relu_teacher_forms
from escapedim.tasks.base import Task
from escapedim.training.data import Samples
from escapedim.training.problems.problem import Scores, no_accuracy


@dataclass(frozen=True)
class ReluTeacher:
    """The closed form of `tasks.relu_teacher_forms`; a student's row of parameters is its incoming weights."""

    name: str = relu_teacher.NAME
    classifies: bool = False

    def fully_connected(self, wanted: Wanted, hidden: Sequence[int]) -> Network:
        """Return a student: the one fully connected net that the closed form is about."""
        (units,) = hidden
        return ReluStudent(wanted.inputs, units, wanted.init)

    def multiply_adds(self, network: Network, batch: int) -> float:
        """Multiply-adds of the products in one step of one network, which has no batch.

        The gradient of n students in k dimensions takes n²k for their angles, n²k + n² for their sums over students.
        The teacher's units are unit vectors, which take no product.
        """
        units = network.width
        return units * units * (2 * network.inputs + 1)

    def evaluate(self, network: Network, flat: Tensor, samples: Samples) -> Scores:
        """See `Problem`: the exact loss, and no accuracy."""
        # No loss is below 0, but the sum of its parts rounds to 1e-15 of them.
        return Scores(relu_teacher_forms.loss(students(network, flat).double()).clamp_min(0), no_accuracy(flat))

    def accuracy(self, network: Network, flat: Tensor, samples: Samples) -> Tensor:
        """There is none."""
        return no_accuracy(flat)

    def surface(self, network: Network, task: Task, device: str) -> Surface | str:
        """Return the closed form."""
        return ReluTeacherSurface(network.inputs)


def students(network: Network, flat: Tensor) -> Tensor:
    """View rows as incoming weights `(members, units, k)`."""
    return flat.view(len(flat), network.width, network.inputs)
