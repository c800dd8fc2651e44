import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest

from escapedim.errors import BadInput, EscapedimError
from escapedim.records import claim as claims
from escapedim.records import holder as holders
from escapedim.records.claim import Claim, ClaimLost
from escapedim.records.holder import Holder

HOLD = """
import sys, time
from pathlib import Path
from escapedim.records.claim import Claim
Claim.acquire(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(120)
"""
CONTENDERS = 4
ROUNDS = 6


def files(folder):
    return sorted(entry.name for entry in folder.iterdir())


def write_claim(folder, number=1, age_s=0.0, **changes):
    """Put a claim there as another process would have, its last heartbeat `age_s` ago."""
    values = Holder.this_process().model_dump() | {"token": "theirs"} | changes
    path = folder / f"claim-{number:04d}.json"
    path.write_text(json.dumps(values))
    set_age(path, age_s)
    return path


def set_age(path, age_s):
    moment = time.time() - age_s
    os.utime(path, (moment, moment))


@pytest.fixture
def holder_elsewhere(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def contend(folders, barrier, answers):
    for folder in folders:
        barrier.wait(timeout=60)
        try:
            held = Claim.acquire(folder)
        except BadInput:
            held = None
        answers.put((folder, held is not None))
        barrier.wait(timeout=60)
        if held:
            held.verify()
            held.release()


def test_of_processes_that_start_at_once_exactly_one_holds(tmp_path):
    folders = [tmp_path / str(number) for number in range(ROUNDS)]
    for number, folder in enumerate(folders):
        folder.mkdir()
        if number % 2:  # a takeover, where all of them see the same stale claim
            write_claim(folder, number=3, host="lost-node", age_s=3600)
    spawn = multiprocessing.get_context("spawn")
    barrier, answers = spawn.Barrier(CONTENDERS), spawn.Queue()
    processes = [spawn.Process(target=contend, args=(folders, barrier, answers)) for _ in range(CONTENDERS)]
    for process in processes:
        process.start()
    said = [answers.get(timeout=60) for _ in range(CONTENDERS * ROUNDS)]
    for process in processes:
        process.join(timeout=60)
    assert [process.exitcode for process in processes] == [0] * CONTENDERS
    assert Counter(folder for folder, held in said if held) == Counter(folders)
    assert [len(files(folder)) for folder in folders] == [1] * ROUNDS


def test_content(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "4709")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    with Claim.acquire(tmp_path) as held:
        content = json.loads(held.path.read_text())
    assert files(tmp_path) == ["claim-0001.json"]
    assert content["pid"] == os.getpid()
    assert content["slurm"] == {"job": "4711", "array_job": "4709", "array_task": "3", "restarts": "1"}
    assert content["released"] is False
    assert len(content["token"]) == 32


def test_no_slurm_job_is_null(tmp_path, monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert Holder.this_process().slurm is None


def test_refused_while_the_holder_lives(tmp_path, holder_elsewhere):
    set_age(tmp_path / "claim-0001.json", 3600)  # its process is there, so that no heartbeat is asked for
    with pytest.raises(BadInput) as caught:
        Claim.acquire(tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path} is held by process {holder_elsewhere.pid} on ")
    assert f"wait for it, or stop it ('kill {holder_elsewhere.pid}'), then repeat the command" in message
    assert "from another host it is taken over 60 s after its last heartbeat" in message
    assert files(tmp_path) == ["claim-0001.json"]


def test_taken_over_at_once_after_kill(tmp_path, holder_elsewhere):
    holder_elsewhere.send_signal(signal.SIGKILL)
    # Not waited for: the killed process may stay a zombie, and is gone all the same.
    os.waitid(os.P_PID, holder_elsewhere.pid, os.WEXITED | os.WNOWAIT)
    with Claim.acquire(tmp_path) as held:
        held.verify()
        assert files(tmp_path) == ["claim-0002.json"]


def test_refused_to_the_process_that_holds_it(tmp_path):
    with Claim.acquire(tmp_path), pytest.raises(BadInput, match=f"is held by process {os.getpid()} on "):
        Claim.acquire(tmp_path)


def test_reused_pid_is_not_the_holder(tmp_path):
    write_claim(tmp_path, process_started="another time")
    with Claim.acquire(tmp_path) as held:
        assert held.path.name == "claim-0002.json"


@pytest.mark.parametrize(
    "other",
    [{"host": "node17"}, {"boot_id": "another boot"}, {"pid_namespace": "pid:[1]"}],
    ids=["host", "boot", "namespace"],
)
class TestElsewhere:
    def test_fresh_heartbeat_is_refused(self, tmp_path, other):
        write_claim(tmp_path, age_s=40, slurm={"job": "4711"}, **other)
        with pytest.raises(BadInput, match=r"\(Slurm job 4711, since .*, last heartbeat \d+ s ago\).*'scancel 4711'"):
            Claim.acquire(tmp_path)

    def test_of_an_array_the_one_task_is_named(self, tmp_path, other):
        """The last task of an array has the number of all of it."""
        write_claim(tmp_path, age_s=40, slurm={"job": "4711", "array_job": "4711", "array_task": "3"}, **other)
        with pytest.raises(BadInput, match=r"\(Slurm job 4711_3, since .*'scancel 4711_3'"):
            Claim.acquire(tmp_path)

    def test_stale_heartbeat_is_taken_over(self, tmp_path, other):
        write_claim(tmp_path, number=7, age_s=600, **other)
        with Claim.acquire(tmp_path) as held:
            assert held.path.name == "claim-0008.json"
            assert files(tmp_path) == ["claim-0008.json"]


def test_staleness_is_by_the_clock_of_the_file_system(tmp_path, monkeypatch):
    write_claim(tmp_path, host="node17", age_s=600)
    monkeypatch.setattr(claims, "_file_system_time", lambda _folder: time.time() - 590)
    with pytest.raises(BadInput, match="last heartbeat 10 s ago"):
        Claim.acquire(tmp_path)


@pytest.mark.parametrize("jump_s", [-1e6, 1e6])
class TestClockJumps:
    def test_a_holder_on_this_host_is_judged_by_its_process(self, tmp_path, monkeypatch, holder_elsewhere, jump_s):
        set_age(tmp_path / "claim-0001.json", jump_s)
        jumped = time.time() + jump_s
        monkeypatch.setattr(claims.time, "time", lambda: jumped)
        assert claims.holder_of(tmp_path)[0].startswith(f"process {holder_elsewhere.pid} on ")
        with pytest.raises(BadInput, match="is held by process"):
            Claim.acquire(tmp_path)

    def test_a_holder_elsewhere_is_free_after_a_jump_until_its_next_heartbeat(self, tmp_path, jump_s):
        """And one that lives notices at its next write that it was taken over, and stops: nothing is doubled."""
        path = write_claim(tmp_path, host="node17", age_s=jump_s)
        assert claims.holder_of(tmp_path) is None
        os.utime(path)  # its next heartbeat
        assert claims.holder_of(tmp_path)[1] < claims.STALE_S
        with pytest.raises(BadInput, match="is held by process"):
            Claim.acquire(tmp_path)

    def test_one_that_was_taken_over_stops_before_it_writes(self, tmp_path, jump_s, monkeypatch):
        ours = Claim.acquire(tmp_path)
        set_age(ours.path, jump_s)
        monkeypatch.setattr(Holder, "on_this_host", lambda self: False)
        with Claim.acquire(tmp_path) as theirs:
            theirs.verify()
            with pytest.raises(ClaimLost):
                ours.verify()
        ours.release()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\x00", b'{"pid": -1}'])
def test_unreadable_claims_are_judged_by_heartbeat(tmp_path, content):
    path = tmp_path / "claim-0001.json"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"held by the unreadable claim claim-0001\.json \(last heartbeat \d+ s ago\)"):
        Claim.acquire(tmp_path)
    set_age(path, 600)
    with Claim.acquire(tmp_path) as held:
        assert held.path.name == "claim-0002.json"


def test_release_then_acquire(tmp_path):
    for number in (1, 2, 3):
        with Claim.acquire(tmp_path) as held:
            assert held.path.name == f"claim-{number:04d}.json"
        assert json.loads(held.path.read_text())["released"] is True
        assert files(tmp_path) == [held.path.name]
        held.release()
        with pytest.raises(ClaimLost):
            held.verify()


def test_a_claim_released_elsewhere_is_free_at_once(tmp_path):
    before = write_claim(tmp_path, host="node17", released=True)
    with Claim.acquire(tmp_path) as claim:
        claim.verify()
        assert claim.path != before
        assert files(tmp_path) == [claim.path.name]


def test_one_that_slept_for_long_and_that_nobody_replaced_goes_on(tmp_path):
    with Claim.acquire(tmp_path) as held:
        set_age(held.path, 36_000)
        held.verify()
        with pytest.raises(BadInput, match=f"is held by process {os.getpid()} on "):
            Claim.acquire(tmp_path)


def test_the_orphan_of_a_takeover_must_not_write(tmp_path):
    orphan = Claim.acquire(tmp_path)
    orphan.verify()
    successor = write_claim(tmp_path, number=2, host="node17", pid=99)
    with pytest.raises(ClaimLost, match=r"taken over by process 99 on node17; it stops without writing") as caught:
        orphan.verify()
    assert caught.value.exit_code == 1
    orphan.release()
    assert json.loads(orphan.path.read_text())["released"] is False
    assert json.loads(successor.read_text())["token"] == "theirs"


@pytest.mark.parametrize("damage", ["removed", "replaced"])
def test_lost_when_its_own_file_is_not_its_own(tmp_path, damage):
    held = Claim.acquire(tmp_path)
    if damage == "removed":
        held.path.unlink()
    else:
        write_claim(tmp_path)
    with pytest.raises(ClaimLost, match="no longer holds"):
        held.verify()
    held.release()


def test_one_that_comes_too_late_gives_way(tmp_path, monkeypatch):
    """Claim 1 was seen as released; 2 has come and gone, and 3 holds, when claim 2 is made again."""
    write_claim(tmp_path, released=True)
    real = claims.atomic.create

    def late(path, data):
        monkeypatch.setattr(claims.atomic, "create", real)
        (tmp_path / "claim-0001.json").unlink()
        write_claim(tmp_path, number=3)
        return real(path, data)

    monkeypatch.setattr(claims.atomic, "create", late)
    with pytest.raises(BadInput, match="is held by process"):
        Claim.acquire(tmp_path)
    assert files(tmp_path) == ["claim-0003.json"]


def test_endless_changes_end_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(claims.atomic, "create", lambda _path, _data: False)
    with pytest.raises(EscapedimError, match="its claim files keep changing; repeat the command"):
        Claim.acquire(tmp_path)


def test_missing_folder_is_one_sentence(tmp_path):
    with pytest.raises(EscapedimError, match=r"cannot list .*missing: No such file or directory"):
        Claim.acquire(tmp_path / "missing")


def test_heartbeat_beats_and_stops(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "HEARTBEAT_S", 0.01)
    with Claim.acquire(tmp_path) as held:
        set_age(held.path, 3600)
        for _ in range(1000):
            if claims.heartbeat_age_s(held.path) < 60:
                break
            time.sleep(0.01)
        assert claims.heartbeat_age_s(held.path) < 60
    assert "heartbeat" not in [thread.name for thread in threading.enumerate()]


def test_heartbeat_ends_quietly_with_its_file(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "HEARTBEAT_S", 0.01)
    held = Claim.acquire(tmp_path)
    held.path.unlink()
    held._heart.join(timeout=30)
    assert not held._heart.is_alive()
    held.release()


def test_a_process_that_may_not_be_looked_at_counts_as_running(tmp_path, monkeypatch):
    monkeypatch.setattr(holders, "_from_proc", lambda _pid: None)
    monkeypatch.setattr(holders, "_from_ps", lambda _pid: None)
    assert holders.process_started(os.getpid()) == "unknown"
    write_claim(tmp_path, process_started="123")
    with pytest.raises(BadInput, match="is held by"):
        Claim.acquire(tmp_path)
