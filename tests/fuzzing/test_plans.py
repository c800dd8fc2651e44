"""YAML with something wrong in it, as a plan of `sweep` and as a `--config` file; nothing is run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import strategies as st

from tests.fuzzing.harness import CAMPAIGNS, assert_done_or_refused, campaign, command
from tests.fuzzing.mutations import Draw, damaged, documents, one_of

SWEEPS = sorted((Path(__file__).parents[2] / "sweeps").glob("*.yaml"))
PLANS: list[Any] = [
    {
        "name": "tiny",
        "command": "prune",
        "base": {"task": "digits", "hidden": [4, 3], "rounds": 1, "replicates": 2, "steps": "20it", "lr": 0.001},
        "grid": {"optimizer": ["adam", "sgd:momentum=0.9"], "dtype": ["float32", "float64"]},
        "zip": {"batch_size": [10, "full"], "activation": ["relu", "tanh"]},
        "list": [{"fraction": 0.2}, {"fraction": 0.5}],
        "seeds": [0, 3],
        "then": [
            {"command": "rewind", "base": {"retrain": "weights", "to": "init", "round": 1}},
            {"command": "widen", "base": {"task": "xor", "widths": "2:4"}, "seeds": 2},
            {"command": "compare", "base": {"allow": ["lr", "steps"], "margin": 0.1}},
        ],
    },
    {"name": "a", "command": "train", "base": {"task": "parity:n=6,k=2"}, "seeds": 2},
]
CONFIGS: list[Any] = [
    {
        "task": "digits",
        "hidden": [5],
        "rounds": 2,
        "steps": "10it",
        "lr": 1e-3,
        "arms": ["ticket", "random"],
        "seed": 1,
    },
    {"fraction": 0.3, "schedule": "cosine:warmup=10%", "optimizer": "adamw", "keep": ["0it", "50%"], "batch_size": 10},
]


def bomb(levels: int, wide: int) -> str:
    """A value of a few hundred characters that says `wide ** levels` values, by aliases of aliases."""
    parts = [f"&a0 [{', '.join(['x'] * wide)}]"]
    parts += [f"&a{n} [{', '.join([f'*a{n - 1}'] * wide)}]" for n in range(1, levels)]
    return f"[{', '.join(parts)}]"


ODD_YAML = (
    "2026-01-01", "2026-01-01 10:00:00", "!!set {a, b}", "!!binary aGVsbG8=", "!!omap [a: 1]", "!!timestamp x",
    "!!python/name:os.system", "!!float x", "!!int 1e3", "!!null 1", "!!bool x", "!!float ''", "!x 1",
    "{[1, 2]: 3}", "{1: 2}", "{null: 1}",
    "{2026-01-01: 1}", "&a [*a]", "&a {a: *a}", "{<<: {seeds: 3}}", "{<<: [1]}", ".nan", "-.inf", "1e999", "9" * 5000,
    "0x1F", "1_000", "1:30", "~", "no", "=", "? {a: 1}\n: 2", "'\\ud800'", '"\\ud800"', "\x00", "\ufeff1",
    "1" * 20_000 + "x", "1" * 500_000, "1." * 9000, "'\x1b[31m'", '"\\e[31m\\a"', '"a\\0b"', "[" * 60_000,
    "|\n  a\n  b", "- - - 1", "[" * 600, "{a: " * 400, bomb(3, 3), bomb(9, 9), bomb(40, 2),
)  # fmt: skip


def dumped(content: Any, **how: bool) -> str:
    """A document as YAML, however deeply it is nested: PyYAML takes three calls a level."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        return yaml.safe_dump(content, **how)
    finally:
        sys.setrecursionlimit(limit)


@st.composite
def yaml_files(draw: Draw, valid: list[Any]) -> bytes:
    """The bytes of a YAML file: another document, odd text in place of a value, or damaged bytes."""
    form = one_of(draw, ("document", "document", "document", "odd", "odd", "damaged"))
    if form == "damaged":
        return draw(damaged([yaml.safe_dump(one).encode() for one in valid]))
    if form == "odd":
        marked = documents(valid, st.just("@@"))
        text = dumped(draw(marked), default_flow_style=draw(st.booleans()))
        text = text.replace("'@@'", one_of(draw, ODD_YAML)).replace("digits", one_of(draw, ("digits", *ODD_YAML)))
        return text.encode("utf-8", "surrogatepass")
    text = dumped(draw(documents(valid)), allow_unicode=draw(st.booleans()))
    return text.encode("utf-8", "surrogatepass")


@CAMPAIGNS
def test_mutated_plans(inputs, tmp_path, estimated_here):
    path = tmp_path / "plan.yaml"

    def check(raw: bytes) -> None:
        path.write_bytes(raw)
        assert_done_or_refused(command("sweep", path, "--dry-run", "--out", tmp_path / "out"))
        assert not (tmp_path / "out").exists()

    campaign(inputs, yaml_files(PLANS), check)


@st.composite
def multiplied(draw: Draw) -> dict[str, Any]:
    """A plan whose stages have any number of runs, in settings that are checked in no time."""
    sizes = st.sampled_from([1, 2, 3, 40, 999, 100_001, 2**40])
    counts = st.sampled_from([1, 2, 3, 40, 1001])
    later = [
        {"command": name, "base": {}, "grid": {key: list(range(1, draw(counts) + 1))}}
        for name, key in draw(st.lists(st.sampled_from([("rewind", "draws"), ("compare", "seed")]), unique=True))
    ]
    return {"name": "a", "command": "prune", "base": {"task": "xor", "rounds": 1}, "seeds": draw(sizes), "then": later}


@CAMPAIGNS
def test_plans_whose_stages_multiply(inputs, tmp_path):
    path = tmp_path / "plan.yaml"

    def check(plan: dict[str, Any]) -> None:
        path.write_text(yaml.safe_dump(plan))
        ended = command("sweep", path, "--status", "--json", "--out", tmp_path / "out")
        assert_done_or_refused(ended)
        pruned = compared = total = plan["seeds"]
        refused = pruned > 100_000
        for stage in plan["then"]:
            (values,) = stage["grid"].values()
            if stage["command"] == "rewind":
                total, compared = total + len(values) * pruned, compared + len(values) * pruned
            else:
                total, refused = total + len(values), refused or len(values) * compared > 1_000_000
        refused |= total > 100_000
        assert (ended.code == 2) == refused
        assert refused or json.loads(ended.out)["counts"] == {"missing": total}

    campaign(max(5, inputs // 100), multiplied(), check)


@CAMPAIGNS
def test_mutated_configurations(inputs, tmp_path):
    path, out = tmp_path / "config.yaml", tmp_path / "lottery.json"

    def check(raw: bytes) -> None:
        path.write_bytes(raw)
        assert_done_or_refused(command("prune", "--config", path, "--dry-run", "--out", out))

    campaign(inputs, yaml_files(CONFIGS), check)


@pytest.mark.parametrize("key", ["base: {lr", "grid: {lr", "zip: {lr", "list: [{lr", "then: [{base"])
@pytest.mark.parametrize("value", [bomb(12, 12), bomb(60, 2), "&a [*a]"], ids=["wide", "deep", "endless"])
def test_aliases_of_aliases_are_refused(tmp_path, key, value):
    (tmp_path / "bomb.yaml").write_text(f"name: a\ncommand: train\n{key}: {value}}}{']' * key.count('[')}")
    plan = command("sweep", tmp_path / "bomb.yaml", "--dry-run")
    (tmp_path / "bomb.yaml").write_text(f"lr: {value}")
    for ended in (plan, command("prune", "--config", tmp_path / "bomb.yaml", "--dry-run")):
        assert ended.code == 2
        assert_done_or_refused(ended)


@pytest.mark.parametrize("number", range(2))
def test_what_is_mutated_is_valid(number, tmp_path, estimated_here):
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(PLANS[number]))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIGS[number]))
    plan = command("sweep", tmp_path / "plan.yaml", "--dry-run", "--out", tmp_path / "out")
    assert (plan.code, plan.err) == (0, "")
    config = command("prune", "--config", tmp_path / "config.yaml", "--dry-run", "--out", tmp_path / "lottery.json")
    assert (config.code, config.err) == (0, "")
