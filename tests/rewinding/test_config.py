from __future__ import annotations

import pytest
from pydantic import ValidationError

from escapedim.errors import BadInput
from escapedim.records.identity import role_of
from escapedim.rewinding.config import RewindConfig
from tests.training.plain import VALUES

BASE = {**VALUES, "source": "lottery-0123456789abcdef-0123456789abcdef", "round": 3, "to": "init"}


def config(**changes: object) -> RewindConfig:
    return RewindConfig(**{**BASE, **changes})  # type: ignore[arg-type]


def test_every_field_declares_its_role():
    roles = {name: role_of(RewindConfig, name) for name in RewindConfig.model_fields}
    assert {name for name, role in roles.items() if role == "operational"} == {"device", "jobs"}
    assert {name for name, role in roles.items() if role == "extendable"} == {"replicates"}


READ = [
    ("round", "5,10", (5, 10)),
    ("round", "2:4", (2, 3, 4)),
    ("round", [1, "3"], (1, 3)),
    ("to", "0it,init,10%,500it", ("init", "10%", "500it")),
    ("to", ["2ep"], ("2ep",)),
    ("retrain", "reinit,weights", ("weights", "reinit")),
    ("retrain", "none", ()),
    ("complement", "frozen,masked,frozen", ("masked", "frozen")),
    ("complement", "none", ()),
]


@pytest.mark.parametrize(("key", "written", "read"), READ)
def test_lists_are_read_in_one_way(key, written, read):
    assert getattr(config(**{key: written}), key) == read


def test_the_cube_is_read():
    found = config(weights_from="end,fresh,100%,5it", schedule_from="end,init")
    assert (found.weights_from, found.schedule_from) == (("end", "fresh", "5it"), ("end", "init"))


REFUSED = [
    ({"round": "0"}, "rounds are increasing positive integers"),
    ({"round": "3,2"}, "rounds are increasing positive integers"),
    ({"round": True}, "not true or false|from 1 on"),
    ({"to": ""}, "at least 1"),
    ({"to": "soon"}, "500it"),
    ({"retrain": "weights,none"}, "expected some of weights, lr"),
    ({"complement": "scale:5"}, "did you mean"),
    ({"weights_from": "fresh"}, "give schedule_from too"),
    ({"schedule_from": "end"}, "give weights_from too"),
    ({"schedule_from": "fresh", "weights_from": "end"}, "500it"),
    ({"draws": 0}, "greater than or equal to 1"),
    ({"optimizer": "adamw"}, "weight decay moves frozen weights"),
    ({"optimizer": "sgd:weight_decay=0.1"}, "weight decay moves frozen weights"),
    ({"retrain": "none", "complement": "none", "instability": False}, "nothing is to be trained"),
    ({"source": "../x"}, "pattern"),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED)
def test_what_cannot_be_is_refused(changes, message):
    with pytest.raises((BadInput, ValidationError), match=message):
        config(**changes)


def test_decay_is_no_matter_where_nothing_is_frozen():
    assert config(optimizer="adamw", complement="redraw").complement == ("redraw",)
