"""`parity:n=30,k=3,samples=0,seed=0`: the product of k of n random signs.

Sparse parity is the test case of parallel search: no subset of the right bits is better than another, gradients tell
little at the start, and wider networks find the subset sooner (Barak et al. 2022, arXiv 2207.08799; Edelman et al.
2023, arXiv 2309.03800). Inputs are uniform on ±1, the target is the product of the *first* k. The subset is fixed: the
initial weights of all inputs are alike, so no other one is easier or harder.

With samples=0 (the default) training is online: every step of every member has fresh samples, numbers of SplitMix64
(Steele, Lea & Flood 2014), of which any can be had without those before it. Success is a test error of at most 10 % on
4,000 other samples, drawn from the seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from escapedim.tasks.base import Array, Criterion, Split, Task
from escapedim.tasks.preparation import check_range

NAME = "parity"
PARAMETERS = {"n": 30, "k": 3, "samples": 0, "seed": 0}
TEST_SAMPLES = 4000  # a standard error of at most 0.8 points; ours
LARGEST = {"n": 64, "samples": 1_000_000, "seed": 2**32 - 1}
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True)
class FreshParity:
    """Fresh samples: bit i of number j of a seed's SplitMix64 is input i of its sample j."""

    n: int
    k: int

    def __call__(self, seeds: Sequence[int], step: int, batch: int) -> tuple[Array, Array]:
        """Return inputs `(seeds, batch, n)` and targets `(seeds, batch, 1)`, all ±1."""
        index = step * batch + np.arange(batch, dtype=np.uint64)
        numbers = splitmix64(np.array(seeds, np.uint64)[:, None], index)
        bits = (numbers[..., None] >> np.arange(self.n, dtype=np.uint64)) & np.uint64(1)
        x = 1 - 2 * bits.astype(np.int8)
        return x, product(x, self.k)


def splitmix64(seed: Array, index: Array) -> Array:
    """Number `index` (from 0 on) of the generator SplitMix64 that was started from `seed`, as uint64."""
    z = np.asarray(seed + (index + np.uint64(1)) * _GOLDEN)
    z = (z ^ (z >> np.uint64(30))) * _FIRST
    z = (z ^ (z >> np.uint64(27))) * _SECOND
    return np.asarray(z ^ (z >> np.uint64(31)))


def product(x: Array, k: int) -> Array:
    """Targets `(..., 1)`: the product of the first k inputs `(..., n)`."""
    return np.asarray(x[..., :k].prod(-1, keepdims=True, dtype=np.int8))


def load(n: int, k: int, samples: int, seed: int) -> Task:
    """Return the task: inputs `(samples, n)` and targets `(samples, 1)`, int8; empty where training is online.

    Raises
    ------
    BadInput
        A number is out of range.
    """
    check_range(NAME, "n", n, (2, LARGEST["n"]))
    check_range(NAME, "k", k, (1, n))
    check_range(NAME, "samples", samples, (0, LARGEST["samples"]))
    check_range(NAME, "seed", seed, (0, LARGEST["seed"]))
    random = np.random.default_rng(seed)
    test, train = (_draw(random, count, n, k) for count in (TEST_SAMPLES, samples))
    return Task(
        name=NAME,
        source="Barak et al. 2022, arXiv 2207.08799; Edelman et al. 2023, arXiv 2309.03800",
        train=train,
        validation=Split(test.x[:0], test.y[:0]),
        test=test,
        outputs=1,
        loss="squared",
        criterion=Criterion("test_accuracy", ">=", 0.9),
        recipe={
            "optimizer": "adam",
            "lr": 0.003,
            "batch_size": min(32, samples) if samples else 32,
            "steps": "3000it",
            "schedule": "constant",
            "dtype": "float32",
            "activation": "relu",
            "init": "he-normal",
        },
        architecture={"hidden": [100], "widths": "5,10,20,50,100"},
        identity={"name": NAME, "n": n, "k": k, "samples": samples, "seed": seed},
        signs=True,
        stream=None if samples else FreshParity(n, k),
    )


def _draw(random: np.random.Generator, count: int, n: int, k: int) -> Split:
    x = random.choice(np.array([-1, 1], np.int8), (count, n))
    return Split(x, product(x, k))
