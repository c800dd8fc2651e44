"""The process of `jax_side`: gradient descent of many small networks as one writes it in JAX, asked line by line.

Every request and every answer is a line of JSON. The first request brings the work: initial weights `(members,
parameters)` in torch's order, samples and learning rate. Each later one asks for a number of steps of one program, and
is answered by its seconds, or by the compilation's where a program is new. An empty input ends the process.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

# JAX is no dependency of the tool: types of it are checked neither with it nor without it.
jax: Any = importlib.import_module("jax")
jnp: Any = importlib.import_module("jax.numpy")


def unflatten(rows: np.ndarray, units: int) -> list[np.ndarray]:
    """Incoming weights and biases, outgoing weights and bias of networks with one output."""
    members, parameters = rows.shape
    inputs = (parameters - 2 * units - 1) // units
    weight, bias, outgoing, offset = np.split(rows, np.cumsum([units * inputs, units, units]), axis=1)
    return [weight.reshape(members, units, inputs), bias, outgoing.reshape(members, 1, units), offset]


class Work:
    """The networks, and the programs that train them."""

    def __init__(self, rows: list[Any], units: int, x: list[Any], targets: list[Any], lr: float) -> None:
        samples, expected = jnp.array(x), jnp.array(targets)
        self._start = [jnp.array(part) for part in unflatten(np.array(rows), units)]
        self._compiled: dict[tuple[str, int], Callable[[Any], Any]] = {}

        def loss(params: Any) -> Any:
            weight, bias, outgoing, offset = params
            outputs = jnp.tanh(samples @ weight.T + bias) @ outgoing.T + offset
            return jnp.mean((outputs - expected) ** 2)

        def step(params: Any) -> Any:
            return jax.tree.map(lambda value, slope: value - lr * slope, params, jax.grad(loss)(params))

        def together(params: Any, steps: int) -> Any:
            return jax.lax.fori_loop(0, steps, lambda _, now: jax.vmap(step)(now), params)

        def one_by_one(params: Any, steps: int) -> Any:
            return jax.lax.map(lambda one: jax.lax.fori_loop(0, steps, lambda _, now: step(now), one), params)

        self._programs = {"vmap": together, "map": one_by_one}

    def compile(self, program: str, steps: int) -> dict[str, Any]:
        """Compile a program for a number of steps, and run it once."""
        began = time.perf_counter()
        compiled = jax.jit(self._programs[program], static_argnums=1).lower(self._start, steps).compile()
        seconds = time.perf_counter() - began
        jax.block_until_ready(compiled(self._start))
        self._compiled[program, steps] = compiled
        return {"seconds": seconds}

    def run(self, program: str, steps: int) -> dict[str, Any]:
        """Train from the initial weights, timed."""
        began = time.perf_counter()
        jax.block_until_ready(self._compiled[program, steps](self._start))
        return {"seconds": time.perf_counter() - began}

    def end(self, program: str, steps: int) -> dict[str, Any]:
        """Train from the initial weights; answer the parameters `(members, parameters)`."""
        ended = self._compiled[program, steps](self._start)
        return {"rows": np.concatenate([np.asarray(part).reshape(len(part), -1) for part in ended], 1).tolist()}


def main() -> None:
    """Answer until there are no more requests."""
    jax.config.update("jax_enable_x64", True)
    work = Work(**json.loads(sys.stdin.readline()))
    print(json.dumps({"version": jax.__version__}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        answer = getattr(work, request.pop("ask"))(**request)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
