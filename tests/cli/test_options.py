from __future__ import annotations

import inspect
from pathlib import Path
from types import SimpleNamespace

import pytest

from escapedim.cli import main
from escapedim.cli.settings import Given
from escapedim.errors import BadInput
from escapedim.pruning.config import PruneConfig
from escapedim.rewinding.config import RewindConfig
from escapedim.training.config import TrainConfig
from escapedim.widening.config import WidenConfig

NO_SETTING = {"source", "preset", "config", "override", "out", "dry_run", "json", "quiet", "force"}


COMMANDS = {main.train: TrainConfig, main.prune: PruneConfig, main.widen: WidenConfig, main.rewind: RewindConfig}
each_command = pytest.mark.parametrize(("command", "model"), COMMANDS.items(), ids=[one.__name__ for one in COMMANDS])


@each_command
def test_every_option_is_a_setting_or_says_how_to_run(command, model):
    options = set(inspect.signature(command).parameters)
    assert options - NO_SETTING <= set(model.model_fields)


@each_command
def test_every_setting_of_an_option_is_passed_on(monkeypatch, command, model):
    settings = set(inspect.signature(command).parameters) - NO_SETTING
    given = {name: f"the {name}" for name in settings}
    seen: list[Given] = []

    def resolve(model: object, given: Given) -> None:
        seen.append(given)
        raise BadInput("enough is known.")

    monkeypatch.setattr("escapedim.cli.beginnings.begin", lambda name, source: SimpleNamespace(model=model, base=None))
    monkeypatch.setattr("escapedim.cli.settings.resolve", resolve)
    others = {"source": Path("lottery.json")} if command is main.rewind else {}
    with pytest.raises(BadInput, match="enough is known"):
        command(**given, **others, out=Path("other.json"))
    assert [one.flags for one in seen] == [given]


def test_options_of_the_design_exist():
    shared = "task activation seed replicates steps lr optimizer batch_size device dtype jobs out config preset"
    extra = "hidden rounds fraction output_fraction scope granularity criterion rewind_to keep density arms"
    options = set(inspect.signature(main.prune).parameters)
    assert set(f"{shared} {extra} dry_run json quiet force override".split()) <= options
