"""What belongs to a unit by loops over units and their numbers; and what may be done to units without any change."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from escapedim.models import units
from escapedim.models.conv import ConvNet, conv_2
from escapedim.models.families import Wanted
from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.models.network import Network, UnitGroup
from escapedim.models.relu_student import ReluStudent
from tests.models.streams import Stream

CONVOLUTIONAL = [
    conv_2(Wanted(image, 2, "relu", "glorot-normal", True), width)
    for image in ((1, 4, 4), (2, 5, 5))
    for width in (1, 2, 3)
]
NETWORKS: list[Network] = [
    MLP((3, 4, 3, 2), "tanh"),
    MLP((2, 3, 5, 1), "relu", bias=False),
    ReluStudent(3, 4),
    *CONVOLUTIONAL,
    Stream(3, 4, 5, 2),
    Stream(3, 4, 3, 2, gated=True),
    Stream(2, 4, 3, 2, mixing=True),
]
every_network = pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
networks = st.sampled_from(NETWORKS)
seeds = st.integers(0, 10**6)

Indices = tuple[object, ...]
Owned = list[tuple[str, Indices]]


def owned(network: Network, group: UnitGroup, unit: int) -> tuple[Owned, Owned, Owned]:
    """Incoming, own and outgoing numbers of a unit, as parameters with indices: written down network by network."""
    everything, name = slice(None), group.name
    if isinstance(network, ReluStudent):
        return [(name, (unit,))], [], []
    if isinstance(network, MLP):
        bias, after = name.replace("weight", "bias"), f"layer{int(name[5]) + 1}.weight"
        return [(name, (unit,))], [(bias, (unit,))] * network.bias, [(after, (everything, unit))]
    if isinstance(network, ConvNet):
        layers = ["conv1", "conv2", "dense1", "dense2", "output"]
        layer = name.removesuffix(".weight")
        places = math.prod(size // 2 for size in network.input_shape[1:])
        columns = slice(unit * places, (unit + 1) * places) if layer == "conv2" else unit
        after = layers[layers.index(layer) + 1]
        return [(name, (unit,))], [(f"{layer}.bias", (unit,))], [(f"{after}.weight", (everything, columns))]
    assert isinstance(network, Stream)
    mixed = ["mix.weight"] * network.mixing
    if name == "stream":
        incoming = [(of, (unit,)) for of in ("input.weight", "write.weight", *mixed)]
        outgoing = [(of, (everything, unit)) for of in ("read.weight", *mixed, "output.weight")]
        return incoming, [("input.bias", (unit,))], outgoing
    rows = [unit, unit + network.hidden][: 1 + network.gated]
    return (
        [("read.weight", (row,)) for row in rows],
        [("read.bias", (row,)) for row in rows],
        [("write.weight", (everything, unit))],
    )


def drawn(network: Network, members: int = 1, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(members, network.size, generator=generator, dtype=torch.float64)


def named(network: Network, row: Tensor) -> dict[str, Tensor]:
    return {name: view[0] for name, view in Layout(network.shapes).views(row[None]).items()}


def outputs(network: Network, flat: Tensor, samples: int = 6) -> Tensor:
    x = torch.randn(samples, network.inputs, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    return torch.stack([network.apply(named(network, row), x) for row in flat])


def layers_of(network: Network, seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {name: random.normal(size=network.shapes[name]) for name in network.prunable}


def masks_of(network: Network, seed: int, density: float) -> dict[str, np.ndarray]:
    """Masks of single weights, from which some units have been removed by hand."""
    random = np.random.default_rng(seed)
    masks = {name: random.random(network.shapes[name]) < density for name in network.prunable}
    for group in network.groups:
        for unit in np.flatnonzero(random.random(group.units) < 0.3):
            incoming, _, outgoing = owned(network, group, unit)
            for name, at in (*incoming * random.integers(2), *outgoing * random.integers(2)):
                masks[name][at] = False
    return masks


def any_of(masks: Mapping[str, np.ndarray], parts: Owned) -> bool:
    return any(masks[name][at].any() for name, at in parts)


# What belongs to a unit.


@settings(deadline=None, max_examples=60)
@given(network=networks, seed=seeds, leading=st.integers(0, 2))
def test_parts_by_unit_are_views_of_the_numbers_of_each(network, seed, leading):
    axes = (2, 3)[:leading]
    for group in network.groups:
        kinds = (group.incoming, group.own, group.outgoing)
        for kind, parts in enumerate(kinds):
            for n, part in enumerate(parts):
                shape = network.shapes[part.parameter]
                values = torch.from_numpy(np.random.default_rng(seed).normal(size=(*axes, *shape)))
                view = units.by_unit(values, part, group.units, leading)
                assert view.shape[: leading + 1] == (*axes, group.units)
                for unit in range(group.units):
                    name, at = owned(network, group, unit)[kind][n]
                    assert name == part.parameter
                    expected = values[(..., *at, *[slice(None)] * (len(shape) - len(at)))]
                    assert torch.equal(view.select(leading, unit), expected)
                view.zero_()
                left = np.ones(shape, bool)
                for unit in range(group.units):
                    left[owned(network, group, unit)[kind][n][1]] = False
                assert np.array_equal((values != 0).numpy(), np.broadcast_to(left, values.shape))


@settings(deadline=None, max_examples=120)
@given(network=networks, seed=seeds, density=st.sampled_from([0.0, 0.05, 0.2, 0.6, 1.0]))
def test_units_with_a_weight_left_are_kept_and_those_with_weights_on_both_sides_alive(network, seed, density):
    masks = masks_of(network, seed, density)
    found, living = units.kept(network, masks), units.alive(network, masks)
    assert set(found) == {group.name for group in network.groups}
    expected = {name: masks[name].reshape(len(masks[name]), -1).any(1) for name in network.prunable}
    for group in network.groups:
        sides = [owned(network, group, unit) for unit in range(group.units)]
        into = [any_of(masks, incoming) for incoming, _, _ in sides]
        out = [any_of(masks, outgoing) for _, _, outgoing in sides]
        assert found[group.name].tolist() == [a or b for a, b in zip(into, out, strict=True)]
        both = [a and (b or not group.outgoing) for a, b in zip(into, out, strict=True)]
        expected |= {name: np.array(both) for name, _ in sides[0][0]}
    assert {name: there.tolist() for name, there in living.items()} == {
        name: there.tolist() for name, there in expected.items()
    }


@settings(deadline=None, max_examples=60)
@given(network=networks, seed=seeds, density=st.sampled_from([0.0, 0.05, 0.3]), members=st.integers(1, 4))
def test_units_of_members_are_kept_as_those_of_one(network, seed, density, members):
    masks = [masks_of(network, seed + member, density) for member in range(members)]
    stacked = {name: torch.from_numpy(np.stack([one[name] for one in masks])) for name in network.prunable}
    found = units.kept_of_members(network, stacked)
    for member, one in enumerate(masks):
        for name, there in units.kept(network, one).items():
            assert found[name][member].tolist() == there.tolist()


@settings(deadline=None, max_examples=120)
@given(network=networks, seed=seeds, density=st.sampled_from([0.2, 1.0]))
def test_without_some_units_all_their_weights_are_gone_and_no_others(network, seed, density):
    masks, random = masks_of(network, seed, density), np.random.default_rng(seed)
    chosen = {group.name: random.random(group.units) < 0.6 for group in network.groups}
    before = {name: mask.copy() for name, mask in masks.items()}
    expected = {name: mask.copy() for name, mask in masks.items()}
    for group in network.groups:
        for unit in np.flatnonzero(~chosen[group.name]):
            incoming, _, outgoing = owned(network, group, unit)
            for name, at in (*incoming, *outgoing):
                expected[name][at] = False
    found = units.without(network, masks, chosen)
    assert {name: mask.tolist() for name, mask in found.items()} == {n: m.tolist() for n, m in expected.items()}
    assert all(np.array_equal(masks[name], before[name]) for name in masks)


@settings(deadline=None, max_examples=60)
@given(network=networks, seed=seeds)
def test_norms_are_products_of_the_norms_of_both_sides(network, seed):
    layers = layers_of(network, seed)

    def norm(parts: Owned) -> float:
        numbers = [x for name, at in parts for x in np.ravel(layers[name][at])]
        return math.sqrt(math.fsum(x * x for x in numbers))

    found = units.norms(network, layers)
    assert set(found) == {group.name for group in network.groups}
    for group in network.groups:
        for unit in range(group.units):
            incoming, _, outgoing = owned(network, group, unit)
            expected = norm(incoming) * (norm(outgoing) if outgoing else 1)
            assert found[group.name][unit] == pytest.approx(expected, rel=1e-12)
    single = units.norms(network, {name: layer.astype(np.float32) for name, layer in layers.items()})
    assert all(values.dtype == np.float64 for values in single.values())


@every_network
def test_what_is_written_into_views_is_written_into_rows(network):
    for group in network.groups:
        for unit in range(group.units):
            flat, expected = drawn(network, 2), drawn(network, 2)
            for n, part in enumerate(itertools.chain(*units.views(network, flat, group))):
                part[1, unit] = 100.0 + n
            parameters = named(network, expected[1])
            for n, (name, at) in enumerate(itertools.chain(*owned(network, group, unit))):
                parameters[name][at] = 100.0 + n
            assert torch.equal(flat, expected)


@every_network
def test_incoming_numbers_are_weights_and_what_is_a_units_own(network):
    flat = drawn(network, 3)
    for group in network.groups:
        found = units.incoming_numbers(network, flat, group)
        for member, unit in itertools.product(range(3), range(group.units)):
            incoming, own, _ = owned(network, group, unit)
            parameters = named(network, flat[member])
            expected = torch.cat([parameters[name][at].reshape(-1) for name, at in (*incoming, *own)])
            assert torch.equal(found[member, unit], expected)


def test_a_group_is_found_by_its_name():
    network = MLP((3, 4, 3, 2), "tanh")
    assert [units.group_of(network, group.name) for group in network.groups] == list(network.groups)


# Choosing units.


def by_hand(network: Network, params: Mapping[str, Tensor], chosen: Mapping[str, list[int]]) -> dict[str, Tensor]:
    """The parameters of chosen units, written down network by network."""
    one = [chosen.get(group.name, list(range(group.units))) for group in network.groups]
    if isinstance(network, ReluStudent):
        return {"layer1.weight": params["layer1.weight"][one[0]]}
    if isinstance(network, MLP):
        inputs = chosen.get("inputs", list(range(network.inputs)))
        levels = [inputs, *one, list(range(network.sizes[-1]))]
        found = {}
        for n, (before, after) in enumerate(itertools.pairwise(levels), start=1):
            found[f"layer{n}.weight"] = params[f"layer{n}.weight"][after][:, before]
            if network.bias:
                found[f"layer{n}.bias"] = params[f"layer{n}.bias"][after]
        return found
    if isinstance(network, ConvNet):
        first, second, third, fourth = one
        flattened = params["dense1.weight"]
        of_channels = flattened.view(len(flattened), len(params["conv2.weight"]), -1)
        weights = {
            "conv1": params["conv1.weight"][first],
            "conv2": params["conv2.weight"][second][:, first],
            "dense1": of_channels[third][:, second].flatten(1),
            "dense2": params["dense2.weight"][fourth][:, third],
            "output": params["output.weight"][:, fourth],
        }
        last = list(range(network.outputs))
        own = dict(zip(weights, (first, second, third, fourth, last), strict=True))
        biases = {f"{layer}.bias": params[f"{layer}.bias"][units] for layer, units in own.items()}
        return {f"{layer}.weight": weight for layer, weight in weights.items()} | biases
    assert isinstance(network, Stream)
    stream, hidden = one
    rows = hidden + [unit + network.hidden for unit in hidden] * network.gated
    found = {
        "input.weight": params["input.weight"][stream],
        "input.bias": params["input.bias"][stream],
        "read.weight": params["read.weight"][rows][:, stream],
        "read.bias": params["read.bias"][rows],
        "write.weight": params["write.weight"][stream][:, hidden],
        "output.weight": params["output.weight"][:, stream],
    }
    return found | ({"mix.weight": params["mix.weight"][stream][:, stream]} if network.mixing else {})


def row_of(network: Network, params: Mapping[str, Tensor]) -> Tensor:
    return torch.cat([params[name].reshape(-1) for name in network.shapes])


@st.composite
def choices(draw, members: int = 3):
    """A network, and of some groups as many units for each member, in any order and with repetitions."""
    network = draw(networks)
    chosen = {}
    for group in network.groups:
        if draw(st.booleans()):
            count, unit = draw(st.integers(1, group.units + 2)), st.integers(0, group.units - 1)
            rows = draw(st.lists(st.lists(unit, min_size=count, max_size=count), min_size=members, max_size=members))
            chosen[group.name] = rows
    return network, chosen


def resized(network: Network, counts: Mapping[str, int]) -> Network:
    return network.resized([counts.get(group.name, group.units) for group in network.groups])


@settings(deadline=None, max_examples=200)
@given(choices())
def test_chosen_units_are_taken_member_by_member(made):
    network, chosen = made
    flat, narrow = drawn(network, 3), resized(network, {name: len(rows[0]) for name, rows in chosen.items()})
    found = units.taken(network, flat, {name: torch.tensor(rows) for name, rows in chosen.items()})
    for member, row in enumerate(flat):
        own = {name: rows[member] for name, rows in chosen.items()}
        assert torch.equal(found[member], row_of(narrow, by_hand(network, named(network, row), own)))


@settings(deadline=None, max_examples=100)
@given(choices(members=1))
def test_places_of_one_choice_are_those_of_all_members(made):
    network, chosen = made
    places = units.places(network, {name: torch.tensor(rows[0]) for name, rows in chosen.items()})
    assert torch.equal(places, units.places(network, {name: torch.tensor(rows) for name, rows in chosen.items()}))
    everything = torch.arange(network.size, dtype=torch.float64)[None]
    own = {name: rows[0] for name, rows in chosen.items()}
    narrow = resized(network, {name: len(rows) for name, rows in own.items()})
    expected = row_of(narrow, by_hand(network, named(network, everything[0]), own))
    assert places.double().tolist() == [expected.tolist()]


@pytest.mark.parametrize("inputs", [[0], [2, 1], [1, 1, 0], [0, 1, 2]])
def test_inputs_are_chosen_as_units_are(inputs):
    network = MLP((3, 4, 3, 2), "tanh")
    flat, some = drawn(network, 2), {"layer2.weight": torch.tensor([1, 0]), "inputs": torch.tensor(inputs)}
    narrow = network.with_inputs(len(inputs)).resized([4, 2])
    found = units.taken(network, flat, some)
    own = {name: chosen.tolist() for name, chosen in some.items()}
    expected = [row_of(narrow, by_hand(network, named(network, row), own)) for row in flat]
    assert torch.equal(found, torch.stack(expected))
    x = torch.zeros(5, 3, dtype=torch.float64)
    signal = torch.randn(5, len(set(inputs)), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x[:, sorted(set(inputs))] = signal
    if len(set(inputs)) == len(inputs):  # the others are 0
        whole = units.taken(network, flat, {"layer2.weight": torch.tensor([1, 0])})
        for row, cut in zip(whole, found, strict=True):
            before = network.resized([4, 2]).apply(named(network.resized([4, 2]), row), x)
            torch.testing.assert_close(narrow.apply(named(narrow, cut), x[:, inputs]), before, rtol=1e-12, atol=1e-12)


@settings(deadline=None, max_examples=100)
@given(network=networks, more=st.lists(st.integers(0, 2), min_size=4, max_size=4), seed=seeds)
def test_tickets_are_placed_as_the_first_units_of_wide_networks(network, more, seed):
    wide = network.resized([count + by for count, by in zip(network.units, more, strict=False)])
    tickets, rows = drawn(network, 2, seed), drawn(wide, 2, seed + 1)
    found = units.placed(network, tickets, wide, rows)
    first = {group.name: list(range(group.units)) for group in network.groups}
    where = by_hand(wide, named(wide, torch.arange(wide.size)), first)  # of each of their numbers, in a wide row
    expected = rows.clone()
    for name, of_ticket in Layout(network.shapes).views(tickets).items():
        expected[:, where[name].reshape(-1)] = of_ticket.reshape(2, -1)
    assert torch.equal(found, expected)
    assert torch.equal(rows, drawn(wide, 2, seed + 1))


@settings(deadline=None, max_examples=60)
@given(network=networks, seed=seeds)
def test_units_in_another_order_compute_the_same(network, seed):
    flat, generator = drawn(network, 3, seed), torch.Generator().manual_seed(seed)
    chosen = {
        group.name: torch.stack([torch.randperm(group.units, generator=generator) for _ in flat])
        for group in network.groups
    }
    permuted = units.taken(network, flat, chosen)
    torch.testing.assert_close(outputs(network, permuted), outputs(network, flat), rtol=1e-12, atol=1e-12)
    back = {name: order.argsort(1) for name, order in chosen.items()}
    assert torch.equal(units.taken(network, permuted, back), flat)


@settings(deadline=None, max_examples=100)
@given(network=networks, seed=seeds)
def test_without_its_removed_units_a_network_computes_the_same(network, seed):
    random, flat = np.random.default_rng(seed), drawn(network, 1, seed)
    chosen = {group.name: np.sort(random.permutation(group.units)[: random.integers(1, 1 + group.units)])
              for group in network.groups}  # fmt: skip
    there = {group.name: np.isin(np.arange(group.units), chosen[group.name]) for group in network.groups}
    full = {name: np.ones(network.shapes[name], bool) for name in network.prunable}
    masks = units.without(network, full, there)
    masked = flat.clone()
    for name, mask in masks.items():
        named(network, masked[0])[name].mul_(torch.from_numpy(mask))
    indices = {name: torch.from_numpy(places) for name, places in chosen.items()}
    narrow = resized(network, {name: len(places) for name, places in chosen.items()})
    found = outputs(narrow, units.taken(network, masked, indices))
    torch.testing.assert_close(found, outputs(network, masked), rtol=1e-12, atol=1e-12)


@every_network
def test_new_units_that_are_0_change_nothing(network):
    flat = drawn(network, 2)
    for group in network.groups:
        wide = network.resized([one.units + 2 * (one == group) for one in network.groups])
        rows = units.placed(network, flat, wide, flat.new_zeros(len(flat), wide.size))
        assert wide.units == tuple(one.units + 2 * (one == group) for one in network.groups)
        first = {group.name: torch.arange(group.units)}
        assert torch.equal(units.taken(wide, rows, first), flat)
        for unit in (group.units, group.units + 1):
            for name, at in itertools.chain(*owned(wide, units.group_of(wide, group.name), unit)):
                assert not named(wide, rows[0])[name][at].any()
        torch.testing.assert_close(outputs(wide, rows), outputs(network, flat), rtol=1e-12, atol=1e-12)


# Splitting and merging.


def splits(network: Network) -> list[tuple[UnitGroup, Tensor, float]]:
    """Every unit of every group, with another one in the second member, and shares of it."""
    fixed = isinstance(network, ReluStudent)  # relu passes on no negative share of what leads to a unit
    every = [(group, unit) for group in network.groups for unit in range(group.units)]
    return [
        (group, torch.tensor([unit, (unit + 1) % group.units]), share)
        for group, unit in every
        for share in ((0.5, 0.2, 0.9) if fixed else (0.5, 0.2, 1.4, -0.3))
    ]


@every_network
def test_a_unit_that_is_split_computes_what_it_did(network):
    flat = drawn(network, 2)
    for group, parents, share in splits(network):
        wide, rows = units.split(network, flat, group, parents, share)
        assert wide.units == tuple(one.units + (one == group) for one in network.groups)
        torch.testing.assert_close(outputs(wide, rows), outputs(network, flat), rtol=1e-12, atol=1e-12)


@every_network
def test_a_copy_is_the_last_unit_and_shares_what_leads_away(network):
    """Or what leads to it, where the rest is fixed; all other numbers are the same to the last bit."""
    flat = drawn(network, 2)
    for group, parents, share in splits(network):
        wide, rows = units.split(network, flat, group, parents, share)
        for member, parent in enumerate(parents.tolist()):
            chosen = {group.name: [*range(group.units), parent]}
            expected = row_of(wide, by_hand(network, named(network, flat[member]), chosen))
            for unit, part in ((parent, share), (group.units, 1 - share)):
                incoming, _, outgoing = owned(wide, units.group_of(wide, group.name), unit)
                for name, at in outgoing or incoming:
                    named(wide, expected)[name][at] *= part
            assert torch.equal(rows[member], expected)


@every_network
def test_a_merge_undoes_a_split(network):
    flat = drawn(network, 2)
    for group, parents, share in splits(network):
        wide, rows = units.split(network, flat, group, parents, share)
        narrow, found = units.merged(wide, rows, units.group_of(wide, group.name), parents)
        assert narrow == network
        torch.testing.assert_close(found, flat, rtol=1e-12, atol=1e-14)
        if not group.outgoing:
            continue
        for member, unit in itertools.product(range(2), range(group.units)):
            incoming, own, _ = owned(network, group, unit)
            for name, at in (*incoming, *own):
                if name != "mix.weight":  # which is among what leads away from units too
                    assert torch.equal(named(network, found[member])[name][at], named(network, flat[member])[name][at])


def merge_by_hand(
    network: Network, narrow: Network, group: UnitGroup, params: Mapping[str, Tensor], to: dict[str, Tensor], unit: int
) -> None:
    """Write what a unit and the last one of its group become into the parameters of the narrow network."""
    own, last = owned(network, group, unit), owned(network, group, group.units - 1)
    narrowed = owned(narrow, units.group_of(narrow, group.name), unit)
    away = 2 if group.outgoing else 0
    left, right = (torch.cat([params[name][at].flatten() for name, at in one[away]]).norm() for one in (own, last))
    share = right / (left + right) if left + right > 0 else 0.5
    for kind in {0, 1, 2} - {away} if group.outgoing else {1}:
        for (name, at), (_, other), (_, place) in zip(own[kind], last[kind], narrowed[kind], strict=True):
            to[name][place] = (1 - share) * params[name][at] + share * params[name][other]
    for (name, at), (_, other), (_, place) in zip(own[away], last[away], narrowed[away], strict=True):
        to[name][place] = params[name][at] + params[name][other]


@pytest.mark.parametrize("idle", [False, True])
@pytest.mark.parametrize(
    "network",
    [net for net in NETWORKS if min(net.units) > 1 and "mixing" not in net.name],
    ids=lambda network: network.name,
)
def test_units_that_differ_are_merged_by_the_norms_of_what_leads_away(network, idle):
    for group in network.groups:
        flat, last = drawn(network, 2), group.units - 1
        if idle:  # nothing leads away from any unit
            for view in units.views(network, flat, group).shared:
                view.zero_()
        for parent in range(last):
            narrow, found = units.merged(network, flat, group, torch.tensor([parent, last - 1]))
            for member, unit in enumerate((parent, last - 1)):
                params = named(network, flat[member])
                expected = row_of(narrow, by_hand(network, params, {group.name: list(range(last))}))
                merge_by_hand(network, narrow, group, params, named(narrow, expected), unit)
                torch.testing.assert_close(found[member], expected, rtol=1e-12, atol=1e-12)
