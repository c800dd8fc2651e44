from __future__ import annotations

import pytest
from pydantic import ValidationError

from escapedim.errors import BadInput
from escapedim.records.identity import role_of
from escapedim.widening.config import WidenConfig
from tests.training.plain import VALUES

BASE = {**{key: value for key, value in VALUES.items() if key != "hidden"}, "widths": (2, 3)}


def config(**changes: object) -> WidenConfig:
    return WidenConfig(**{**BASE, **changes})  # type: ignore[arg-type]


def test_every_field_declares_its_role():
    roles = {name: role_of(WidenConfig, name) for name in WidenConfig.model_fields}
    assert {name for name, role in roles.items() if role == "extendable"} == {"widths", "replicates"}
    assert {name for name, role in roles.items() if role == "operational"} == {"device", "jobs"}
    assert all(field.description for field in WidenConfig.model_fields.values())


READ = {
    "2:5,16": (2, 3, 4, 5, 16),
    "7": (7,),
    7: (7,),
    (3, "5:6"): (3, 5, 6),
}


@pytest.mark.parametrize("written", READ, ids=str)
def test_widths_are_read(written):
    assert config(widths=written).widths == READ[written]
    listed = list(written) if isinstance(written, tuple) else written
    assert config(widths=listed).widths == READ[written]


@pytest.mark.parametrize("written", ["3,2", "2,2", "0:3", "5:3", "-1", "2.5", "2,,3", "", [4, 3], [2.5], [True], None])
def test_widths_that_are_not_increasing_positive_integers_are_refused(written):
    with pytest.raises((BadInput, ValidationError), match=r"widths|integer|tuple"):
        config(widths=written)


@pytest.mark.parametrize(("written", "read"), [("mup:base=16", "mup"), ("ntk:base=4", "ntk:base=4"), ("mup", "mup")])
def test_a_parametrization_at_its_default_base_is_one_run(written, read):
    assert config(parametrization=written).parametrization == read


REFUSED = [
    ({"parametrization": "mupp"}, "did you mean 'mup'"),
    ({"parametrization": "ntk:base=0"}, "base must be a width of at least 1"),
    ({"parametrization": "ntk:base=1.5"}, "expected an integer"),
    ({"parametrization": "standard:base=4"}, "no parameters"),
    ({"replicates": 0}, "greater than or equal to 1"),
    ({"success": 0.9}, "valid string"),
    ({"replicates": True}, "not true or false"),
    ({"hidden": (3,)}, "hidden"),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED)
def test_what_cannot_be_is_refused(changes, message):
    with pytest.raises((BadInput, ValidationError), match=message):
        config(**changes)


def test_switches_are_true_or_false():
    assert config(lazy=True, lr_per_width=False, escape=False).lazy
