"""Which network a configuration asks for on a task, and which runs it is."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from pydantic import ValidationError

from escapedim.errors import BadInput
from escapedim.models import families as families_module
from escapedim.models.conv import ConvNet
from escapedim.models.families import Family, Wanted
from escapedim.models.mlp import MLP
from escapedim.models.relu_student import ReluStudent
from escapedim.records.identity import run_id
from escapedim.tasks import digits, relu_teacher
from escapedim.training.config import TrainConfig
from escapedim.training.networks import network_of, network_of_width

from .plain import VALUES, toy_task

IMAGES = replace(toy_task(inputs=16), image_shape=(1, 4, 4))


def config(**changes) -> TrainConfig:
    return TrainConfig(**{**VALUES, **changes})


def convolutional(model: str = "conv-2:width=3", **changes) -> TrainConfig:
    return config(model=model, hidden=(), **changes)


def test_an_mlp_has_the_hidden_widths_that_are_asked_for():
    asked = config(hidden=(5, 7), activation="gelu", init="he-normal")
    assert network_of(asked, toy_task()) == MLP((4, 5, 7, 3), "gelu", "he-normal", True)
    assert network_of(asked, replace(toy_task(), bias=False)) == MLP((4, 5, 7, 3), "gelu", "he-normal", False)
    assert network_of(asked, IMAGES) == MLP((16, 5, 7, 3), "gelu", "he-normal", True)
    assert network_of_width(asked, toy_task(), 6) == MLP((4, 6, 3), "gelu", "he-normal", True)


def test_on_a_closed_form_it_is_the_network_of_that():
    asked = config(hidden=(5,), init="lecun-normal")
    assert network_of(asked, relu_teacher.load(3)) == ReluStudent(3, 5, "lecun-normal")
    assert network_of_width(asked, relu_teacher.load(3), 8) == ReluStudent(3, 8, "lecun-normal")


def test_a_family_is_found_by_its_name_and_has_the_width_that_is_asked_for():
    asked = convolutional(activation="tanh", init="he-normal")
    expected = ConvNet((1, 4, 4), ((3, 3),), (12, 12), 3, "tanh", "he-normal")
    assert network_of(asked, IMAGES) == expected
    assert network_of_width(asked, IMAGES, 5) == expected.resized([5, 5, 20, 20])
    assert network_of(convolutional("conv-2"), IMAGES).units == (64, 64, 256, 256)
    assert network_of(convolutional("conv-2"), digits.load()).input_shape == (1, 8, 8)


def test_a_family_of_another_package_is_given_what_is_wanted(monkeypatch):
    seen = []

    def build(wanted: Wanted, width: int, twist: float) -> MLP:
        seen.append((wanted, width, twist))
        return MLP((wanted.inputs, width, wanted.outputs), wanted.activation, wanted.init, wanted.bias)

    monkeypatch.setitem(families_module.BUILT_IN, "twisted", Family({"width": 9, "twist": 0.5}, build))
    wanted = Wanted((1, 4, 4), 3, "relu", "glorot-normal", True)
    assert network_of(convolutional("twisted:twist=2"), IMAGES) == MLP((16, 9, 3), "relu")
    assert network_of_width(convolutional("twisted:width=4"), IMAGES, 6).width == 6
    assert seen == [(wanted, 9, 2.0), (wanted, 6, 0.5)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "conv-2"}, "hidden is for mlp, model conv-2 has a width; write conv-2:width=8, without hidden"),
        ({"hidden": ()}, "hidden has at least one width, such as 100; give one"),
        ({"model": "conv2", "hidden": ()}, "expected one of mlp, conv-2; did you mean 'conv-2'?"),
        ({"model": "mlp:width=8"}, "'mlp:width=8': expected no parameters, found width=8; write 'mlp' alone."),
        ({"model": "conv-2:wdith=8", "hidden": ()}, "did you mean 'width'"),
        ({"model": "conv-2:width=wide", "hidden": ()}, "expected an integer for 'width', found wide"),
    ],
)
def test_what_does_not_fit_together_is_refused_by_the_configuration(changes, message):
    with pytest.raises((ValidationError, BadInput)) as raised:
        config(**changes)
    assert message in str(raised.value)


ROWS = "expected a task whose samples are images, found rows of numbers; write --model mlp."
LOW = replace(toy_task(), image_shape=(1, 1, 4))


@pytest.mark.parametrize(
    ("model", "task", "message"),
    [
        ("conv-2", toy_task(), f"--model conv-2 on toy: {ROWS}"),
        ("conv-2:width=8", toy_task(), f"--model conv-2:width=8 on toy: {ROWS}"),
        ("conv-2:width=0", IMAGES, "--model conv-2:width=0 on toy: expected a width of at least 1, found 0; write "
                                   "conv-2:width=8."),
        ("conv-2", LOW, "--model conv-2 on toy: expected images of 2x2 at least, found 1x4; write --model mlp."),
    ],
)  # fmt: skip
def test_a_family_refuses_a_task_in_one_sentence(model, task, message):
    with pytest.raises(BadInput) as raised:
        network_of(convolutional(model), task)
    assert str(raised.value) == message


def test_at_another_width_it_refuses_the_same():
    with pytest.raises(BadInput, match="found rows of numbers"):
        network_of_width(convolutional(), toy_task(), 3)
    with pytest.raises(BadInput, match="expected a width of at least 1, found 0"):
        network_of_width(convolutional(), IMAGES, 0)


# Identity.

EARLIER = "6283d5e77379c2be"
"""What `run_id` returned for `VALUES` before there were families."""


def test_a_run_of_an_mlp_has_the_identity_that_it_had_before_there_were_families():
    written = config(model="mlp").model_dump(mode="json")
    scientific = {name: written[name] for name in written if name not in ("model", "replicates", "device", "jobs")}
    text = json.dumps(
        {"kind": "train", "config": {**scientific, "task": {"name": "digits"}}}, sort_keys=True, separators=(",", ":")
    )
    expected = hashlib.sha256(text.encode()).hexdigest()[:16]
    assert expected == EARLIER
    for same in (config(), config(model="mlp")):
        assert run_id("train", same, {"name": "digits"}) == EARLIER


def test_another_network_is_another_run():
    asked = ["conv-2:width=8", "conv-2:width=9", "conv-2"]
    ids = [run_id("train", convolutional(model), {"name": "digits"}) for model in asked]
    assert len({EARLIER, *ids}) == 4
    assert run_id("train", convolutional("conv-2:width=64"), {"name": "digits"}) == ids[2]
