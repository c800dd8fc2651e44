"""From the text of `--task` to a task.

Tasks that take a path and tasks that take parameters have a table each; a new task is a module and a line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from escapedim.errors import BadInput, nearest
from escapedim.specs import Value, parse_spec, split_spec, take_params
from escapedim.tasks import digits, erf_channel, idx, life, mnist1d, npz, parity, relu_teacher, teacher, xor
from escapedim.tasks.base import Task

FROM_PATH: dict[str, Callable[[str], Task]] = {"idx": idx.load, "npz": npz.load}
WITH_PARAMETERS: dict[str, tuple[Mapping[str, Value], Callable[..., Task]]] = {
    "digits": ({}, digits.load),
    "mnist1d": ({}, mnist1d.load),
    relu_teacher.NAME: (relu_teacher.PARAMETERS, relu_teacher.load),
    teacher.NAME: (teacher.PARAMETERS, teacher.load),
    erf_channel.NAME: ({}, erf_channel.load),
    parity.NAME: (parity.PARAMETERS, parity.load),
    life.NAME: ({}, life.load),
    xor.NAME: ({}, xor.load),
}
"""Parameters with their defaults, and the function that takes all of them by name."""


_HINTS = {"mnist": "MNIST is read from its files: write idx:DIR (nothing is downloaded)."}
"""What is meant by names that are nearer to others."""


def load_task(text: str) -> Task:
    """Return the task that `digits`, `relu-teacher:k=10`, `idx:DIR` or `npz:FILE` names.

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
    if name not in WITH_PARAMETERS:
        hint = _HINTS.get(name) or nearest(name, [*WITH_PARAMETERS, *FROM_PATH])
        raise BadInput(f"{text!r:.80}: expected the name of a task, found '{name:.80}'; {hint}")
    parameters, load = WITH_PARAMETERS[name]
    return load(**take_params(parse_spec(text), parameters))
