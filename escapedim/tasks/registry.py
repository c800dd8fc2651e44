"""From the text of `--task` to a task.

Tasks that take a path and tasks that take parameters have a table each; a new task is a module and a line. A task of a
package of one's own is an entry point `escapedim.tasks` that names a `Loader`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from escapedim import plugins
from escapedim.errors import BadInput, nearest
from escapedim.specs import Value, parse_spec, split_spec, take_params
from escapedim.tasks import digits, erf_channel, idx, life, mnist1d, npz, parity, relu_teacher, teacher, xor
from escapedim.tasks.base import Task


@dataclass(frozen=True)
class Loader:
    """How a task is made: its parameters with their defaults, and the function that takes all of them by name.

    `solved_by` gives the units of the smallest network that solves it, where that is known.
    """

    parameters: Mapping[str, Value]
    load: Callable[..., Task]
    solved_by: Callable[..., int] | None = None


GROUP = "escapedim.tasks"

FROM_PATH: dict[str, Callable[[str], Task]] = {"idx": idx.load, "npz": npz.load}
WITH_PARAMETERS: dict[str, Loader] = {
    "digits": Loader({}, digits.load),
    "mnist1d": Loader({}, mnist1d.load),
    relu_teacher.NAME: Loader(relu_teacher.PARAMETERS, relu_teacher.load, relu_teacher.teachers),
    teacher.NAME: Loader(teacher.PARAMETERS, teacher.load),
    erf_channel.NAME: Loader({}, erf_channel.load),
    parity.NAME: Loader(parity.PARAMETERS, parity.load),
    life.NAME: Loader({}, life.load),
    xor.NAME: Loader({}, xor.load),
}


_HINTS = {"mnist": "MNIST is read from its files: write idx:DIR (nothing is downloaded)."}
"""What is meant by names that are nearer to others."""


def load_task(text: str) -> Task:
    """Return the task that `digits`, `parity:n=20,k=2`, `idx:DIR` or `npz:FILE` names.

    Raises
    ------
    BadInput
        An unknown name (with the nearest known one), a parameter that the task does not have or that is out of range,
        or data that cannot be used.
    """
    name, rest = split_spec(text)
    if name in FROM_PATH:
        try:
            return FROM_PATH[name](rest)
        except OSError as error:
            raise BadInput(f"{text}: cannot read the data: {error.strerror}; check the path and its rights.") from None
    if name not in names():
        hint = _HINTS.get(name) or nearest(name, [*names(), *FROM_PATH])
        raise BadInput(f"{text!r:.80}: expected the name of a task, found '{name:.80}'; {hint}")
    loader = plugins.load(GROUP, name, WITH_PARAMETERS, Loader)
    return loader.load(**take_params(parse_spec(text), loader.parameters))


def solved_by(text: str) -> int | None:
    """Return the units of the smallest network that solves a task; None where they are not known."""
    with suppress(BadInput):
        spec = parse_spec(text)
        loader = WITH_PARAMETERS.get(spec.name)
        if loader is not None and loader.solved_by is not None:
            return loader.solved_by(**take_params(spec, loader.parameters))
    return None


def names() -> tuple[str, ...]:
    """Return the names of all tasks that take parameters."""
    return plugins.names(GROUP, WITH_PARAMETERS)
