from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from escapedim.models.layout import Layout
from escapedim.training.work import Context
from escapedim.widening.experiment import widen_experiment
from escapedim.widening.isolation import SubnetworksAlone
from escapedim.widening.stack import StackWork
from tests.training.plain import toy

from .test_experiment import done, small

PROBLEM = toy("cross-entropy")
OPTIONS = {"widths": (2, 3, 4), "isolate": (2, 3), "success": "train_accuracy>=0.65", "steps": "25it"}


def run(**changes):
    experiment = widen_experiment(small(**{**OPTIONS, **changes}), PROBLEM.task)
    return experiment, *done(experiment)


def alone(experiment, metrics, width: int) -> dict[int, list[tuple[int, bool]]]:
    """Success of the subnetworks by wide replicate, with their units."""
    found: dict[int, list[tuple[int, bool]]] = {}
    for unit in experiment.works:
        if isinstance(unit, StackWork) and isinstance(unit.begin, SubnetworksAlone) and unit.begin.wide.width == width:
            own = metrics[unit.key]
            for replicate, success in zip(own["wide"], own["columns"]["success"], strict=True):
                found.setdefault(replicate, []).append((unit.setting.width, success))
    return found


def wide_success(experiment, metrics, width: int) -> list[bool]:
    keys = [unit.key for unit in experiment.works if unit.key.startswith(f"width-{width:06d}-members")]
    return [success for key in keys for success in metrics[key]["columns"]["success"]]


def test_the_table_is_that_of_the_networks():
    experiment, result, metrics = run()
    assert [entry.width for entry in result.isolation] == [3, 4]
    for entry in result.isolation:
        wide, subnetworks = wide_success(experiment, metrics, entry.width), alone(experiment, metrics, entry.width)
        some = [any(success for _, success in subnetworks[n]) for n in range(6)]
        pairs = list(zip(wide, some, strict=True))
        table = entry.table
        assert [table.both, table.first_only, table.second_only, table.neither] == [
            pairs.count(pair) for pair in itertools.product((True, False), (True, False))
        ]
        assert (entry.q.count, entry.q_lit.count) == (6 - sum(wide), 6 - sum(some))
        assert (entry.wins_given_none.count, entry.wins_given_none.of) == (table.first_only, 6 - sum(some))
        assert (entry.fails_given_some.count, entry.fails_given_some.of) == (table.second_only, sum(some))
        for size in entry.sizes:
            won = [success for one in subnetworks.values() for units, success in one if units == size.units]
            assert (size.winning.count, size.winning.of) == (sum(won), len(won))
            assert size.winning.of == 6 * size.there
    assert [size.units for size in result.isolation[1].sizes] == [2, 3]
    assert len({entry.q_lit.count for entry in result.isolation}) > 0


def test_with_sampled_subsets_nobody_is_known_to_have_no_winner():
    _, result, _ = run(subsets=3)
    narrow, wide = result.isolation
    assert (narrow.sampled, wide.sampled) == (False, True)
    assert wide.wins_given_none is None
    assert narrow.wins_given_none is not None
    assert [size.trained for size in wide.sizes] == [3, 3]
    assert [size.there for size in wide.sizes] == [6, 4]


@pytest.mark.parametrize("stack", [1, 7, 1000])
def test_how_they_are_stacked_is_not_in_the_result(monkeypatch, stack):
    _, expected, _ = run()
    monkeypatch.setattr("escapedim.widening.isolation.stack_size", lambda model, recipe: stack)
    assert run()[1].isolation == expected.isolation


def test_a_subnetwork_has_the_weights_and_the_data_order_of_its_wide_network(monkeypatch):
    experiment = widen_experiment(small(**OPTIONS, init="normal:std=0.5"), PROBLEM.task)
    wide = next(unit for unit in experiment.works if unit.key.startswith("width-000004-members"))
    unit = next(one for one in experiment.works if one.key.startswith("isolation-width-000004-units-000003"))
    begun = unit.begin(unit.setting, PROBLEM.task, {})
    rows = wide.setting.drawn(wide.replicates)
    orders = wide.setting.orders(wide.replicates)
    layout = Layout(wide.setting.model.shapes)
    places = [(n, units) for n in range(6) for units in itertools.combinations(range(4), 3)]
    assert begun.labels["wide"] == [n for n, _ in places]
    for row, order, (replicate, units) in zip(begun.rows, begun.order_seeds, places, strict=True):
        own = layout.split(rows[replicate].numpy())
        expected = [own["layer1.weight"][list(units)], own["layer1.bias"][list(units)]]
        expected += [own["layer2.weight"][:, list(units)], own["layer2.bias"]]
        assert torch.equal(row, torch.from_numpy(np.concatenate([part.ravel() for part in expected])))
        assert order == orders[replicate]


def test_a_subnetwork_of_which_the_rest_is_silent_trains_as_its_wide_network_does():
    """Units without incoming and outgoing weights never learn: the wide network is then its subnetwork."""
    experiment = widen_experiment(small(**OPTIONS, init="normal:std=0.5", activation="tanh"), PROBLEM.task)
    wide = next(unit for unit in experiment.works if unit.key.startswith("width-000004-members")).setting
    unit = next(one for one in experiment.works if one.key.startswith("isolation-width-000004-units-000003"))
    context = Context(PROBLEM.task, PROBLEM.data, "cpu", lambda members: False)
    narrow = unit(context, {}, None)
    rows, layout = wide.drawn([2]), Layout(wide.model.shapes)
    views = layout.views(rows)
    views["layer1.weight"][:, 3], views["layer2.weight"][:, :, 3] = 0, 0
    starts = unit.begin(unit.setting, PROBLEM.task, {})
    silent = wide.run(context, type(starts)(rows, wide.orders([2])), None, wide.recipe.lr)
    own = starts.labels["wide"].index(2)  # its first subset: units 0 to 2
    assert silent.arrays["layer1.weight"][0, :3] == pytest.approx(narrow.arrays["layer1.weight"][own], rel=1e-9)
    assert silent.arrays["layer2.weight"][0, :, :3] == pytest.approx(narrow.arrays["layer2.weight"][own], rel=1e-9)
