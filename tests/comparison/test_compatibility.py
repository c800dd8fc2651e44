from __future__ import annotations

import pytest

from escapedim.comparison.compatibility import check
from escapedim.errors import BadInput

from .cases import lottery, widen


def test_one_task_and_recipe_may_be_compared_whatever_the_networks():
    assert check([("a", lottery()), ("b", widen(seed=3))], ()) == []


def test_what_differs_is_listed_with_its_values():
    named = [("a.json", lottery(lr=0.2, task="digits")), ("b.json", widen())]
    with pytest.raises(BadInput) as error:
        check(named, ())
    text = str(error.value)
    assert "task: digits in a.json, relu-teacher:k=6 in b.json" in text
    assert "lr: 0.2 in a.json, 0.1 in b.json" in text
    assert "--allow" not in text, "another task is another study"
    with pytest.raises(BadInput, match="expected some of model, activation"):
        check(named, ("task",))
    with pytest.raises(BadInput, match="permit it by --allow lr"):
        check([("a.json", lottery(lr=0.2)), ("b.json", widen())], ())
    with pytest.raises(BadInput, match=r"differ in task \("):
        check(named, ("lr",))


def test_a_permitted_difference_is_recorded():
    (allowed,) = check([("a", lottery(lr=0.2)), ("b", widen())], ("lr",))
    assert (allowed.key, allowed.values) == ("lr", ["0.2", "0.1"])
    assert check([("a", lottery()), ("b", widen())], ("lr",)) == []


def test_another_success_criterion_or_parametrization_is_another_study():
    for more in ({"success": "train_loss<=1e-6"}, {"parametrization": "mup"}, {"lazy": True}):
        with pytest.raises(BadInput, match=next(iter(more))):
            check([("a", lottery()), ("b", widen(**more))], ())


def test_another_family_of_networks_is_another_study_whatever_its_width():
    named = [("a", lottery(model="conv-2:width=4")), ("b", widen(model="conv-2"))]
    assert check(named, ()) == []
    with pytest.raises(BadInput, match=r"model: conv-2 in a, mlp in c\); .* permit it by --allow model"):
        check([named[0], ("c", widen())], ())


def test_an_unknown_key_is_refused():
    with pytest.raises(BadInput, match="did you mean 'steps'"):
        check([("a", lottery())], ("step",))


def test_other_data_under_the_same_path_are_another_study():
    def on(data: str | None):
        made = widen(task="npz:mine.npz")
        return made.model_copy(update={"provenance": made.provenance.model_copy(update={"data": data})})

    assert check([("a", on("0" * 64)), ("b", on("0" * 64))], ()) == []
    with pytest.raises(BadInput, match="data: 0000000000000000 in a, 1111111111111111 in b") as error:
        check([("a", on("0" * 64)), ("b", on("1" * 64))], ())
    assert "--allow" not in str(error.value)
    with pytest.raises(BadInput, match="expected some of"):
        check([("a", on("0" * 64)), ("b", on("1" * 64))], ("data",))
