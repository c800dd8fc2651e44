"""The configuration of `escapedim widen`: from scratch, and from the members of a finished run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, field_validator, model_validator

from escapedim.errors import BadInput
from escapedim.models.families import DEFAULT
from escapedim.specs import parse_spec
from escapedim.training.config import TrainingConfig, Value, Width, Widths, field, spec
from escapedim.training.recipe import Recipe
from escapedim.training.steps import parse_steps
from escapedim.widening.embedding_names import EMBEDDINGS, check_embedding
from escapedim.width_grammar import parse_widths

PARAMETRIZATIONS: dict[str, dict[str, Any]] = {"standard": {}, "ntk": {"base": 16}, "mup": {"base": 16}}
"""The width at which all three are the same network is `base`: 16 is ours, in the middle of the default widths."""

PERTURBATIONS: dict[str, dict[str, Any]] = {"noise": {"size": 1e-4}, "direction": {"size": 1e-4}}
"""A random direction, or the most negative one where curvature is known; lengths relative to the weights (science)."""

NONE = "none"


def _widths(value: Value) -> Value:
    """Read `2:12,16,32`, a lone number, and lists of both."""
    parts = value if isinstance(value, list | tuple) else [value]
    if any(isinstance(part, bool) for part in parts):  # which pydantic would take for 1 and 0
        raise ValueError("expected integers, not true or false")
    if not all(type(part) is int or isinstance(part, str) for part in parts):
        return value
    return parse_widths(",".join(str(part) for part in parts))


def _widths_or_none(value: Value) -> Value:
    return () if value in (NONE, None, (), []) else _widths(value)


def _or_none(value: Value) -> Value:
    return None if value == NONE else value


def _base_is_a_width(params: Any) -> None:
    if params and params["base"] < 1:
        raise ValueError("base must be a width of at least 1")


def _size_is_small(params: Any) -> None:
    if not 0 < params["size"] <= 1:
        raise ValueError("size is the length of the perturbation over that of the weights, above 0 and at most 1")


class EmbeddingConfig(TrainingConfig):
    """What widening failed members takes, whether they come from this run or from another one."""

    success: str | None = field(
        "scientific", "another success criterion, such as train_accuracy>=0.99 or loss<=1e-6", default=None
    )
    by: int = field("scientific", "units that are added to a failed member", default=1, ge=1, le=1000)
    embedding: Annotated[str, spec(EMBEDDINGS, check_embedding)] = field(
        "scientific", "split:alpha=0.5, null, null:drawn=true or zero-in", default="split"
    )
    perturbation: Annotated[str, spec(PERTURBATIONS, _size_is_small)] = field(
        "scientific", "noise:size=1e-4, or direction:size=1e-4, along the most negative direction", default="noise"
    )
    layer: int = field("scientific", "hidden layer that grows, 1 being the first; 0: all of a family", default=1, ge=0)
    sources: int = field(
        "scientific", "failed members of a width that are widened, at most", default=40, ge=1, le=10**6
    )
    transient: Annotated[str | None, BeforeValidator(_or_none)] = field(
        "scientific", "steps for which failed members are wide before they are merged back: 500it or 10%", default=None
    )

    @field_validator("transient")
    @classmethod
    def _some_steps(cls, value: str | None) -> str | None:
        if value is None:
            return None
        count = parse_steps(value)
        if count.value == 0:
            raise ValueError("a transient takes at least one step")
        return str(count)

    @model_validator(mode="after")
    def _all_layers_are_those_of_a_family(self) -> EmbeddingConfig:
        if self.model == DEFAULT and not self.layer:
            raise ValueError("layer 0 grows all layers of a family of networks, and model mlp is none; write layer 1")
        return self

    @model_validator(mode="after")
    def _only_a_split_is_merged(self) -> EmbeddingConfig:
        if self.transient is not None and not self.embedding.startswith("split"):
            raise ValueError("transient merges the copies of a split back; use embedding split")
        return self

    def transient_steps(self, recipe: Recipe) -> int | None:
        """Return the steps of the transient, None without one.

        Raises
        ------
        BadInput
            It is shorter than a step, or longer than a run.
        """
        if self.transient is None:
            return None
        steps = parse_steps(self.transient).resolve(recipe.steps_per_epoch, recipe.steps)
        if not 1 <= steps <= recipe.steps:
            raise BadInput(
                f"transient: expected from 1 to {recipe.steps:,} steps, a whole run, found {self.transient}, which "
                f"is {steps:,}; write --transient 10%."
            )
        return steps


class WidenConfig(EmbeddingConfig):
    """What a run over widths adds to a training run: one hidden layer of each width, `replicates` members at each."""

    switches: ClassVar[frozenset[str]] = frozenset({"lazy", "lr_per_width", "escape", "step_halving"})

    widths: Annotated[tuple[Width, ...], BeforeValidator(_widths)] = field(
        "extendable", "increasing widths of one hidden layer, such as 2:12,16,32 (ranges include both ends)"
    )
    replicates: int = field("extendable", "members at each width", default=100, ge=1, le=1_000_000)
    parametrization: Annotated[str, spec(PARAMETRIZATIONS, _base_is_a_width)] = field(
        "scientific",
        "standard, ntk or mup, with the width at which they agree as in mup:base=16",
        default="standard",
    )
    lazy: bool = field("scientific", "true: only the outgoing weights train", default=False)
    lr_per_width: bool = field(
        "scientific",
        "true: each width takes the best of five learning rates, tried on members of their own",
        default=False,
    )
    escape: bool = field("scientific", "true: failed members of each width are widened and trained on", default=True)
    at: Annotated[tuple[Width, ...], BeforeValidator(_widths_or_none)] = field(
        "scientific", "widths at which isolation and complement are measured; none: all above their units", default=()
    )
    isolate: Annotated[tuple[Width, ...], BeforeValidator(_widths_or_none)] = field(
        "scientific",
        "numbers of units of the subnetworks that are trained alone, such as 7 or 6:7, or none",
        default=(),
    )
    subsets: int = field("scientific", "subnetworks of one size and member, at most", default=32, ge=1, le=100_000)
    complement: Annotated[Width | None, BeforeValidator(_or_none)] = field(
        "scientific", "units of the narrow networks that get fresh other units around them, or none", default=None
    )
    tickets: int = field("scientific", "winners, and losers, of the complement experiment, at most", default=40, ge=2)
    draws: int = field("scientific", "fresh surroundings, and retests, of each ticket", default=4, ge=1, le=1000)
    restarts: Annotated[Width | None, BeforeValidator(_or_none)] = field(
        "scientific", "narrow width whose best of k networks is held against wider ones, or none", default=None
    )
    step_halving: bool = field("scientific", "true: every member is trained again with half the step", default=False)

    @model_validator(mode="after")
    def _widths_are_the_width_of_a_family(self) -> WidenConfig:
        family = parse_spec(self.model)
        if "width" in family.params:
            raise ValueError(f"model has the widths of --widths; write model {family.name}, without width")
        return self

    @classmethod
    def implied(cls, values: Mapping[str, Any], ranks: Mapping[str, int]) -> dict[str, Any]:
        """Leave out experiments that were not asked for where they do not fit what was."""
        made = super().implied(values, ranks)
        odd = [name for name in ("lazy", "lr_per_width") if values.get(name) is True]
        if odd and max(ranks[name] for name in odd) > ranks.get("escape", -1):
            made["escape"] = False
        for name, none in _EXPERIMENTS.items():
            others = ("widths", *odd, *(("isolate", "complement") if name == "at" else ()))
            unasked = ranks.get(name, -1) < max(ranks.get(other, -1) for other in others)
            if unasked and (odd or not _fits(name, {**values, **made})):
                made[name] = none
        return made

    @model_validator(mode="after")
    def _experiments_have_their_widths(self) -> WidenConfig:
        narrow = {"isolate": self.isolate, **{name: self._units(name) for name in ("complement", "restarts")}}
        for name, units in narrow.items():
            above = [width for width in self.widths if units and width > min(units)]
            if units and not above:
                raise ValueError(f"{name} needs a width above {min(units)}, found widths up to {max(self.widths)}")
        for name in ("complement", "restarts"):
            missing = [units for units in self._units(name) if units not in self.widths]
            if missing:
                raise ValueError(
                    f"{name} starts from members of width {missing[0]}, which is not among the widths; add it"
                )
        return self._checked_at(narrow)

    def _units(self, name: str) -> tuple[int, ...]:
        units = getattr(self, name)
        return () if units is None else (units,)

    def _checked_at(self, narrow: Mapping[str, tuple[int, ...]]) -> WidenConfig:
        for width in self.at:
            if width not in self.widths:
                raise ValueError(f"at names the width {width}, which is not among the widths; add it or leave it out")
            for name in ("isolate", "complement"):
                if narrow[name] and min(narrow[name]) >= width:
                    raise ValueError(f"{name} is about fewer units than a network has, but at names width {width}")
        return self

    @model_validator(mode="after")
    def _experiments_have_one_rule(self) -> WidenConfig:
        wanted = [
            name for name in ("escape", "isolate", "complement", "transient", "step_halving") if getattr(self, name)
        ]
        if wanted and (self.lazy or self.lr_per_width):
            odd = "lazy" if self.lazy else "lr_per_width"
            raise ValueError(
                f"{wanted[0]} needs all weights trained at one learning rate; leave out {odd} or {wanted[0]}"
            )
        return self

    def wide(self, units: int) -> tuple[int, ...]:
        """Return the widths at which an experiment about so many units is measured."""
        return tuple(width for width in (self.at or self.widths) if width > units)


_EXPERIMENTS: dict[str, Any] = {"isolate": (), "complement": None, "restarts": None, "at": ()}
"""Settings by which a task has experiments of its own, and what leaves these out."""


def _fits(name: str, values: Mapping[str, Any]) -> bool:
    """Say whether the widths that were given have those that one of the task's own experiments needs."""
    try:
        widths, own = _widths(values["widths"]), _widths_or_none(values.get(name))
        if name == "at":
            narrow = [unit for one in ("isolate", "complement") for unit in _widths_or_none(values.get(one))[:1]]
            return set(own) <= set(widths) and all(unit < width for unit in narrow for width in own)
        return not own or (max(widths) > min(own) and (name == "isolate" or set(own) <= set(widths)))
    except (BadInput, ValueError, TypeError):
        return True  # the checks of the fields say what is wrong


class WidenFromConfig(EmbeddingConfig):
    """Failed members of a finished run, widened. `source` names that run and what it found."""

    source: str = field(
        "scientific", "the run that members come from, by identity and content", pattern=r"^[a-z0-9-]+$"
    )
    hidden: Widths = field("scientific", "hidden widths of the members of a train run", default=())
    widths: Annotated[tuple[Width, ...], BeforeValidator(_widths_or_none)] = field(
        "scientific", "widths of a widen run whose failed members are widened", default=()
    )
    parametrization: Annotated[str, spec(PARAMETRIZATIONS, _base_is_a_width)] = field(
        "scientific", "as in the run that members come from", default="standard"
    )
