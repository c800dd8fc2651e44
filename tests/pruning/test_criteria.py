import itertools
import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.models.network import Network
from escapedim.pruning.arms import SIZES, Draws, next_masks
from escapedim.pruning.criteria import CRITERIA, Criterion, Scores, Size, Weights
from escapedim.pruning.masks import Masks, full_masks
from escapedim.pruning.round_work import RoundWork, _past
from escapedim.training.work import Context

from ..training.plain import LOSSES, loss_gradient, network, toy
from .strategies import make_network, make_plan, make_shapes

NETWORK, SHAPES = make_network((4, 3, 2)), make_shapes((4, 3, 2))


def layers(seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {name: random.normal(size=shape) for name, shape in SHAPES.items()}


INITIAL, FINAL, GRADIENT = layers(0), layers(1), layers(2)
WEIGHTS = Weights(NETWORK, INITIAL, FINAL, INITIAL, lambda: GRADIENT)

FORMULAS = {
    "magnitude": lambda start, end, slope: abs(end),
    "movement": lambda start, end, slope: abs(end - start),
    "magnitude-increase": lambda start, end, slope: abs(end) - abs(start),
    "magnitude-init": lambda start, end, slope: abs(start),
    "snip": lambda start, end, slope: abs(slope * start),
}


def of(
    criterion: str, granularity: str = "weight", weights: Weights = WEIGHTS, seed: int = 0, network: Network = NETWORK
):
    size = partial(SIZES[granularity], network)
    return CRITERIA[criterion].score(weights, size, np.random.default_rng(seed))


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
        of(criterion, weights=Weights(NETWORK, INITIAL, FINAL, INITIAL, gradient))
    assert asked == ["snip"]


def test_float32_weights_are_scored_in_float64():
    tiny = {name: np.full(shape, 1e-30, np.float32) for name, shape in SHAPES.items()}
    weights = Weights(NETWORK, tiny, tiny, tiny, lambda: tiny)
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
    context = Context(problem.task, problem.data, "cpu", lambda members: False)
    past = _past(unit, context, earlier)
    weights = past.weights(past.masks["ticket"])
    tolerance = 1e-10 if dtype == "float64" else 1e-4
    for name, expected in layout.split(gradient.numpy()).items():
        if name in model.prunable:
            np.testing.assert_allclose(weights.gradient()[name], expected, rtol=tolerance, atol=tolerance)
            np.testing.assert_array_equal(weights.initial[name], layout.split(initial)[name] * used[name])


def test_units_with_fixed_outgoing_weights_are_scored_by_what_comes_in():
    values = {"layer1.weight": FINAL["layer1.weight"]}
    scores = of("magnitude", "unit", Weights(NETWORK, {}, values, {}, dict), network=make_network((4, 3)))[
        "layer1.weight"
    ]
    assert scores == pytest.approx([math.hypot(*row) for row in values["layer1.weight"]], rel=1e-14)


def synflow(weights: Weights, size: Size, random: np.random.Generator) -> Scores:
    """∂R/∂θ · θ with R the sum of the outputs for an input of ones, of the absolute weights (Tanaka et al. 2020)."""
    absolute = {name: torch.from_numpy(np.abs(values)).requires_grad_() for name, values in weights.parameters.items()}
    outputs = weights.network.apply(absolute, torch.ones(1, weights.network.inputs, dtype=torch.float64))
    slopes = torch.autograd.grad(outputs.sum(), [absolute[name] for name in weights.network.prunable])
    products = zip(weights.network.prunable, slopes, strict=True)
    return size({name: slope.numpy() * weights.initial[name] for name, slope in products})


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_a_criterion_that_scores_many_times_sees_what_is_left_and_ends_at_the_exact_count(monkeypatch, scope):
    """One shot of SynFlow down to 2 % in 100 steps, by which no layer is lost."""
    network, seen = MLP((6, 40, 30, 3), "relu"), list[int]()
    layout = Layout(network.shapes)
    row = layout.flatten(network.init(torch.Generator().manual_seed(1))).numpy()

    def under(masks: Masks) -> Weights:
        start = row * layout.pack(masks, True, np.dtype(bool))
        layers = {name: layout.split(start)[name] for name in network.prunable}
        seen.append(sum(int(mask.sum()) for mask in masks.values()))
        return Weights(network, layers, layers, layout.split(start), dict)

    plan = replace(make_plan(network.sizes, rounds=1, scope=scope, arms=("ticket",)), density=0.02, criterion="synflow")
    chance = Draws(row.copy, row.copy, lambda purpose: np.random.default_rng(0))
    monkeypatch.setitem(CRITERIA, "synflow", Criterion(synflow, scorings=100))
    full = {"ticket": full_masks(network)}
    masks = next_masks(plan, full, under, chance)["ticket"]
    total = sum(mask.size for mask in masks.values())
    counts = {name: int(mask.sum()) for name, mask in masks.items()}
    if scope == "global":
        assert sum(counts.values()) == round(0.02 * total)
    else:
        assert counts == {name: max(1, round(0.02 * mask.size)) for name, mask in masks.items()}
    assert all(counts.values())
    scored = sorted(set(seen), reverse=True)
    assert scored[0] == total
    assert len(scored) > 50
    ratios = [after / before for before, after in itertools.pairwise(scored)]
    assert min(ratios) == pytest.approx(0.02 ** (1 / 100), abs=0.06)
