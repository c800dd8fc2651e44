"""What a task fixes is refused, not ignored; what it does not have is said in one sentence."""

import pytest

from escapedim.cli.settings import Given, resolve
from escapedim.errors import BadInput
from escapedim.pruning.config import PruneConfig
from escapedim.pruning.experiment import prune_experiment
from escapedim.training.config import TrainConfig

TEACHER = {"task": "relu-teacher"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Given({**TEACHER, "activation": "tanh"}), "fixes it at relu, found 'tanh' (flag); leave it out."),
        (Given({**TEACHER, "activation": "no such"}), "fixes it at relu, found 'no such' (flag); leave it out."),
        (Given(TEACHER, ["optimizer=adam"]), "optimizer: the task relu-teacher fixes it at gd, found 'adam' (-o)"),
        (Given(TEACHER, ["optimizer=gd:momentum=0.9"]), "fixes it at gd, found 'gd:momentum=0.9' (-o)"),
        (Given({**TEACHER, "batch_size": "60"}), "batch_size: the task relu-teacher fixes it at full, found '60'"),
        (Given({**TEACHER, "dtype": "float32"}), "dtype: the task relu-teacher fixes it at float64, found 'float32'"),
        (Given(TEACHER, ["init=normal:std=3"]), "init: the task relu-teacher fixes it at lecun-normal"),
        (Given(TEACHER, preset="lenet-300-100"), "(preset lenet-300-100); leave it out."),
        (Given({"task": "erf-channel", "activation": "relu"}), "activation: the task erf-channel fixes it at erf"),
    ],
)
def test_another_value_is_refused(given, message):
    with pytest.raises(BadInput) as raised:
        resolve(TrainConfig, given)
    assert message in str(raised.value)


def test_a_yaml_file_is_no_way_round(tmp_path):
    file = tmp_path / "study.yaml"
    file.write_text("task: relu-teacher\nactivation: gelu\n")
    with pytest.raises(BadInput, match=r"fixes it at relu, found 'gelu' \(.*study.yaml\)"):
        resolve(TrainConfig, Given({}, file=file))


def test_the_same_value_may_be_repeated():
    given = Given({**TEACHER, "activation": "relu", "batch_size": "full"}, ["dtype=float64", "optimizer=gd"])
    settings = resolve(TrainConfig, given)
    assert settings.config == resolve(TrainConfig, Given(TEACHER)).config
    assert settings.sources["activation"] == "flag"


def test_what_is_not_fixed_is_free():
    config = resolve(TrainConfig, Given({**TEACHER, "lr": 0.05, "steps": "50it", "hidden": "9"})).config
    assert (config.lr, config.steps, config.hidden) == (0.05, "50it", (9,))


@pytest.mark.parametrize("task", ["relu-teacher", "erf-channel"])
def test_a_test_bed_takes_one_hidden_width(task):
    message = rf"hidden: the task {task} takes exactly one width, found 3,4 \(flag\); write --hidden 3\."
    with pytest.raises(BadInput, match=message):
        resolve(TrainConfig, Given({"task": task, "hidden": "3,4"}))


@pytest.mark.parametrize("setting", ["steps=2ep", "keep=1ep", "schedule=cosine:warmup=1ep"])
@pytest.mark.parametrize("task", ["relu-teacher", "parity"])
def test_without_a_training_set_there_are_no_epochs(task, setting):
    settings = resolve(TrainConfig, Given({"task": task}, [setting]))
    with pytest.raises(BadInput, match="ep: this task has no training set, and so no epochs"):
        settings.config.recipe(settings.task)


@pytest.mark.parametrize("setting", ["batch_size=full", "optimizer=gd"])
def test_fresh_samples_have_no_full_batch(setting):
    settings = resolve(TrainConfig, Given({"task": "parity"}, [setting]))
    with pytest.raises(BadInput, match="parity draws fresh samples at every step"):
        settings.config.recipe(settings.task)


def test_snip_needs_training_samples():
    settings = resolve(PruneConfig, Given({"task": "parity", "criterion": "snip"}))
    with pytest.raises(BadInput, match="criterion snip takes the gradient on the training samples"):
        prune_experiment(settings.config, settings.task)


@pytest.mark.parametrize(
    ("init", "message"),
    [
        ("normal:std=0", "std must be from 1e-06 to 1e\\+06, found 0"),
        ("normal:sd=2", "expected a parameter of 'normal', found sd=2; did you mean 'std'"),
        ("he-normal:std=2", "expected no parameters, found std=2"),
        ("gaussian", "expected one of glorot-normal"),
    ],
)
def test_an_initialisation_is_checked_with_its_parameters(init, message):
    with pytest.raises(BadInput, match=message):
        resolve(TrainConfig, Given({}, [f"init={init}"]))
