from __future__ import annotations

import pytest
import torch

from escapedim.comparison.tickets import complement_index
from escapedim.training.work import Context
from escapedim.widening.complement import is_deterministic
from escapedim.widening.experiment import widen_experiment
from escapedim.widening.subnetworks import taken
from tests.training.plain import toy

from .test_experiment import done, small

PROBLEM = toy("cross-entropy")
OPTIONS = {
    "widths": (2, 3),
    "complement": 2,
    "success": "train_accuracy>=0.6",
    "steps": "25it",
    "replicates": 12,
    "draws": 3,
    "init": "normal:std=0.5",
}


def run(**changes):
    experiment = widen_experiment(small(**{**OPTIONS, **changes}), PROBLEM.task)
    return experiment, *done(experiment)


def counted(metrics, width: int) -> list[bool]:
    return [
        success
        for key in sorted(metrics)
        if key.startswith(f"width-{width:06d}-members")
        for success in metrics[key]["columns"]["success"]
    ]


def successes(metrics, part: str) -> dict[int, int]:
    found: dict[int, int] = {}
    for key, own in metrics.items():
        if part in key:
            for ticket, success in zip(own["ticket"], own["columns"].get("success", []), strict=True):
                found[ticket] = found.get(ticket, 0) + success
    return found


def test_tickets_are_the_networks_that_won_or_lost_and_are_counted_as_they_did():
    _, result, metrics = run()
    (entry,) = result.complement
    narrow, wide = counted(metrics, 2), counted(metrics, 3)
    for kind, tickets, won in (("winners", entry.winners, True), ("losers", entry.losers, False)):
        chosen = [n for n, success in enumerate(narrow) if success is won]
        assert [ticket.replicate for ticket in tickets.tickets] == chosen
        assert chosen
        for scale in ("1", "3", "10"):
            assert {t.replicate: t.successes[scale] for t in tickets.tickets} == successes(metrics, f"{kind}-{scale}-")
        assert {t.replicate: t.retest for t in tickets.tickets} == successes(metrics, f"{kind}-retest-")
        assert [one.networks for one in tickets.surrounded] == [3 * len(chosen)] * 3
    assert (entry.fresh.count, entry.fresh.of) == (sum(wide), 12)
    shares = [(ticket.successes["1"] / 3, ticket.retest / 3) for ticket in entry.winners.tickets]
    expected = complement_index(shares, (sum(wide), 12))
    assert (entry.index.value, entry.index.interval, entry.reason) == (
        expected.value,
        expected.interval,
        expected.reason,
    )


def test_no_more_tickets_than_were_asked_for():
    _, result, metrics = run(tickets=2)
    (entry,) = result.complement
    won = [n for n, success in enumerate(counted(metrics, 2)) if success]
    assert [ticket.replicate for ticket in entry.winners.tickets] == won[:2]


def unit_of(experiment, part: str):
    return next(unit for unit in experiment.works if part in unit.key)


def test_a_ticket_stands_among_fresh_units_of_the_scale_that_the_arm_says():
    experiment, _, _ = run()
    arrays = {}
    for unit in experiment.works:
        if unit.key.startswith("width-000002"):
            context = Context(PROBLEM.task, PROBLEM.data, "cpu", lambda members: False)
            arrays[unit.key] = unit(context, {}, None).arrays
    begun = {}
    for scale in ("1", "3", "10"):
        unit = unit_of(experiment, f"winners-{scale}-")
        begun[scale] = unit.begin(unit.setting, PROBLEM.task, arrays)
    wide = unit.setting.model
    narrow = unit_of(experiment, "width-000002").setting
    tickets = begun["1"].labels["ticket"]
    assert len(tickets) == 3 * len(set(tickets)) > 0
    for starts in begun.values():
        first = taken(wide, starts.rows, [((0, 1),)] * len(starts.rows))
        assert torch.equal(first, narrow.drawn(tickets))
        assert starts.labels["ticket"] == tickets
        assert len(set(starts.order_seeds)) == len(tickets)  # every draw of every ticket has its own order
    rest = {scale: taken(wide, starts.rows, [((2, 2),)] * len(starts.rows)) for scale, starts in begun.items()}
    assert torch.allclose(rest["3"][:, :8], 3 * rest["1"][:, :8], rtol=1e-12)
    assert torch.allclose(rest["10"][:, :8], 10 * rest["1"][:, :8], rtol=1e-12)
    assert len({tuple(row[:4].tolist()) for row in rest["1"]}) == len(tickets)


def test_retests_have_other_data_orders_and_the_same_weights():
    experiment, _, _ = run()
    narrow = unit_of(experiment, "width-000002").setting
    retest = unit_of(experiment, "winners-retest")
    assert retest.setting == narrow
    own = set(narrow.orders(range(12)))
    assert not own & {seed for n in range(3) for seed in narrow.orders(range(12), f"retest draw {n} ")}


def test_deterministic_training_needs_no_retest_and_its_index_is_exact():
    experiment, result, _ = run(batch_size="full", optimizer="gd", lr=0.2, replicates=14, success="train_accuracy>=0.7")
    assert not any("retest" in unit.key for unit in experiment.works)
    (entry,) = result.complement
    assert entry.deterministic
    assert entry.winners.tickets
    assert all(ticket.retest is None for ticket in (*entry.winners.tickets, *entry.losers.tickets))
    assert (entry.winners.retest.value, entry.losers.retest.value) == (1.0, 0.0)
    exact = complement_index([(t.successes["1"] / 3, None) for t in entry.winners.tickets], (entry.fresh.count, 14))
    assert (entry.index.value, entry.index.interval) == (exact.value, exact.interval)


def test_a_deterministic_ticket_that_is_rescaled_is_tested_again_once():
    experiment, result, _ = run(batch_size="full", optimizer="gd", lr=0.2, init="lecun-normal", replicates=14)
    (entry,) = result.complement
    assert entry.rescaled == pytest.approx({"layer2.weight": (2 / 3) ** 0.5})
    units = [unit for unit in experiment.works if "retest" in unit.key]
    assert units
    assert entry.winners.tickets
    assert all(is_deterministic(unit.setting) for unit in units)
    assert all(ticket.retest in (0, 1) for ticket in entry.winners.tickets)
