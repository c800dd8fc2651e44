"""Which gradient kernel takes a job: the first that does."""

from __future__ import annotations

from torch import Tensor

from escapedim.models.network import Network
from escapedim.training.kernels.autograd import Autograd
from escapedim.training.kernels.closed_form import ClosedForm
from escapedim.training.kernels.dense import Dense
from escapedim.training.kernels.full_batch import FullBatch
from escapedim.training.kernels.kernel import Gradient, Kernel
from escapedim.training.problems.problem import Problem

KERNELS: tuple[Kernel, ...] = (ClosedForm(), FullBatch(), Dense(), Autograd())
"""Hand-derived ones first: each is faster than those behind it wherever it takes a job."""


def kernel_of(network: Network, problem: Problem, whole: bool = False) -> Kernel:
    """Return the kernel for a network; `whole` are jobs whose members all see all samples at every step."""
    return next(kernel for kernel in KERNELS if kernel.takes(network, problem, whole))


def gradient_of(network: Network, problem: Problem, weights: Tensor | None = None, whole: bool = False) -> Gradient:
    """Return the fastest gradient that is known; `weights` `(samples,)` replace the mean over samples."""
    return kernel_of(network, problem, whole).gradient(network, problem, weights)
