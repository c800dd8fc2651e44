"""Rewind points: the steps of a run at which parameters are kept, and to which tickets may be rewound.

Kept by default: init, 1 %, 2 %, 5 %, 10 %, 20 %, 50 % and the end of round 0 (ours; the range in which late rewinding
was studied by Frankle et al. 2020). Points that fall on the same step are one.
"""

from __future__ import annotations

from collections.abc import Sequence

from escapedim.errors import BadInput
from escapedim.training.recipe import Recipe
from escapedim.training.steps import parse_point

DEFAULT_POINTS = ("init", "1%", "2%", "5%", "10%", "20%", "50%", "end")


def resolve_point(text: str, recipe: Recipe) -> int:
    """Return the step of a point such as `init`, `500it`, `2ep`, `1%` or `end`.

    Raises
    ------
    BadInput
        The point lies after the end of the run.
    """
    step = parse_point(text).resolve(recipe.steps_per_epoch, recipe.steps)
    if step > recipe.steps:
        raise BadInput(
            f"the point {text} is step {step:,}, after the end of the run at {recipe.steps:,}; choose an earlier one."
        )
    return step


def rewind_step(text: str, recipe: Recipe) -> int:
    """Return the step of a point from which there is something left to train; errors as in `resolve_point`."""
    step = resolve_point(text, recipe)
    if step == recipe.steps:
        raise BadInput(
            f"the rewind point {text} is the end of the run: nothing would be trained; choose an earlier one."
        )
    return step


def kept_steps(points: Sequence[str], recipe: Recipe) -> tuple[int, ...]:
    """Return the increasing steps at which parameters are kept: the default points and `points`."""
    return tuple(sorted({resolve_point(point, recipe) for point in (*DEFAULT_POINTS, *points)}))
