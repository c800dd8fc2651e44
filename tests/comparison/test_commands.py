from __future__ import annotations

import shlex

from escapedim.comparison.commands import again, command, rewind
from escapedim.comparison.study import Study, StudySource

from .cases import lottery, widen


def study(*argv: str) -> Study:
    made = widen() if argv[0] == "widen" else lottery()
    return Study([StudySource("a", made.config, made.result, ["/usr/bin/escapedim", *argv])])


def test_the_command_of_the_summary_is_kept_and_what_is_missing_added():
    own = study("widen", "--task", "digits", "--widths=6:9", "--lazy", "--out", "a.json", "--quiet", "--jobs", "2")
    assert command(own, "widen", {"--isolate": "6"}) == "escapedim widen --task digits --widths 6:9 --lazy --isolate 6"
    assert command(own, "widen", {"--widths": "4"}, ("--lazy",)) == "escapedim widen --task digits --widths 4"


def test_another_command_takes_task_and_recipe_only():
    own = study("prune", "--task", "npz:my data.npz", "--rounds", "3", "--lr", "0.1", "-o", "init=normal:std=3")
    found = command(own, "widen", {"--escape": None})
    assert shlex.split(found) == [
        "escapedim", "widen", "--task", "npz:my data.npz", "--lr", "0.1", "-o", "init=normal:std=3", "--escape",
    ]  # fmt: skip


def test_without_a_command_line_there_is_the_default():
    assert command(Study([]), "prune", {}) == "escapedim prune"


def test_a_file_of_settings_is_about_one_command_only():
    own = study("widen", "--config", "widen.yaml", "--quiet")
    assert command(own, "widen", {"--isolate": "6"}) == "escapedim widen --config widen.yaml --isolate 6"
    found = shlex.split(command(own, "prune", {}))
    assert found == [
        "escapedim", "prune", "--task", "relu-teacher:k=6", "--activation", "relu", "--steps", "200000it", "--lr",
        "0.1", "--optimizer", "gd", "--schedule", "constant", "--batch-size", "full", "--dtype", "float64",
        "--seed", "0", "-o", "init=lecun-normal",
    ]  # fmt: skip


def test_a_run_that_widened_another_has_no_command_of_its_own():
    own = study("widen", "--from", "lottery.json", "--task", "digits", "--by", "2")
    assert command(own, "widen", {"--isolate": "6"}) == "escapedim widen --task digits --isolate 6"


def test_tickets_are_trained_under_two_orders_after_they_were_found():
    assert rewind(study("widen", "--task", "digits")) == (
        "escapedim prune --task digits && escapedim rewind lottery.json --instability"
    )
    own = study("prune", "--task", "digits")
    files = StudySource("a", own.sources[0].config, own.sources[0].result, own.sources[0].argv, ["my lottery.json"])
    assert rewind(Study([files])) == "escapedim rewind 'my lottery.json' --instability"
    assert again(Study([files]), {"--minimal": "4"}) == "escapedim compare 'my lottery.json' --minimal 4"
