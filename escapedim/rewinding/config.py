"""The configuration of `escapedim rewind`: what of a finished prune run is taken, and how it is trained anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, field_validator, model_validator

from escapedim.errors import nearest
from escapedim.rewinding.mode_names import COMPLEMENTS, END, FRESH, MODES, NONE
from escapedim.specs import parse_spec
from escapedim.training.config import Names, NetworkConfig, Value, Width, field
from escapedim.training.optimizer_names import decays
from escapedim.training.steps import parse_point
from escapedim.width_grammar import parse_widths


def _rounds(value: Value) -> Value:
    """Read `5,10`, `1:10`, a lone number, and lists of these."""
    parts = value if isinstance(value, list | tuple) else [value]
    if any(isinstance(part, bool) or not isinstance(part, int | str) for part in parts):
        raise ValueError("expected rounds from 1 on, such as 5,10")
    return parse_widths(",".join(map(str, parts)), "rounds")


def _known(names: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Return names in the order of `known`, each once; `none` alone is no name."""
    if tuple(names) == (NONE,):
        return ()
    for name in names:
        if name not in known:
            raise ValueError(f"expected some of {', '.join(known)}, or none, found {name!r}; {nearest(name, known)}")
    return tuple(sorted(set(names), key=known.index))


def _point(text: str, named: Sequence[str] = ()) -> str:
    """Return a point as it is written in one way."""
    if text in named:
        return text
    canonical = str(parse_point(text))
    return {"0it": "init", "0%": "init", "0ep": "init", "100%": "end"}.get(canonical, canonical)


class RewindConfig(NetworkConfig):
    """What a rewind run takes of a prune run beside its network and recipe."""

    switches: ClassVar[frozenset[str]] = frozenset({"instability", "replay"})

    source: str = field(
        "scientific", "the prune run that tickets come from, by identity and content", pattern=r"^[a-z0-9-]+$"
    )
    round: Annotated[tuple[Width, ...], BeforeValidator(_rounds)] = field(
        "scientific", "increasing rounds whose tickets are trained anew, such as 5,10"
    )
    to: Names = field("scientific", "points to rewind to: init, 500it, 2ep or 1%", min_length=1)
    retrain: Names = field(
        "scientific", f"retraining modes: {', '.join(MODES)}, or none", default=("weights", "lr", "finetune", "reinit")
    )
    weights_from: Names = field(
        "scientific", "further modes: where weights come from, a point, end or fresh", default=()
    )
    schedule_from: Names = field(
        "scientific", "further modes: from where the schedule continues, a point or end (at the last rate)", default=()
    )
    complement: Names = field(
        "scientific", f"what is around a ticket: {', '.join(COMPLEMENTS)}, or none", default=COMPLEMENTS
    )
    draws: int = field("scientific", "fresh complements of each ticket and scale", default=1, ge=1, le=1000)
    instability: bool = field("scientific", "true: barriers between copies under two data orders", default=True)
    replay: bool = field("scientific", "true: train round 0 again for points that were not kept", default=False)

    @field_validator("retrain")
    @classmethod
    def _modes(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return _known(names, MODES)

    @field_validator("complement")
    @classmethod
    def _complements(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return _known(names, COMPLEMENTS)

    @field_validator("to")
    @classmethod
    def _points(cls, points: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_point(point) for point in points))

    @field_validator("weights_from")
    @classmethod
    def _weights(cls, points: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_point(point, (END, FRESH)) for point in points))

    @field_validator("schedule_from")
    @classmethod
    def _clocks(cls, points: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_point(point, (END,)) for point in points))

    @model_validator(mode="after")
    def _the_cube_has_both_sides(self) -> RewindConfig:
        if bool(self.weights_from) != bool(self.schedule_from):
            given, missing = (
                ("weights_from", "schedule_from") if self.weights_from else ("schedule_from", "weights_from")
            )
            raise ValueError(f"{given} names one side of a retraining mode; give {missing} too, such as end")
        return self

    @model_validator(mode="after")
    def _something_is_trained(self) -> RewindConfig:
        if not (self.retrain or self.weights_from or self.complement or self.instability):
            raise ValueError("nothing is to be trained; leave retrain, complement or instability at its default")
        return self

    @model_validator(mode="after")
    def _frozen_weights_do_not_decay(self) -> RewindConfig:
        if "frozen" in self.complement and decays(parse_spec(self.optimizer)):
            raise ValueError("weight decay moves frozen weights; give --complement without frozen")
        return self


NOT_TAKEN = frozenset({"device", "jobs", "keep"})
"""Settings of a network's training that are those of the command that goes on with it."""


def rewind_base(origin: NetworkConfig, rewind_to: str, last: int, source: str) -> dict[str, object]:
    """Return what a rewind run takes of a prune run of `last` rounds, by the name of which it is known."""
    kept = NetworkConfig.model_fields.keys() - NOT_TAKEN
    base: dict[str, object] = {key: value for key, value in origin.model_dump(mode="json").items() if key in kept}
    base |= {"source": source, "round": sorted({max(1, last // 2), last}), "to": [rewind_to, "10%"]}
    # Always given, since a task means by it what widen measures; weights that decay cannot be frozen.
    return base | {
        "complement": [one for one in COMPLEMENTS if one != "frozen" or not decays(parse_spec(origin.optimizer))]
    }
