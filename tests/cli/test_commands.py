from __future__ import annotations

from escapedim.cli.commands import PRUNE, TRAIN
from escapedim.cli.settings import Given, resolve
from escapedim.pruning.config import PruneConfig
from escapedim.training.config import TrainConfig


def test_extended_never_shrinks_what_is_recorded():
    config = resolve(PruneConfig, Given({"rounds": 2, "replicates": 3})).config
    keys = ["round-005-replicate-0001", "round-000-replicate-0007"]
    extended = PRUNE.extended(config, keys)
    assert (extended.rounds, extended.replicates) == (5, 8)
    assert PRUNE.extended(config, []) == config
    assert TRAIN.extended(resolve(TrainConfig, Given({})).config, ["replicates-000004-000009"]).replicates == 10


def test_estimate_counts_what_is_run():
    settings = resolve(PruneConfig, Given({"rounds": 2, "replicates": 3, "steps": "100it", "rewind_to": "10it"}))
    estimate = PRUNE.estimate(settings.config, settings.task)
    assert estimate.networks == 3 * (1 + 2 * 4)
    assert estimate.net_steps == 3 * (100 + 2 * 4 * 90)
    assert estimate.net_steps == PRUNE.experiment(settings.config, settings.task).net_steps
