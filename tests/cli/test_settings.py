from __future__ import annotations

import pytest

from escapedim.cli.settings import Given, presets, resolve
from escapedim.errors import BadInput
from escapedim.pruning.config import PruneConfig
from escapedim.training.config import TrainConfig
from escapedim.widening.config import WidenConfig


def test_each_layer_beats_the_one_before(tmp_path):
    file = tmp_path / "study.yaml"
    file.write_text("steps: 30it\nfraction: 0.3\nrounds: 4\n")
    given = Given({"rounds": 6}, ["rounds=5", "lr=2e-3"], file, "lenet-300-100")
    settings = resolve(PruneConfig, given)
    found = {key: (getattr(settings.config, key), settings.sources[key]) for key in settings.sources}
    assert found["seed"] == (0, "default")
    assert found["dtype"] == ("float32", "task digits")
    assert found["output_fraction"] == (0.1, "preset lenet-300-100")
    assert found["steps"] == ("30it", str(file))
    assert found["lr"] == (2e-3, "-o")
    assert found["rounds"] == (6, "flag")
    assert set(settings.sources) == set(PruneConfig.model_fields)


EXCLUDING = [
    (("density=0.1", "rounds=3"), "density prunes in one round"),
    (("density=0.1", "fraction=0.3"), "either density or fraction"),
    (("scope=global", "output_fraction=0.1"), "output_fraction needs scope layer"),
    (("optimizer=gd", "batch_size=10"), "optimizer gd is full-batch"),
]


@pytest.mark.parametrize(("items", "message"), EXCLUDING)
def test_overrides_that_exclude_each_other_are_refused_in_either_order(items, message):
    for given in (items, items[::-1]):
        with pytest.raises(BadInput, match=message):
            resolve(PruneConfig, Given({}, given))


def test_the_later_of_two_overrides_of_one_key_wins():
    assert resolve(PruneConfig, Given({}, ["lr=1e-3", "lr=2e-3"])).config.lr == 2e-3


@pytest.mark.parametrize("text", ["010", "0010", "1_0"])
def test_numbers_are_those_of_the_flags(tmp_path, text):
    file = tmp_path / "study.yaml"
    file.write_text(f"seed: {text}\n")
    for given in (Given({"seed": int(text)}), Given({}, [f"seed={text}"]), Given({}, file=file)):
        assert resolve(TrainConfig, given).config.seed == 10


def test_the_task_owns_the_recipe():
    config = resolve(TrainConfig, Given({})).config
    assert (config.optimizer, config.lr, config.batch_size, config.steps) == ("adam", 1.2e-3, 60, "1000it")
    assert (config.activation, config.init, config.hidden) == ("relu", "glorot-normal", (100,))


def test_output_layer_is_pruned_at_half_the_rate():
    assert resolve(PruneConfig, Given({"fraction": 0.3})).config.output_fraction == pytest.approx(0.15)


def test_output_fraction_is_not_made_up_where_it_has_no_meaning():
    assert resolve(PruneConfig, Given({"scope": "global"})).config.output_fraction is None


def test_density_replaces_the_fraction_of_a_preset():
    config = resolve(PruneConfig, Given({"density": 0.05}, preset="lenet-300-100")).config
    assert (config.rounds, config.fraction, config.output_fraction) == (1, None, None)


def test_gradient_descent_means_full_batches():
    assert resolve(TrainConfig, Given({"optimizer": "gd"})).config.batch_size == "full"


def test_a_preset_serves_train_too():
    assert resolve(TrainConfig, Given({}, preset="lenet-300-100")).config.steps == "50000it"


@pytest.mark.parametrize("name", presets())
def test_presets_are_valid(name):
    settings = resolve(PruneConfig, Given({}, preset=name))
    assert settings.config.recipe(settings.task).steps > 0


def test_yaml_aliases_do_not_blow_up_a_message(tmp_path):
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    file = tmp_path / "laughs.yaml"
    file.write_text("\n".join(lines).replace("a11:", "lr:").replace("a0:", "hidden:"))
    with pytest.raises(BadInput) as caught:
        resolve(PruneConfig, Given({}, file=file))
    assert len(str(caught.value)) < 600


FIXED = [
    (TrainConfig, {"task": "relu-teacher:k=4", "hidden": "4,4"}, r"takes exactly one width, found 4,4 .*--hidden 4"),
    (
        TrainConfig,
        {"task": "relu-teacher", "init": "he-normal"},
        "init: .* fixes it at lecun-normal, found 'he-normal'",
    ),
    (TrainConfig, {"task": "relu-teacher", "optimizer": "gd:momentum=0.9"}, "optimizer: .* fixes it at gd"),
    (WidenConfig, {"task": "erf-channel", "activation": "tanh"}, r"activation: .* fixes it at erf.*\(flag\)"),
    (WidenConfig, {"task": "erf-channel", "dtype": "half"}, "dtype: .* fixes it at float64"),
    (WidenConfig, {"hidden": 3}, "'hidden' is a setting of train and prune, this is widen"),
    (TrainConfig, {"widths": "2:3"}, "'widths' is a setting of widen, this is train"),
]


@pytest.mark.parametrize(("model", "flags", "message"), FIXED)
def test_what_a_task_fixes_is_refused_and_not_ignored(model, flags, message):
    with pytest.raises(BadInput, match=message):
        resolve(model, Given(flags))


def test_what_a_task_fixes_may_be_said_again():
    own = {"task": "erf-channel", "activation": "erf", "dtype": "float64", "batch_size": "full", "lr": 0.02}
    settings = resolve(WidenConfig, Given(own))
    assert (settings.config.lr, settings.sources["lr"]) == (0.02, "flag")
    assert settings.sources["widths"] == "task erf-channel"
