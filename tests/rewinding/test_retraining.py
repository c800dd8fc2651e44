from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from escapedim.rewinding import retraining as rewinding
from escapedim.rewinding.barriers import barriers
from escapedim.rewinding.retraining import RewindWork, apart, at_last_rate
from escapedim.rewinding.treatments import Begun, Treatment
from escapedim.specs import parse_spec
from escapedim.training.batches import Batches
from escapedim.training.work import Context
from tests.training.plain import accuracy, network, toy, trajectory

from .problems import PROBLEM, a_round, ends, left, trained

TREATMENTS = [
    Treatment("ticket", 6, 6),
    Treatment("ticket", "end", 6),
    Treatment("ticket", 6, 6, rest="original"),
    Treatment("random", 6, 6, rest="redraw", scale=3.0),
    Treatment("reinit", "fresh", 6, rest="frozen"),
    Treatment("ticket", 6, 6, rest="frozen"),
    Treatment("dense", 6, 6),
    Treatment("ticket", 6, 6, second_order=True),
]


def plainly_trained(treatment: Treatment, problem=PROBLEM) -> torch.Tensor:
    """The end of the same training by a plain loop; what is frozen is put back after every step."""
    begun, recipe = a_round(problem).begin(left(problem), left(problem).points, treatment), problem.recipe
    row = torch.from_numpy(begun.row)
    order = a_round(problem).order(0, treatment)
    batches = Batches(problem.data.train, [order], recipe.batch_size)
    steps = range(treatment.start, recipe.steps)
    rates = [recipe.lr * 0.5 * (1 + math.cos(math.pi * step / recipe.steps)) for step in steps]
    if treatment.at_last_rate:
        rates = [recipe.lr * 0.5 * (1 + math.cos(math.pi * (recipe.steps - 1) / recipe.steps))] * len(steps)
    net = network(problem.model.sizes, problem.model.activation, row)
    frozen = torch.from_numpy(begun.frozen)
    hooks, start = [], 0
    for parameter in net.parameters():
        part = frozen[start : start + parameter.numel()].view_as(parameter)
        hooks.append(parameter.register_hook(lambda grad, part=part: grad.masked_fill(part, 0)))
        start += parameter.numel()
    mask = torch.from_numpy(begun.there).double()
    optimizer = lambda params, lr: torch.optim.SGD(params, lr=lr, momentum=0.9)  # noqa: E731
    path = trajectory(net, problem.task.loss, (batches.at(step) for step in steps), optimizer, rates, mask)
    return list(path)[-1]


@pytest.fixture(scope="module")
def outcome():
    return trained(TREATMENTS)


@pytest.mark.parametrize("at", range(len(TREATMENTS)), ids=[str(n) for n in range(len(TREATMENTS))])
def test_every_treatment_trains_as_a_plain_loop_does(outcome, at):
    expected = plainly_trained(TREATMENTS[at])
    torch.testing.assert_close(ends(outcome[1])[at], expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("weights", ["end", 6])
def test_fine_tuning_stays_at_the_last_rate(weights):
    treatment = Treatment("ticket", weights, 6, at_last_rate=True)
    work, outcome = trained([treatment])
    assert work.key.endswith("-last-rate")
    torch.testing.assert_close(ends(outcome)[0], plainly_trained(treatment), rtol=1e-9, atol=1e-11)
    assert at_last_rate(PROBLEM.recipe).schedule == parse_spec("constant")


def test_networks_are_measured_whole_and_with_the_complement_cut_away(outcome):
    work, found = outcome
    rows, task = ends(found), PROBLEM.task
    x = torch.as_tensor(np.array(task.test.x))
    for at, treatment in enumerate(TREATMENTS):
        kept = torch.from_numpy(a_round().mask(left(), treatment))
        for name, row in (("whole", rows[at]), ("alone", torch.where(kept, rows[at], 0.0))):
            net = network(PROBLEM.model.sizes, PROBLEM.model.activation, row)
            assert found.metrics[name][at]["test_accuracy"] == pytest.approx(accuracy(net, x, np.array(task.test.y)))
    once = len(TREATMENTS) - 1  # the ticket in its original surroundings is the dense network
    assert found.metrics["net_steps"] == once * (24 - 6)
    assert work.planned_steps == found.metrics["net_steps"]


def test_how_far_apart_is_against_the_same_subnetwork_in_isolation(outcome):
    _, found = outcome
    rows, kept = ends(found).numpy(), left().masks["ticket"] & a_round().prunable()
    alone, around = rows[0][kept], rows[2][kept]
    assert found.metrics["apart"][0] == {"cosine": pytest.approx(1), "distance": 0}
    assert found.metrics["apart"][2]["cosine"] == pytest.approx(
        alone @ around / np.sqrt((alone @ alone) * (around @ around))
    )
    assert found.metrics["apart"][2]["distance"] == pytest.approx(
        np.sqrt(((alone - around) ** 2).sum() / (alone**2).sum())
    )
    assert found.metrics["apart"][3] == {"cosine": None, "distance": None}  # the random mask was not trained alone


def test_vectors_without_a_length_have_no_angle():
    nothing = {"cosine": None, "distance": None}
    assert apart(np.zeros(3), np.ones(3)) == apart(np.ones(3), np.zeros(3)) == nothing
    assert apart(np.array([np.inf, 1]), np.ones(2)) == nothing


def test_lines_are_between_the_ends():
    pairs = ((TREATMENTS[0], TREATMENTS[7]), (TREATMENTS[0], TREATMENTS[6]))
    work, found = trained(TREATMENTS, replicates=2, pairs=pairs)
    rows, places = ends(found), work.members
    for (one, other), line in zip(pairs, found.metrics["lines"], strict=True):
        for replicate in range(2):
            sides = [rows[places.index((replicate, side))][None] for side in (one, other)]
            expected = barriers(PROBLEM.model, PROBLEM.task, PROBLEM.data, *sides)
            assert line["barriers"][replicate] == pytest.approx(expected.barriers[0])
            assert line["errors"][replicate] == pytest.approx(expected.errors[0].tolist())


def test_invariants_hold(outcome):
    assert all(all(found.values()) for found in outcome[1].metrics["invariants"])


# A fault of the tool: which invariant gives it away.
FAULTS = {
    "another rewind point": (Treatment("ticket", 6, 6), "row", lambda b: left().points[0] * b.there, "survivors"),
    "no rewind": (Treatment("ticket", 6, 6), "row", lambda b: left().end * b.there, "survivors"),
    "a mask that is not there": (Treatment("ticket", 6, 6), "there", lambda b: np.ones_like(b.there), "masked_weights"),
    "complement not redrawn": (
        Treatment("ticket", 6, 6, rest="frozen"), "row", lambda b: np.where(b.there & ~b.subnetwork, 9.0, b.row),
        "complement_as_asked",
    ),
    "nothing is redrawn": (
        Treatment("ticket", 6, 6, rest="redraw"), "row", lambda b: np.where(b.subnetwork, b.row, left().points[6]),
        "complement_as_asked",
    ),
    "original surroundings of another step": (
        Treatment("reinit", "fresh", 6, rest="original"), "row",
        lambda b: np.where(b.subnetwork, b.row, left().points[0]), "complement_as_asked",
    ),
    "a complement that does not train": (
        Treatment("random", 6, 6, rest="redraw"), "frozen", lambda b: ~b.subnetwork, "complement_as_asked"
    ),
    "fresh weights that are the old ones": (
        Treatment("reinit", "fresh", 6), "row", lambda b: left().points[0] * b.there, "survivors"
    ),
    "nothing frozen": (
        Treatment("ticket", 6, 6, rest="frozen"), "frozen", lambda b: np.zeros_like(b.frozen), "complement_as_asked"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTS)
def test_what_silently_did_not_happen_breaks_an_invariant(monkeypatch, case):
    treatment, what, change, name = FAULTS[case]
    begin = rewinding.PrunedRound.begin

    def faulty(self, *arguments) -> Begun:
        begun = begin(self, *arguments)
        return replace(begun, **{what: change(begun)})

    monkeypatch.setattr(rewinding.PrunedRound, "begin", faulty)
    _, found = trained([treatment])
    (invariants,) = found.metrics["invariants"]
    assert [key for key, holds in invariants.items() if not holds and key.startswith(name)]


def test_a_complement_that_is_not_scaled_and_one_order_for_two_break_an_invariant(monkeypatch):
    kinds = [Treatment("ticket", 6, 6, rest="redraw", scale=scale) for scale in (1.0, 3.0)]
    copies = [Treatment("ticket", 6, 6), Treatment("ticket", 6, 6, second_order=True)]
    assert all(all(found.values()) for found in trained([*kinds, *copies])[1].metrics["invariants"])
    redrawn, order = rewinding.PrunedRound._redrawn, rewinding.PrunedRound.order
    monkeypatch.setattr(
        rewinding.PrunedRound, "_redrawn", lambda self, left, one: redrawn(self, left, replace(one, scale=1.0))
    )
    monkeypatch.setattr(
        rewinding.PrunedRound, "order", lambda self, at, one: order(self, at, replace(one, second_order=False))
    )
    found = trained([*kinds, *copies])[1].metrics["invariants"]
    assert [one["complement_as_asked"] for one in found] == [True, False, True, True]
    assert [one["data_order_as_asked"] for one in found] == [True, True, True, False]


def test_another_mask_of_another_size_breaks_the_density():
    every = (replace(left(), surviving=left().surviving + 1),)
    work = RewindWork(a_round(), PROBLEM.recipe, every, (Treatment("ticket", 6, 6),))
    outcome = work(Context(PROBLEM.task, PROBLEM.data, "cpu", lambda members: False), {}, None)
    assert outcome.metrics["invariants"][0]["density_exact"] is False


def test_a_network_has_the_same_end_in_every_stack():
    """To the last bit: so rewinding a prune run's own tickets repeats its numbers."""
    small = toy("cross-entropy", optimizer="adam", steps=24, hidden=(5, 4), dtype="float32")
    _, together = trained(TREATMENTS, small, replicates=3)
    for at, treatment in enumerate(TREATMENTS):
        _, lone = trained([treatment], small)
        assert torch.equal(ends(lone)[0], ends(together)[at])
