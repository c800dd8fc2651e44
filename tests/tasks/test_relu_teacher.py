import pytest

from escapedim.errors import BadInput
from escapedim.tasks.registry import load_task


def test_the_published_recipe():
    task = load_task("relu-teacher:k=10")
    assert (task.recipe["optimizer"], task.recipe["lr"], task.recipe["dtype"]) == ("gd", 0.1, "float64")
    assert (task.architecture["hidden"], task.hidden_layers, task.bias, task.restarts) == ([10], 1, False, True)
    assert str(task.criterion) == "train_loss < 0.001"
    assert task.global_below == 1e-3


def test_it_has_no_samples_and_so_only_a_training_loss():
    task = load_task("relu-teacher:k=7")
    assert task.inputs == 7
    assert [len(part) for part in (task.train, task.validation, task.test)] == [0, 0, 0]
    assert task.measured == ("train_loss",)


def test_the_identity_holds_every_parameter():
    assert (
        load_task("relu-teacher").identity == load_task("relu-teacher:k=6").identity == {"name": "relu-teacher", "k": 6}
    )
    assert load_task("relu-teacher:k=7").identity != load_task("relu-teacher").identity


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("k=1", "relu-teacher: expected k from 2 to 50, found k=1; write relu-teacher:k=2."),
        ("k=51", "relu-teacher: expected k from 2 to 50, found k=51; write relu-teacher:k=50."),
        ("k=2.5", "expected an integer for 'k', found 2.5"),
        ("n=3", "expected a parameter of 'relu-teacher', found n=3; known: k"),
    ],
)
def test_other_parameters_are_one_sentence(text, message):
    with pytest.raises(BadInput) as raised:
        load_task(f"relu-teacher:{text}")
    assert message in str(raised.value)
