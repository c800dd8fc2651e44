from __future__ import annotations

import inspect

import pytest

from escapedim.cli import main
from escapedim.pruning.config import PruneConfig
from escapedim.training.config import TrainConfig

NO_SETTING = {"preset", "config", "override", "out", "dry_run", "json", "quiet", "force"}


@pytest.mark.parametrize(("command", "model"), [(main.train, TrainConfig), (main.prune, PruneConfig)])
def test_every_option_is_a_setting_or_says_how_to_run(command, model):
    options = set(inspect.signature(command).parameters)
    assert options - NO_SETTING <= set(model.model_fields)


def test_every_setting_of_an_option_is_passed_on():
    settings = set(inspect.signature(main.prune).parameters) - NO_SETTING
    assert settings == main._TRAINING | main._PRUNING
    assert set(inspect.signature(main.train).parameters) - NO_SETTING == main._TRAINING


def test_options_of_the_design_exist():
    shared = "task activation seed replicates steps lr optimizer batch_size device dtype jobs out config preset"
    extra = "hidden rounds fraction output_fraction scope granularity criterion rewind_to keep density arms"
    options = set(inspect.signature(main.prune).parameters)
    assert set(f"{shared} {extra} dry_run json quiet force override".split()) <= options
