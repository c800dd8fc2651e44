from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from escapedim.sweeping.runner import Asked, chosen
from escapedim.sweeping.runs import expand
from escapedim.sweeping.slurm import Array, Cluster, Place, array_script, arrays, collect_script, time_limit_s
from escapedim.sweeping.sweep_plan import SweepPlan

SCRIPTS = Path(__file__).parents[2] / "scripts" / "slurm"
PLAN = SweepPlan.model_validate({"name": "a", "command": "prune", "seeds": 60, "then": [{"command": "rewind"}]})
PLACE = Place(Path("/plans/my plan.yaml"), Path("/data/out"), Path("/work dir"), "/env/bin/python")


def script(cluster: Cluster | None = None, stage: int = 0, number: int = 0) -> str:
    cluster = cluster or Cluster()
    return array_script(PLAN, arrays(expand(PLAN), (), stage, cluster)[number], cluster, PLACE)


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
    ("cluster", "ranges"),
    [
        (Cluster(), ["0-59"]),
        (Cluster(largest=60), ["0-59"]),
        (Cluster(largest=59), ["0-58", "0"]),
        (Cluster(array_limit=25), ["0-24", "0-24", "0-9"]),
        (Cluster(array_limit=25, largest=40), ["0-24", "0-24", "0-9"]),
        (Cluster(array_limit=50, largest=40, running=3), ["0-39%3", "0-19%3"]),
    ],
)
def test_beyond_the_limits_a_stage_has_several_arrays(cluster, ranges):
    numbers = range(len(arrays(expand(PLAN), (), 0, cluster)))
    assert [directives(script(cluster, number=number))["array"] for number in numbers] == ranges


@pytest.mark.parametrize("cluster", [Cluster(), Cluster(largest=7), Cluster(runs_per_task=7, array_limit=4)])
def test_the_tasks_of_all_arrays_are_the_runs_of_the_stage(cluster):
    """What the script's own arithmetic says, as bash does it, against what a sweep takes for its shard."""
    every, taken = expand(PLAN), list[str]()
    for number, array in enumerate(arrays(every, (), 0, cluster)):
        text = script(cluster, number=number)
        shard = re.search(r'--shard ("[^"]+")', text)
        assert shard
        tasks = " ".join(map(str, array.tasks))
        echo = f"for SLURM_ARRAY_TASK_ID in {tasks}; do echo {shard[1]}; done"
        for line in subprocess.check_output(["bash", "-c", echo], text=True).split():
            index, of = map(int, line.split("/"))
            taken += [run.name for run in chosen(every, Asked(jobs=1, shard=(index, of), stage=0))]
    assert sorted(taken) == sorted(run.name for run in every if run.stage == 0)


def test_only_tasks_with_something_to_do_are_asked_for():
    every = expand(PLAN)
    names = [run.name for run in every if run.stage == 0]
    done = {*names[:1], *names[4:30], *names[31:59]}
    assert arrays(every, done, 0, Cluster(largest=32)) == [
        Array(stage=0, number=0, shards=60, first=0, tasks=(1, 2, 3, 30)),
        Array(stage=0, number=1, shards=60, first=32, tasks=(27,)),
    ]
    one = arrays(every, done, 0, Cluster())[0]
    assert directives(array_script(PLAN, one, Cluster(running=2), PLACE))["array"] == "1-3,30,59%2"
    assert arrays(every, set(names), 0, Cluster()) == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 5400), ("90:30", 5430), ("1:30:05", 5405), ("1-6", 108000), ("1-6:30", 109800), ("2-0:0:1", 172801),
     ("", None), ("x", None), ("1h", None), ("1:2:3:4", None)],
)  # fmt: skip
def test_time_limits_are_read_as_sbatch_reads_them(text, seconds):
    assert time_limit_s(text) == seconds


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
    for line in (
        "trap again USR1",
        "trap stop TERM",
        "[ $code -ge 128 ] || exit $code",
    ):
        assert line in text
        assert line in script()
    one = '"$SLURM_JOB_ID"' if name == "single.sbatch" else '"${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"'
    assert f"scontrol requeue {one} && exit 0\n" in text
    assert _requeue(text) == _requeue(script())


def _requeue(text: str) -> list[str]:
    """The lines that ask for the requeue again and again, without the name of the job."""
    asked = text[text.index("for pause in") : text.index("# Cancelled")]
    return re.sub(r'requeue "\S+"', "requeue", asked).splitlines()


FAKE = """#!/bin/bash
echo "$@" >> {folder}/scontrol.txt
[ $(wc -l < {folder}/scontrol.txt) -gt {fails} ]
"""


@pytest.mark.parametrize(
    ("sent", "code", "fails", "asked", "ends"),
    [
        ("USR1", 143, 0, 1, 0), ("USR1", 138, 0, 1, 0), ("USR1", 0, 0, 0, 0), ("USR1", 1, 0, 0, 1),
        ("TERM", 143, 0, 0, 143), ("USR1", 143, 2, 3, 0), ("USR1", 143, 9, 3, 143),
    ],
)  # fmt: skip
def test_a_task_is_requeued_when_its_time_is_up_and_not_when_it_is_cancelled(tmp_path, sent, code, fails, asked, ends):
    """The script itself, with a sweep that saves for a moment after a signal and an scontrol that writes it down.

    Where scontrol goes on failing, the job must not end as if all were well.
    """
    (tmp_path / "scontrol").write_text(FAKE.format(folder=tmp_path, fails=fails))
    (tmp_path / "sleep").write_text("#!/bin/bash\nexec /bin/sleep 0.1\n")
    (tmp_path / "python").write_text(
        f"#!/bin/bash\ntrap 'sleep 0.3; echo saved > {tmp_path}/saved.txt; exit {code}' USR1 TERM\n"
        f"touch {tmp_path}/started.txt\nfor _ in $(seq 100); do sleep 0.1; done\n"
    )
    for name in ("scontrol", "sleep", "python"):
        (tmp_path / name).chmod(0o755)
    place = Place(tmp_path / "p.yaml", tmp_path, tmp_path, str(tmp_path / "python"))
    (tmp_path / "a.sbatch").write_text(array_script(PLAN, Array(0, 0, 60, 0, (0,)), Cluster(), place))
    test = (
        f"bash {tmp_path}/a.sbatch & job=$!; until [ -e {tmp_path}/started.txt ]; do sleep 0.05; done; sleep 0.2; "
        f"kill -{sent} $job; wait $job; echo $?"
    )
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "3"}
    ended = subprocess.run(["bash", "-c", test], env=environment, capture_output=True, text=True, timeout=30)
    assert (tmp_path / "saved.txt").exists()
    log = tmp_path / "scontrol.txt"
    assert (log.read_text().splitlines() if log.exists() else []) == asked * ["requeue 7_3"]
    assert ended.stdout.split()[-1] == str(ends)


def test_more_for_sbatch_and_for_the_sweep_of_a_task():
    text = script(Cluster(directives=("gres=gpu:1", "exclusive"), device="cuda", retry=False))
    assert directives(text)["gres"] == "gpu:1"
    assert "exclusive" in directives(text)
    assert '--jobs 1 --device cuda --no-retry --shard "$SLURM' in text
