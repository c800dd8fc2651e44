"""What the page for contributors says of plug-ins is true: its package works, end to end, through the real command."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from escapedim.errors import BadInput
from escapedim.training import networks
from escapedim.training.config import TrainConfig
from tests.training.plain import VALUES

PAGE = (Path(__file__).parent.parent / "docs" / "contributing.md").read_text()


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    """The package of the page, as an installer leaves it."""
    folder = tmp_path_factory.mktemp("package")
    code = re.search(r"`my_plugin.py`:.*?```python\n(.*?)```", PAGE, re.S)
    entries = re.search(r"of the package:\n\n```toml\n(.*?)```", PAGE, re.S)
    assert code
    assert entries
    (folder / "my_plugin.py").write_text(code[1])
    information = folder / "my_plugin-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: my-plugin\nVersion: 1.0\n")
    text = re.sub(r'\[project\.entry-points\."(.*?)"\]', r"[\1]", entries[1]).replace('"', "")
    (information / "entry_points.txt").write_text(text)
    return folder


def command(package: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(package), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return subprocess.run(
        [sys.executable, "-m", "escapedim", *arguments, "--jobs", "1"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


SMALL = ("--steps", "30it", "--task", "rings:radius=3")


@pytest.mark.parametrize("granularity", ["weight", "unit"])
def test_a_criterion_a_task_and_a_family_of_ones_own_prune(package, tmp_path, granularity):
    made = command(
        package, tmp_path, "prune", *SMALL, "--model", "residual:width=4", "--criterion", "late", "--rounds", "2",
        "--replicates", "2", "--granularity", granularity, "--quiet",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    summary = json.loads((tmp_path / "lottery.json").read_text())
    assert summary["config"]["task"] == "rings:radius=3"
    assert summary["config"]["model"] == "residual:width=4"
    rounds = summary["result"]["rounds"]
    assert [layer["name"] for layer in rounds[0]["layers"]] == [
        "read.weight",
        "in.weight",
        "out.weight",
        "write.weight",
    ]
    assert all(all(entry["invariants"].values()) for entry in rounds)
    assert rounds[2]["density"] < rounds[1]["density"] < 1


def test_a_family_of_ones_own_is_widened_with_its_residual_stream(package, tmp_path):
    made = command(
        package, tmp_path, "widen", *SMALL, "--model", "residual", "--widths", "1:3", "--replicates", "4", "--isolate",
        "1", "--subsets", "3", "--complement", "1", "--restarts", "1", "--success", "train_accuracy>=0.9", "--quiet",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    result = json.loads((tmp_path / "widen.json").read_text())["result"]
    assert [entry["width"] for entry in result["widths"]] == [1, 2, 3]
    assert [entry["parameters"] for entry in result["widths"]] == [
        2 * w + 4 * w * w + 2 * w + 2 * w + 2 for w in (1, 2, 3)
    ]
    assert {reason for entry in result["widths"] for reason in entry["reasons"]} == {
        "no surface is known for this kind of network"
    }
    assert result["isolation"]


def test_a_criterion_of_ones_own_refuses_in_its_own_words(package, tmp_path):
    made = command(package, tmp_path, "prune", "--task", "xor", "--criterion", "late")
    assert made.returncode == 2
    assert made.stderr.strip() == "escapedim: criterion late is for labels, and xor has none; use magnitude."


def test_a_package_that_cannot_be_imported_is_named_where_it_is_asked_for(package, tmp_path):
    (package / "broken-1.0.dist-info").mkdir()
    (package / "broken-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    entries = "[escapedim.criteria]\nbroken = nowhere:nothing\nodd = my_plugin:rings\n"
    (package / "broken-1.0.dist-info" / "entry_points.txt").write_text(entries)
    asked = command(package, tmp_path, "prune", "--criterion", "broken", "--dry-run")
    assert asked.returncode == 2
    assert "escapedim.criteria broken = nowhere:nothing: cannot be imported" in asked.stderr
    odd = command(package, tmp_path, "prune", "--criterion", "odd", "--dry-run")
    assert odd.returncode == 2
    assert "expected a Criterion, found function; mend that package." in odd.stderr
    assert command(package, tmp_path, "prune", "--dry-run").returncode == 0


def imported(package: Path) -> ModuleType:
    """The module of the package, which other tests must not find installed."""
    spec = spec_from_file_location("my_plugin_of_this_test", package / "my_plugin.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


WRONG = {
    "outputs": ("class Wrong(Residual):\n    def apply(self, params, x):\n        return x[:, :1]",
                "expected outputs (samples, 2), found (2, 1); mend its apply."),
    "name": ("class Wrong(Residual):\n    name = 'same'\n", "mend its resized or name."),
    "parts": ("class Wrong(Residual):\n    @property\n    def groups(self):\n"
              "        return (UnitGroup('g', 99, incoming=(Part('read.weight', 0),)),)\n", "mend"),
    "raises": ("class Wrong(Residual):\n    def apply(self, params, x):\n        raise RuntimeError('odd')\n",
               "RuntimeError: odd; mend that family."),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_network_that_does_not_keep_to_the_contract_is_refused_before_it_is_trained(package, monkeypatch, case):
    code, words = WRONG[case]
    my_plugin = imported(package)
    scope = dict(vars(my_plugin))
    exec(code, scope)  # a class of the test's own
    monkeypatch.setattr(my_plugin, "Residual", scope["Wrong"])
    config = TrainConfig(**{**VALUES, "model": "mlp", "hidden": (3,)}).model_copy(
        update={"model": "residual", "hidden": ()}
    )
    monkeypatch.setattr(networks, "family", lambda name: my_plugin.residual)
    with pytest.raises(BadInput) as refusal:
        networks.network_of(config, my_plugin.rings(2.0))
    assert words in str(refusal.value)


def test_a_network_without_units_has_no_width(package, monkeypatch):
    my_plugin = imported(package)
    monkeypatch.setattr(my_plugin.Residual, "groups", ())
    monkeypatch.setattr(networks, "family", lambda name: my_plugin.residual)
    config = TrainConfig(**VALUES).model_copy(update={"model": "residual", "hidden": ()})
    with pytest.raises(BadInput, match="expected 4 units in the first group at width 4, found no group"):
        networks.network_of_width(config, my_plugin.rings(2.0), 4)
