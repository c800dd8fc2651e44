"""The configuration of a training run: what options, YAML files and presets may say, checked at the door.

Every field declares its role for the run's identity (`records.identity`) and a description that serves as help and as
remedy. Defaults marked None come from the task, which owns the recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from escapedim.errors import BadInput
from escapedim.models.families import DEFAULT, family
from escapedim.models.families import names as families
from escapedim.models.layer_names import ACTIVATIONS, INITIALISATIONS, check_initialisation
from escapedim.specs import Spec, parse_spec, take_params
from escapedim.tasks.base import Task
from escapedim.training.optimizer_names import DTYPES, OPTIMIZERS, check_optimizer
from escapedim.training.points import kept_steps
from escapedim.training.recipe import Recipe
from escapedim.training.schedules import SCHEDULES, make_schedule
from escapedim.training.steps import parse_point, parse_steps

Value = Any
_UNITS = ("it", "ep", "%")
Role = Literal["scientific", "extendable", "operational"]


def field(role: Role, description: str, later: bool = False, **limits: Any) -> Any:
    """Declare a configuration field: its role, its help text, and its limits.

    One that came `later` is no part of a run's identity at its default: runs of earlier versions keep theirs.
    """
    default = limits.pop("default", ...)
    return Field(default, description=description, json_schema_extra={"role": role, "later": later}, **limits)


def _listed(value: Value) -> Value:
    """Read `300,100` and a lone number as lists."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")] if value.strip() else []
    return [value] if type(value) is int else value


def choice(known: tuple[str, ...]) -> Any:
    """Return a validator that refuses names that are not known, with the nearest one."""

    def check(value: Value) -> Value:
        if value not in known:
            from escapedim.errors import nearest

            raise ValueError(f"expected one of {', '.join(known)}; {nearest(str(value), known)}")
        return value

    return BeforeValidator(check)


def spec(known: dict[str, Any], check: Callable[[Mapping[str, Any]], None] = lambda params: None) -> Any:
    """Return a validator of `NAME[:key=value,...]` against known names, their parameters, and `check` of those.

    Parameters that have their default value are left out: `adam` and `adam:beta1=0.9` are one run.
    """

    def read(value: Value) -> Value:
        parsed = parse_spec(str(value))
        choice(tuple(known)).func(parsed.name)
        params = take_params(parsed, known[parsed.name])
        check(params)
        return str(Spec(parsed.name, {key: params[key] for key in params if params[key] != known[parsed.name][key]}))

    return BeforeValidator(read)


def _model(value: Value) -> Value:
    name = choice((DEFAULT, *families())).func(parse_spec(str(value)).name)
    return spec({name: {} if name == DEFAULT else dict(family(name).parameters)}).func(value)


Width = Annotated[int, Field(ge=1, le=1_000_000)]
Widths = Annotated[tuple[Width, ...], BeforeValidator(_listed)]
Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class TrainingConfig(BaseModel):
    """What train, prune, rewind and widen share. `switches` are the settings that are true or false."""

    switches: ClassVar[frozenset[str]] = frozenset()

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    task: str = field(
        "scientific",
        "what is learned: digits, mnist1d, relu-teacher:k=6, teacher, parity:n=30,k=3, life, xor, erf-channel, idx:DIR "
        "or npz:FILE",
        default="digits",
    )
    model: Annotated[str, BeforeValidator(_model)] = field(
        "scientific",
        "family of networks: mlp, or conv-2 with parameters as in conv-2:width=8",
        later=True,
        default=DEFAULT,
    )
    activation: Annotated[str, choice(ACTIVATIONS)] = field("scientific", f"activation: {', '.join(ACTIVATIONS)}")
    init: Annotated[str, spec(INITIALISATIONS, check_initialisation)] = field(
        "scientific", f"distribution of the initial weights: {', '.join(INITIALISATIONS)}, as in normal:std=3"
    )
    optimizer: Annotated[str, spec(OPTIMIZERS, check_optimizer)] = field(
        "scientific", f"{', '.join(OPTIMIZERS)}, with parameters as in sgd:momentum=0.9,nesterov=true"
    )
    lr: float = field("scientific", "learning rate", gt=0, le=1e30)
    schedule: Annotated[str, spec(SCHEDULES)] = field(
        "scientific",
        "learning-rate schedule: constant, cosine or step:at=50%/75%,factor=0.1, each with warmup=5%",
    )
    steps: str = field("scientific", "length of a run: 500it (steps) or 2ep (epochs)")
    batch_size: Annotated[int, Field(ge=1)] | Literal["full"] = field(
        "scientific", "samples a step (1 or more), or full"
    )
    dtype: Annotated[str, choice(DTYPES)] = field("scientific", "float32 or float64")
    keep: Names = field("scientific", "more points at which weights are kept, such as 500it,3%", default=())
    seed: int = field("scientific", "root seed", default=0, ge=0, lt=2**63)
    replicates: int = field("extendable", "repeats with other seeds", default=10, ge=1, le=1_000_000)
    device: Annotated[str, choice(("cpu", "cuda"))] = field("operational", "cpu or cuda", default="cpu")
    jobs: int = field("operational", "processes of one thread each", ge=1, le=4096)

    @classmethod
    def implied(cls, values: Mapping[str, Any], ranks: Mapping[str, int]) -> dict[str, Any]:
        """Return settings that follow from others; `ranks` say which settings were given with precedence.

        Gradient descent means full batches, unless a batch size was asked for at least as expressly.
        """
        optimizer = str(values.get("optimizer", ""))
        takes_all = optimizer.partition(":")[0] == "gd" and ranks["optimizer"] > ranks.get("batch_size", -1)
        return {"batch_size": "full"} if takes_all else {}

    @field_validator("*", mode="before")
    @classmethod
    def _true_and_false_are_for_switches(cls, value: Value, info: ValidationInfo) -> Value:
        if isinstance(value, bool) and info.field_name not in cls.switches:
            raise ValueError("expected a number or a text, not true or false")
        return value

    @field_validator("steps")
    @classmethod
    def _whole_run(cls, value: str) -> str:
        count = parse_steps(value)
        if count.unit == "%":
            raise ValueError("the length of a run is written 500it or 2ep, not as a share of itself")
        if count.value == 0:
            raise ValueError("a run has at least one step")
        return str(count)

    @field_validator("keep")
    @classmethod
    def _points_in_one_order(cls, points: tuple[str, ...]) -> tuple[str, ...]:
        counts = sorted(
            {parse_point(point) for point in points}, key=lambda count: (_UNITS.index(count.unit), count.value)
        )
        return tuple(map(str, counts))

    @model_validator(mode="after")
    def _gradient_descent_is_full_batch(self) -> TrainingConfig:
        if parse_spec(self.optimizer).name == "gd" and self.batch_size != "full":
            raise ValueError(
                "optimizer gd is full-batch gradient descent, with batch_size full; use sgd with a batch size"
            )
        return self

    def recipe(self, task: Task) -> Recipe:
        """Resolve units against the task's number of training samples, and check that the parts fit together.

        Raises
        ------
        BadInput
            A run without a step, a warm-up longer than the run, a kept point after its end, or epochs or full batches
            of a task that has none.
        """
        samples = len(task.train)
        batch = self._batch(task)
        recipe = Recipe(
            optimizer=parse_spec(self.optimizer),
            lr=self.lr,
            schedule=parse_spec(self.schedule),
            steps=parse_steps(self.steps).resolve(samples / batch if samples else 0.0),
            batch_size=batch,
            samples=samples,
            dtype=self.dtype,
            device=self.device,
        )
        make_schedule(recipe.schedule, recipe.steps, recipe.steps_per_epoch)
        kept_steps(self.keep, recipe)
        return recipe

    def _batch(self, task: Task) -> int:
        """Samples a step; 0 for a closed form."""
        if task.stream is None:
            return len(task.train) if self.batch_size == "full" else min(self.batch_size, len(task.train))
        if self.batch_size == "full":
            raise BadInput(
                f"batch_size: {task.name} draws fresh samples at every step, so that expected a number of them, "
                "found full; write --batch-size 32, and another optimizer than gd."
            )
        return self.batch_size


class NetworkConfig(TrainingConfig):
    """What train, prune and rewind share: one architecture."""

    hidden: Widths = field("scientific", "hidden widths of an mlp from 1 to 1000000, such as 300,100")

    @model_validator(mode="after")
    def _widths_of_the_family(self) -> NetworkConfig:
        if self.model == DEFAULT and not self.hidden:
            raise ValueError("hidden has at least one width, such as 100; give one")
        if self.model != DEFAULT and self.hidden:
            name = parse_spec(self.model).name
            raise ValueError(f"hidden is for mlp, model {name} has a width; write {name}:width=8, without hidden")
        return self


class TrainConfig(NetworkConfig):
    """Configuration of `escapedim train`."""
