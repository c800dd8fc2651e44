"""The configuration of `escapedim prune`, and the plan that it resolves to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, field_validator, model_validator

from escapedim.errors import nearest
from escapedim.pruning import criteria
from escapedim.pruning.pruning_plan import ARMS, PruningPlan
from escapedim.training.config import Names, NetworkConfig, Value, choice, field
from escapedim.training.points import rewind_step
from escapedim.training.recipe import Recipe

if TYPE_CHECKING:
    from escapedim.models.network import Network


def _criterion(value: Value) -> Value:
    return choice(criteria.names()).func(value)


class PruneConfig(NetworkConfig):
    """What a prune run adds to a training run. With `density` there is one round and no fraction."""

    rounds: int = field("extendable", "train-prune-rewind cycles after the dense round 0", default=10, ge=1, le=1000)
    fraction: float | None = field(
        "scientific",
        "share of the surviving weights that a round removes",
        default=0.2,
        gt=0,
        lt=1,
    )
    output_fraction: float | None = field(
        "scientific",
        "the same for the output layer; by default half",
        default=None,
        ge=0,
        lt=1,
    )
    density: float | None = field(
        "scientific",
        "prune once, down to this share of the weights",
        default=None,
        gt=0,
        lt=1,
    )
    scope: Literal["layer", "global"] = field("scientific", "layer or global", default="layer")
    granularity: Literal["weight", "unit"] = field("scientific", "weight or unit", default="weight")
    criterion: Annotated[str, BeforeValidator(_criterion)] = field(
        "scientific", f"what is worth keeping: {', '.join(criteria.CRITERIA)}", default="magnitude"
    )
    rewind_to: str = field("scientific", "point to rewind to: init, 500it, 2ep or 1%", default="init")
    arms: Names = field("scientific", f"arms to train: {', '.join(ARMS)}", default=ARMS)
    tolerance: float = field(
        "extendable",
        "how far below dense a matching ticket may be, as a share of accuracy",
        default=0.005,
        ge=0,
        lt=1,
    )

    @field_validator("arms")
    @classmethod
    def _known_arms_in_one_order(cls, arms: tuple[str, ...]) -> tuple[str, ...]:
        for arm in arms:
            if arm not in ARMS:
                raise ValueError(f"unknown arm {arm!r}; {nearest(arm, ARMS)}")
        if "ticket" not in arms or len(set(arms)) < len(arms):
            raise ValueError("arms must contain 'ticket', and each arm once")
        return tuple(sorted(arms, key=ARMS.index))

    @classmethod
    def implied(cls, values: Mapping[str, Any], ranks: Mapping[str, int]) -> dict[str, Any]:
        """Add what follows from density, fraction, scope and granularity.

        Of settings that exclude each other the more expressly given one stays; where they were given alike, both do,
        and the checks below refuse them.
        """

        def rank(*names: str) -> int:
            return max(ranks.get(name, -1) for name in names)

        made = super().implied(values, ranks)
        by_layer = (values.get("scope", "layer"), values.get("granularity", "weight")) == ("layer", "weight")
        one_shot = values.get("density") is not None
        if one_shot and rank("density") < rank("fraction", "output_fraction"):
            made["density"], one_shot = None, False
        if one_shot and rank("fraction", "output_fraction") < rank("density"):
            made |= {"fraction": None, "output_fraction": None}
        if one_shot and rank("rounds") < rank("density"):
            made["rounds"] = 1
        if not by_layer and rank("output_fraction") < rank("scope", "granularity"):
            made["output_fraction"] = None
        if by_layer and not one_shot and values.get("output_fraction") is None:
            made["output_fraction"] = _half(values.get("fraction", cls.model_fields["fraction"].default))
        return made

    @model_validator(mode="after")
    def _settings_fit_together(self) -> PruneConfig:
        if self.density is not None and (self.fraction, self.output_fraction) != (None, None):
            raise ValueError("density prunes once to a share of the weights; give either density or fraction")
        if self.density is not None and self.rounds != 1:
            raise ValueError("density prunes in one round; leave out rounds")
        if self.density is not None and self.granularity == "unit":
            raise ValueError("density counts weights; with granularity unit give fraction")
        if self.density is None and self.fraction is None:
            raise ValueError("give a fraction or a density")
        if self.output_fraction is not None and (self.scope, self.granularity) != ("layer", "weight"):
            raise ValueError("output_fraction needs scope layer and granularity weight; leave it out")
        return self

    def plan(self, model: Network, recipe: Recipe) -> PruningPlan:
        """Resolve to whole numbers and a step.

        Raises
        ------
        BadInput
            The rewind point is at or after the end of the run.
        """
        fraction = self.fraction or 0.0
        output = fraction if self.output_fraction is None else self.output_fraction
        fractions = {name: output if name == model.output_layer else fraction for name in model.prunable}
        return PruningPlan(
            rounds=self.rounds,
            fractions=fractions,
            density=self.density,
            scope=self.scope,
            granularity=self.granularity,
            criterion=self.criterion,
            arms=self.arms,
            rewind_step=rewind_step(self.rewind_to, recipe),
        )


def _half(fraction: Any) -> Any:
    """Half the rate for the output layer: the published convention (Frankle & Carbin 2019)."""
    try:
        return float(fraction) / 2
    except (TypeError, ValueError, OverflowError):
        return None  # not a number: the check of `fraction` itself says so
