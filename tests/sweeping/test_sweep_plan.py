from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escapedim.errors import BadInput
from escapedim.sweeping.sweep_plan import Stage, SweepPlan, read


def write(tmp_path, text: str):
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    return path


def test_settings_are_the_product_of_all_parts(tmp_path):
    plan = read(
        write(
            tmp_path,
            """
            name: a
            command: widen
            base: {task: xor, lr: 1e-3}
            grid: {steps: [100it, 200it], dtype: [float32, float64]}
            zip: {widths: ["2:3", "4:5"], replicates: [10, 20]}
            list: [{activation: tanh}, {activation: relu, init: he-normal}]
            seeds: 3
            """,
        )
    )
    found = list(plan.settings())
    assert len(found) == plan.size == 2 * 2 * 2 * 2 * 3
    assert len({str(sorted(one.items())) for one in found}) == len(found)
    assert all(one["lr"] == 0.001 for one in found)
    assert {(one["widths"], one["replicates"]) for one in found} == {("2:3", 10), ("4:5", 20)}
    assert {one["seed"] for one in found} == {0, 1, 2}


@given(
    st.dictionaries(
        st.sampled_from(["lr", "steps", "dtype"]), st.lists(st.integers(), min_size=1, max_size=4, unique=True)
    ),
    st.one_of(st.none(), st.integers(1, 5), st.lists(st.integers(0, 99), min_size=1, max_size=4, unique=True)),
)
def test_the_size_is_the_number_of_settings(grid, seeds):
    stage = Stage.model_validate({"command": "train", "grid": grid, "seeds": seeds})
    found = list(stage.settings())
    assert len(found) == stage.size
    values = [grid[key] for key in grid]
    expected = list(itertools.product(*values))
    numbers = 1 if seeds is None else seeds if isinstance(seeds, int) else len(seeds)
    assert len(found) == len(expected) * numbers


def test_all_errors_are_told_at_once_with_their_places(tmp_path):
    path = write(
        tmp_path,
        """
        name: "a b"
        command: wide
        gird: {lr: [1]}
        grid: {lr: []}
        then:
          - {command: compare, sedes: 3}
          - {base: {}}
        """,
    )
    with pytest.raises(BadInput) as error:
        read(path)
    text = str(error.value)
    for words in ("gird: unknown key; did you mean 'grid'", "command: ", "name: ", "grid: lr has no values",
                  "then.0.sedes: unknown key; did you mean 'seeds'", "then.1.command: is missing"):  # fmt: skip
        assert words in text, (words, text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: a", "command: is missing"),
        ("- 1", "expected a mapping with name and command"),
        ("name: [", "not valid YAML"),
        ("name: a\ncommand: rewind", "rewind needs a stage with prune before it"),
        ("name: a\ncommand: train\nthen: [{command: compare}]", "then.0: compare needs a stage"),
        ("name: a\ncommand: train\nzip: {lr: [1], steps: [1, 2]}", "lists of different lengths"),
        ("name: a\ncommand: train\ngrid: {lr: [1]}\nzip: {lr: [2]}", "lr is in grid and in zip"),
        ("name: a\ncommand: train\ngrid: {seed: [1]}\nseeds: 2", "seed is in grid and in seeds"),
        ("name: a\ncommand: train\nseeds: 0", "a number of seeds, or a list"),
        ("name: a\ncommand: train\nseeds: true", "a number of seeds, or a list of them such as [0, 1, 5], found True"),
        ("name: a\ncommand: train\nseeds: '3'", "or a list of them such as [0, 1, 5], found '3'"),
        ("name: a\ncommand: train\nseeds: '0:3'", "or a list of them such as [0, 1, 5], found '0:3'"),
        ("name: a\ncommand: train\nseeds: [1, 2, 1]", "seeds: 1 is there twice"),
        ("name: a\ncommand: train\nlist: []", "list: expected settings of at least one run; leave it out"),
        ("name: a\ncommand: train\nlist: [{lr: 1}, {lr: 1}]", "list: {'lr': 1} is there twice"),
        ("name: a\ncommand: train\ngrid: {lr: [1, 2, 1]}", "grid: lr has 1 twice"),
        ("name: a\ncommand: prune\ngrid: {density: [null, null]}", "grid: density has None twice"),
        ("name: a\ncommand: train\ngrid: {lr: 1e-3}", "grid: lr is no list; write [0.001]"),
        ("name: a\ncommand: train\ngrid: {lr: [1]}\ngrid: {lr: [2]}", "the key 'grid' is there twice"),
        ("name: a\ncommand: train\nthen: [{command: train, name: b}]", "then.0.name: unknown key"),
        ("name: a\ncommand: trian", "command: expected train, prune, rewind, widen or compare, found 'trian'"),
        ("name: a\ncommand: train\nthen: [train]", "then.0: expected settings such as {command: compare}"),
        ("name: a\ncommand: train\nbase: 3", "base: expected settings such as {lr: 0.1}, found 3"),
        (
            "name: 1e-3\ncommand: train",
            "name: expected a word of letters, digits, '.', '_' and '-', up to 61, found",
        ),
        ("name: ../a\ncommand: train", "name: expected a word of letters, digits, '.', '_' and '-', up to 61"),
    ],
)
def test_other_plans_are_refused(tmp_path, text, words):
    with pytest.raises(BadInput, match=re.escape(words)):
        read(write(tmp_path, text))


def test_files_that_are_no_plans_are_refused(tmp_path):
    with pytest.raises(BadInput, match="cannot read"):
        read(tmp_path / "none.yaml")
    with pytest.raises(BadInput, match="not a regular file"):
        read(tmp_path)
    with pytest.raises(BadInput, match="larger than 1,048,576 bytes"):
        read(write(tmp_path, "#" * 2_000_000))


def test_stages_come_in_order():
    plan = SweepPlan.model_validate(
        {"name": "a", "command": "prune", "then": [{"command": "rewind"}, {"command": "compare"}]}
    )
    assert [stage.command for stage in plan.stages] == ["prune", "rewind", "compare"]
