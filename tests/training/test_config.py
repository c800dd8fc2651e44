import pytest
from pydantic import ValidationError

from escapedim.errors import BadInput
from escapedim.records.identity import role_of
from escapedim.specs import Spec
from escapedim.training.config import TrainConfig, TrainingConfig

from .plain import VALUES, toy_task

ROLES = {"scientific", "extendable", "operational"}


def config(**changes):
    return TrainConfig(**{**VALUES, **changes})


def recipe(**changes):
    """23 training samples."""
    return config(**changes).recipe(toy_task())


@pytest.mark.parametrize("model", [TrainingConfig, TrainConfig])
def test_every_field_declares_its_role_and_says_what_it_is(model):
    assert {role_of(model, name) for name in model.model_fields} == ROLES
    assert all(field.description for field in model.model_fields.values())


def test_where_and_how_fast_is_operational_and_how_much_is_extendable():
    roles = {name: role_of(TrainConfig, name) for name in TrainConfig.model_fields}
    assert {name for name, role in roles.items() if role == "operational"} == {"device", "jobs"}
    assert {name for name, role in roles.items() if role == "extendable"} == {"replicates"}


# what was written: what it is read as
READ = {
    "hidden": [("300,100", (300, 100)), (300, (300,)), ([4, 5], (4, 5)), ("7", (7,))],
    "keep": [("500it,3%", ("500it", "3%")), ("", ()), (["1ep"], ("1ep",))],
    "steps": [("500it", "500it"), ("2.0ep", "2ep"), ("5e4it", "50000it"), ("2000000it", "2000000it")],
    "batch_size": [(60, 60), ("60", 60), ("full", "full")],
    "lr": [("1e-3", 1e-3), (1, 1.0)],
    "optimizer": [("sgd: nesterov=true , momentum=.9", "sgd:momentum=0.9,nesterov=true"), ("adam", "adam")],
    "schedule": [("cosine:warmup=5%", "cosine:warmup=5%")],
}


@pytest.mark.parametrize(("name", "text", "value"), [(name, *pair) for name, pairs in READ.items() for pair in pairs])
def test_settings_are_read(name, text, value):
    assert getattr(config(**{name: text}), name) == value


REFUSED = [
    ("activation", "rleu", "did you mean 'relu'"),
    ("init", "glorot", "expected one of glorot-normal, glorot-uniform, he-normal"),
    ("optimizer", "adm", "did you mean 'adam'"),
    ("optimizer", "sgd:momentun=0.9", "did you mean 'momentum'"),
    ("optimizer", "sgd:momentum=high", "expected a number for 'momentum', found high"),
    ("schedule", "cosin", "did you mean 'cosine'"),
    ("schedule", "constant:at=5%", "expected a parameter of 'constant', found at=5%"),
    ("dtype", "float16", "expected one of float32, float64"),
    ("device", "gpu", "expected one of cpu, cuda"),
    ("steps", "10%", "the length of a run is written 500it or 2ep, not as a share of itself"),
    ("steps", "500", "steps are written 500it (steps), 2ep (epochs) or 1% (of the run), found '500'."),
    ("lr", 0, "greater than 0"),
    ("lr", "nan", "finite number"),
    ("hidden", "", "hidden has at least one width, such as 100; give one"),
    ("hidden", "300,0", "greater than or equal to 1"),
    ("hidden", "300,x", "valid integer"),
    ("hidden", "3,,4", "valid integer"),
    ("optimizer", "adam:momentum=0.9", "momentum"),
    ("batch_size", 0, "greater than or equal to 1"),
    ("seed", -1, "greater than or equal to 0"),
    ("replicates", 0, "greater than or equal to 1"),
    ("jobs", 0, "greater than or equal to 1"),
    ("learning_rate", 1, "Extra inputs are not permitted"),
    ("optimizer", "gd", "optimizer gd is full-batch gradient descent, with batch_size full; use sgd"),
]


@pytest.mark.parametrize(("name", "value", "message"), REFUSED)
def test_what_does_not_fit_is_refused_with_its_reason(name, value, message):
    with pytest.raises((ValidationError, BadInput)) as raised:
        config(**{name: value})
    assert message in str(raised.value)


@pytest.mark.parametrize(
    "optimizer",
    [
        "sgd:nesterov=true",
        "sgd:momentum=-0.5",
        "sgd:momentum=0.9,weight_decay=-1",
        "adam:beta1=1.5",
        "adam:beta2=1",
        "adam:eps=-1e-8",
        "adamw:weight_decay=-0.1",
    ],
)
def test_parameters_that_the_optimizer_itself_would_refuse_are_refused_at_the_door(optimizer):
    with pytest.raises((ValidationError, BadInput)):
        config(optimizer=optimizer)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keep": "101it"}, "the point 101it is step 101, after the end of the run at 100; choose an earlier one."),
        ({"keep": "soon"}, "steps are written 500it"),
        ({"schedule": "cosine:warmup=100it"}, "a warm-up of 100 steps does not fit into a run of 100."),
        ({"schedule": "step:at=half"}, "steps are written 500it"),
    ],
)
def test_what_does_not_fit_the_run_is_refused(changes, message):
    with pytest.raises(BadInput) as raised:
        recipe(**changes)
    assert message in str(raised.value)


@pytest.mark.parametrize("steps", ["0it", "0ep"])
def test_a_run_without_a_step_is_refused(steps):
    with pytest.raises((ValidationError, BadInput)):
        recipe(steps=steps)


def test_a_recipe_is_plain_numbers():
    made = recipe(optimizer="sgd:momentum=0.9", steps="2ep", batch_size=6, schedule="cosine")
    assert (made.steps, made.batch_size, made.samples) == (8, 6, 23)
    assert (made.optimizer, made.schedule) == (Spec("sgd", {"momentum": 0.9}), Spec("cosine"))
    assert (made.lr, made.dtype) == (1.2e-3, "float32")


@pytest.mark.parametrize(("batch", "size", "steps"), [("full", 23, 3), (23, 23, 3), (1000, 23, 3), (1, 1, 69)])
def test_a_batch_is_never_larger_than_the_data(batch, size, steps):
    made = recipe(batch_size=batch, steps="3ep")
    assert (made.batch_size, made.steps) == (size, steps)


# settings by precedence, later ones over earlier ones: what follows from them
IMPLIED = [
    ([{"optimizer": "adam", "batch_size": 60}], {}),
    ([{"optimizer": "adam", "batch_size": 60}, {"optimizer": "gd"}], {"batch_size": "full"}),
    ([{"optimizer": "adam", "batch_size": 60}, {"optimizer": "gd:momentum=0.5"}], {"batch_size": "full"}),
    ([{"optimizer": "adam", "batch_size": 60}, {"optimizer": "gd", "batch_size": 30}], {}),
    ([{"optimizer": "adam"}, {"optimizer": "gd"}, {"batch_size": 30}], {}),
    ([{"optimizer": "gd"}], {"batch_size": "full"}),
]


@pytest.mark.parametrize(("layers", "implied"), IMPLIED)
def test_gradient_descent_implies_full_batches_unless_a_size_was_asked_for(layers, implied):
    values = {key: value for layer in layers for key, value in layer.items()}
    ranks = {key: rank for rank, layer in enumerate(layers) for key in layer}
    assert TrainConfig.implied(values, ranks) == implied
