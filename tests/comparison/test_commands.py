from __future__ import annotations

import shlex

from escapedim.comparison.commands import command
from escapedim.comparison.study import Source, Study

from .cases import lottery, widen


def study(*argv: str) -> Study:
    made = widen() if argv[0] == "widen" else lottery()
    return Study([Source("a", made.config, made.result, ["/usr/bin/escapedim", *argv])])


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
