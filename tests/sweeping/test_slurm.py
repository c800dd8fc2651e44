from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from escapedim.sweeping.plan import Plan
from escapedim.sweeping.runs import expand
from escapedim.sweeping.slurm import Cluster, Place, array_script, collect_script, tasks

SCRIPTS = Path(__file__).parents[2] / "scripts" / "slurm"
PLAN = Plan.model_validate({"name": "a", "command": "prune", "seeds": 60, "then": [{"command": "rewind"}]})
PLACE = Place(Path("/plans/my plan.yaml"), Path("/data/out"), Path("/work dir"), "/env/bin/python")


def script(cluster: Cluster | None = None, stage: int = 0) -> str:
    return array_script(PLAN, expand(PLAN), stage, cluster or Cluster(), PLACE)


def directives(text: str) -> dict[str, str]:
    return dict(re.findall(r"^#SBATCH --([a-z-]+)(?:=(.*))?$", text, re.MULTILINE))


def test_a_stage_is_an_array_with_a_task_for_every_run():
    found = directives(script(Cluster(time="1:00:00", partition="gpu", cpus=4, running=5, notice_s=60)))
    assert found["array"] == "0-59%5"
    assert found["time"] == "1:00:00"
    assert found["partition"] == "gpu"
    assert found["cpus-per-task"] == "4"
    assert found["signal"] == "B:USR1@60"
    assert found["open-mode"] == "append"
    assert "requeue" in found
    assert "'/plans/my plan.yaml'" in script()
    assert "cd '/work dir' || exit 1" in script()
    assert '--stage 1 --jobs 1 --shard "$SLURM_ARRAY_TASK_ID/60"' in script(stage=1)


@pytest.mark.parametrize(
    ("cluster", "count"),
    [(Cluster(), 60), (Cluster(array_limit=10), 10), (Cluster(largest=31), 30), (Cluster(array_limit=1), 1)],
)
def test_beyond_the_limits_tasks_take_several_runs(cluster, count):
    assert tasks(expand(PLAN), 0, cluster) == count
    assert directives(script(cluster))["array"] == f"0-{count - 1}"
    assert f'"$SLURM_ARRAY_TASK_ID/{count}"' in script(cluster)


def test_the_last_job_collects():
    text = collect_script(PLAN, Cluster(), PLACE)
    assert "array" not in directives(text)
    assert text.rstrip().endswith("--out /data/out --collect")


@pytest.mark.parametrize("text", [script(), collect_script(PLAN, Cluster(), PLACE)], ids=["array", "collect"])
def test_scripts_are_bash(text, tmp_path):
    path = tmp_path / "a.sbatch"
    path.write_text(text)
    subprocess.run(["bash", "-n", str(path)], check=True)


@pytest.mark.parametrize("name", ["sweep-array.sbatch", "single.sbatch"])
def test_the_scripts_to_edit_are_bash_and_ask_for_the_same(name):
    text = (SCRIPTS / name).read_text()
    subprocess.run(["bash", "-n", str(SCRIPTS / name)], check=True)
    found = directives(text)
    assert found["signal"].startswith("B:USR1@")
    assert "requeue" in found
    assert found["open-mode"] == "append"
    for line in ("trap again USR1", "trap stop TERM", '[ $? -ne 143 ] || scontrol requeue "$SLURM_JOB_ID"'):
        assert line in text
        assert line in script()


FAKE = """#!/bin/bash
echo "$@" >> {folder}/scontrol.txt
"""


@pytest.mark.parametrize(("sent", "code", "requeued"), [("USR1", 143, True), ("USR1", 0, False), ("TERM", 143, False)])
def test_a_task_is_requeued_when_its_time_is_up_and_not_when_it_is_cancelled(tmp_path, sent, code, requeued):
    """The script itself, with a sweep that saves for a moment after a signal and an scontrol that writes it down."""
    (tmp_path / "scontrol").write_text(FAKE.format(folder=tmp_path))
    (tmp_path / "python").write_text(
        f"#!/bin/bash\ntrap 'sleep 0.3; echo saved > {tmp_path}/saved.txt; exit {code}' USR1 TERM\n"
        f"touch {tmp_path}/started.txt\nfor _ in $(seq 100); do sleep 0.1; done\n"
    )
    for name in ("scontrol", "python"):
        (tmp_path / name).chmod(0o755)
    place = Place(tmp_path / "p.yaml", tmp_path, tmp_path, str(tmp_path / "python"))
    (tmp_path / "a.sbatch").write_text(array_script(PLAN, expand(PLAN), 0, Cluster(), place))
    test = (
        f"bash {tmp_path}/a.sbatch & job=$!; until [ -e {tmp_path}/started.txt ]; do sleep 0.05; done; sleep 0.2; "
        f"kill -{sent} $job; wait $job; echo $?"
    )
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SLURM_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "0"}
    ended = subprocess.run(["bash", "-c", test], env=environment, capture_output=True, text=True, timeout=30)
    assert (tmp_path / "saved.txt").exists()
    assert (tmp_path / "scontrol.txt").exists() == requeued
    assert ended.stdout.split()[-1] == ("143" if sent == "TERM" else "0")
    if requeued:
        assert (tmp_path / "scontrol.txt").read_text() == "requeue 7\n"
