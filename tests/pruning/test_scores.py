import math

import numpy as np
import pytest
import torch

from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.pruning.loop import RoundWork, _Past
from escapedim.pruning.masks import Masks
from escapedim.pruning.pruning_plan import CRITERIA
from escapedim.pruning.scores import Weights, score
from escapedim.training.work import Context

from ..training.plain import LOSSES, loss_gradient, network, toy
from .strategies import make_plan, make_shapes

SHAPES = make_shapes((4, 3, 2))


def layers(seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {name: random.normal(size=shape) for name, shape in SHAPES.items()}


INITIAL, FINAL, GRADIENT = layers(0), layers(1), layers(2)
WEIGHTS = Weights(INITIAL, FINAL, lambda: GRADIENT)

FORMULAS = {
    "magnitude": lambda start, end, slope: abs(end),
    "movement": lambda start, end, slope: abs(end - start),
    "magnitude-increase": lambda start, end, slope: abs(end) - abs(start),
    "magnitude-init": lambda start, end, slope: abs(start),
    "snip": lambda start, end, slope: abs(slope * start),
}


def of(criterion: str, granularity: str = "weight", weights: Weights = WEIGHTS, seed: int = 0):
    return score(criterion, weights, granularity, np.random.default_rng(seed))


def test_there_is_a_formula_for_every_criterion():
    assert set(CRITERIA) == {*FORMULAS, "random"}


@pytest.mark.parametrize("criterion", FORMULAS)
def test_weights_are_scored_by_the_published_formula(criterion):
    scores = of(criterion)
    assert list(scores) == list(SHAPES)
    for name, shape in SHAPES.items():
        for place in np.ndindex(shape):
            expected = FORMULAS[criterion](INITIAL[name][place], FINAL[name][place], GRADIENT[name][place])
            assert scores[name][place] == pytest.approx(expected, rel=1e-14)


def unit_norms(values: dict[str, np.ndarray], unit: int) -> float:
    """Norm of what comes in times norm of what goes out of one hidden unit."""
    incoming = math.hypot(*(values["layer1.weight"][unit, source] for source in range(4)))
    return incoming * math.hypot(*(values["layer2.weight"][target, unit] for target in range(2)))


UNIT_FORMULAS = {
    "magnitude": lambda unit: unit_norms(FINAL, unit),
    "movement": lambda unit: unit_norms({name: FINAL[name] - INITIAL[name] for name in SHAPES}, unit),
    "magnitude-increase": lambda unit: unit_norms(FINAL, unit) - unit_norms(INITIAL, unit),
    "magnitude-init": lambda unit: unit_norms(INITIAL, unit),
    "snip": lambda unit: unit_norms({name: GRADIENT[name] * INITIAL[name] for name in SHAPES}, unit),
}


@pytest.mark.parametrize("criterion", UNIT_FORMULAS)
def test_units_are_scored_by_the_product_of_their_norms(criterion):
    scores = of(criterion, "unit")
    assert {name: values.shape for name, values in scores.items()} == {"layer1.weight": (3,)}
    expected = [UNIT_FORMULAS[criterion](unit) for unit in range(3)]
    assert scores["layer1.weight"].tolist() == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize(("granularity", "shapes"), [("weight", SHAPES), ("unit", {"layer1.weight": (3,)})])
def test_random_scores_are_the_generators_alone(granularity, shapes):
    first, again, other = (of("random", granularity, seed=seed) for seed in (1, 1, 2))
    assert {name: values.shape for name, values in first.items()} == shapes
    assert all(np.array_equal(first[name], again[name]) for name in shapes)
    assert not any(np.array_equal(first[name], other[name]) for name in shapes)


def test_only_snip_asks_for_the_gradient():
    asked = []

    def gradient() -> dict[str, np.ndarray]:
        asked.append(criterion)
        return INITIAL

    for criterion in CRITERIA:
        of(criterion, weights=Weights(INITIAL, FINAL, gradient))
    assert asked == ["snip"]


def test_float32_weights_are_scored_in_float64():
    tiny = {name: np.full(shape, 1e-30, np.float32) for name, shape in SHAPES.items()}
    weights = Weights(tiny, tiny, lambda: tiny)
    for granularity in ("weight", "unit"):
        scores = of("magnitude", granularity, weights)
        assert all(values.dtype == np.float64 for values in scores.values())
        assert all(values.all() for values in scores.values())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("round_number", [1, 2])
def test_the_gradient_for_snip_is_autograds_on_all_training_samples_at_the_masked_initial_weights(
    round_number, loss, dtype
):
    problem = toy(loss, hidden=(5, 4), dtype=dtype)
    model: MLP = problem.model
    layout = Layout(model.shapes)
    initial, final = problem.rows(2).numpy()
    random = np.random.default_rng(4)
    masks: Masks = {name: random.random(model.shapes[name]) < 0.6 for name in model.prunable}
    plan = make_plan(model.sizes, criterion="snip", arms=("ticket",))
    unit = RoundWork(plan, model, problem.recipe, (0,), 0, 0, round_number)
    dense = {f"{p}.{n}": v for p in ("step0", "dense.end") for n, v in layout.split(initial).items()}
    last = {f"ticket.end.{name}": value for name, value in layout.split(final).items()}
    last |= {f"ticket.mask.{name}": mask for name, mask in masks.items()}
    earlier = dict(zip(unit.needs, (dense, last), strict=False)) if round_number > 1 else {unit.needs[0]: dense}

    used = masks if round_number > 1 else {name: np.ones_like(mask) for name, mask in masks.items()}
    row = torch.from_numpy(initial * layout.pack(used, True, np.dtype(bool))).double()
    train = problem.data.train
    gradient = loss_gradient(
        network(model.sizes, model.activation, row), loss, train.x.double(), train.targets.double()
    )
    weights = _Past(unit, earlier).weights(Context(problem.task, problem.data, "cpu", lambda members: False))
    tolerance = 1e-10 if dtype == "float64" else 1e-4
    for name, expected in layout.split(gradient.numpy()).items():
        if name in model.prunable:
            np.testing.assert_allclose(weights.gradient()[name], expected, rtol=tolerance, atol=tolerance)
            np.testing.assert_array_equal(weights.initial[name], layout.split(initial)[name] * used[name])


def test_units_with_fixed_outgoing_weights_are_scored_by_what_comes_in():
    values = {"layer1.weight": FINAL["layer1.weight"]}
    scores = of("magnitude", "unit", Weights({}, values, dict))["layer1.weight"]
    assert scores == pytest.approx([math.hypot(*row) for row in values["layer1.weight"]], rel=1e-14)
