"""From the text of `--task` to a task.

Tasks without parameters and tasks that take a path have a table each; a new task is a module and a line.
"""

from __future__ import annotations

from collections.abc import Callable

from escapedim.errors import BadInput, nearest
from escapedim.specs import parse_spec, split_spec, take_params
from escapedim.tasks import digits, idx, npz
from escapedim.tasks.base import Task

EMBEDDED: dict[str, Callable[[], Task]] = {"digits": digits.load}
FROM_PATH: dict[str, Callable[[str], Task]] = {"idx": idx.load, "npz": npz.load}


def load_task(text: str) -> Task:
    """Return the task that `digits`, `idx:DIR` or `npz:FILE` names.

    Raises
    ------
    BadInput
        An unknown name (with the nearest known one), a parameter that the task does not have, or data that
        cannot be used.
    """
    name, rest = split_spec(text)
    if name in FROM_PATH:
        try:
            return FROM_PATH[name](rest)
        except OSError as error:
            raise BadInput(f"{text}: cannot read the data: {error.strerror}; check the path and its rights.") from None
    if name not in EMBEDDED:
        hint = nearest(name, [*EMBEDDED, *FROM_PATH])
        raise BadInput(f"{text!r}: expected the name of a task, found '{name}'; {hint}")
    take_params(parse_spec(text), {})
    return EMBEDDED[name]()
