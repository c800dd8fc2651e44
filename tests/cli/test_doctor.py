from __future__ import annotations

import json

import pytest

from escapedim.cli import doctor
from tests.cli.conftest import Cli


def test_block_names_versions_device_threads_slurm_and_folders(cli: Cli, tmp_path):
    ended = cli("doctor")
    assert ended.code == 0
    for key in (
        "escapedim",
        "python",
        "torch",
        "cores",
        "memory",
        "threads",
        "cuda",
        "slurm",
        "plans",
        "working folder",
    ):
        assert any(line.startswith(key + " ") for line in ended.out.splitlines()), key
    assert f"{tmp_path} (writable)" in ended.out


def test_json_has_the_same_facts(cli: Cli):
    facts = json.loads(cli("doctor", "--json").out)
    assert set(facts) == set(doctor.collect())


def test_missing_package_and_missing_slurm_are_facts_not_failures(monkeypatch):
    monkeypatch.setattr(doctor, "PACKAGES", ("no-such-package",))
    monkeypatch.setenv("PATH", "")
    facts = doctor.collect()
    assert facts["no-such-package"] == "not installed"
    assert facts["slurm"] == "no commands on the path"


@pytest.mark.parametrize("folder", ["/proc"])
def test_folder_that_cannot_be_written(folder):
    from pathlib import Path

    assert doctor._writable(Path(folder)).startswith("not writable")
