"""A real Slurm of three virtual nodes on this host, for as long as a test needs it; stopped by process id."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

NODES = ("node1", "node2", "node3")
CTLD, SLURMD = ("slurmctld", "slurmd")
PROGRAMS = ("munged", CTLD, SLURMD, "sbatch", "squeue", "scontrol")


def missing() -> str:
    """Why no Slurm can be had here, or nothing."""
    path = os.environ["PATH"] + os.pathsep + "/usr/sbin"
    absent = [program for program in PROGRAMS if shutil.which(program, path=path) is None]
    if absent:
        return f"no {', '.join(absent)} here (Debian: munge slurmctld slurmd slurm-client)"
    return "" if os.geteuid() == 0 else "a Slurm that runs jobs needs root"


class Cluster:
    """Started by `with`; `environment` is what commands need to find it, `largest` its MaxArraySize."""

    def __init__(self, folder: Path, largest: int = 1001) -> None:
        self.folder, self._largest = folder, largest
        self._base = 21000 + 10 * (os.getpid() % 3000)
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        path = os.environ["PATH"] + os.pathsep + "/usr/sbin"
        self.environment = {**os.environ, "PATH": path, "SLURM_CONF": str(folder / "slurm.conf")}

    def __enter__(self) -> Cluster:
        for name in ("state", "log", "run", *(f"spool/{node}" for node in NODES)):
            (self.folder / name).mkdir(parents=True)
        self.folder.chmod(0o755)
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _start(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        (self.folder / "slurm.conf").write_text(self._configuration())
        munge = [f"--{name}={self.folder / file}" for name, file in (
            ("socket", "munge.socket"), ("key-file", "munge.key"), ("pid-file", "run/munged.pid"),
            ("log-file", "log/munged.log"), ("seed-file", "state/munge.seed"))]  # fmt: skip
        self._daemon("munged", "munged", "--foreground", "--force", *munge)
        wait(lambda: (self.folder / "munge.socket").exists(), 20, "munged")
        self._daemon(CTLD, CTLD, "-D")
        wait(lambda: "UP" in self.call("scontrol", "ping", check=False), 30, CTLD)
        for node in NODES:
            self.start_node(node)
        wait(lambda: self.call("sinfo", "-h", "-o", "%T %D").split() == ["idle", "3"], 60, "three idle nodes")

    def start_node(self, node: str) -> None:
        """Start the daemon of a node."""
        self._daemon(node, SLURMD, "-D", "-N", node)

    def _daemon(self, name: str, *command: str) -> None:
        with (self.folder / "log" / f"{name}.out").open("ab") as log:
            self._daemons[name] = subprocess.Popen(
                command, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def call(self, *command: str, check: bool = True) -> str:
        """Run a command of Slurm and return what it prints; unchecked, one that hangs or fails has printed nothing."""
        try:
            ended = subprocess.run(
                command, env=self.environment, cwd=self.folder, capture_output=True, text=True,
                timeout=60 if check else 10, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            assert not check, f"{command} hangs"
            return ""
        assert not check or ended.returncode == 0, f"{command}: {ended.stderr}"
        return ended.stdout.strip()

    def jobs(self) -> list[str]:
        """Job, state and node of all that is not over."""
        return self.call("squeue", "-h", "-r", "-o", "%i %T %N").splitlines()

    def running(self, node: str = "") -> list[str]:
        """Jobs that run, on one node or on all, in the order of their start."""
        lines = [
            line.split() for line in self.call("squeue", "-h", "-r", "-S", "S", "-t", "R", "-o", "%i %N").splitlines()
        ]
        return [job for job, *there in lines if not node or there == [node]]

    def restarts(self) -> dict[str, int]:
        """How often each task of an array, `JOB_TASK`, was requeued; those that are over are known, too."""
        found = {}
        for line in self.call("scontrol", "show", "job", "-o").splitlines():
            words = dict(word.split("=", 1) for word in line.split() if "=" in word)
            if words.get("ArrayTaskId", "").isdecimal():
                found[f"{words['ArrayJobId']}_{words['ArrayTaskId']}"] = int(words["Restarts"])
        return found

    def lose_daemon(self, node: str) -> None:
        """Kill a node's daemon only: its jobs go on, and nobody knows."""
        daemon = self._daemons.pop(node)
        daemon.kill()
        daemon.wait()

    def lose_node(self, node: str) -> None:
        """Kill a node's daemon and all that runs on it: first what would tell the controller how jobs have ended."""
        daemon = self._daemons.pop(node)
        for pid in (daemon.pid, *self._steps(node), *self._processes(node)):
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        daemon.wait()

    def _steps(self, node: str | None = None) -> list[int]:
        """Daemons of job steps on one node or on all: they have its log open."""
        logs = {str(self.folder / "log" / f"slurmd-{name}.log") for name in ((node,) if node else NODES)}
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if "slurmstepd" in (entry / "exe").readlink().name:
                    found += [int(entry.name)] if logs & {os.readlink(fd) for fd in (entry / "fd").iterdir()} else []
        return found

    def _processes(self, node: str | None = None) -> list[int]:
        """Processes of this cluster's jobs, on one node or on all."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                words = (entry / "environ").read_bytes().split(b"\0")
                ours = f"SLURM_CONF={self.folder / 'slurm.conf'}".encode() in words
                there = node is None or f"SLURMD_NODENAME={node}".encode() in words
                if ours and there and any(word.startswith(b"SLURM_JOB_ID=") for word in words):
                    found.append(int(entry.name))
        return found

    def stop(self) -> None:
        """Stop what was started, jobs first."""
        if CTLD in self._daemons:
            self.call("scancel", "--state=PENDING", "-u", "root", check=False)
            self.call("scancel", "-u", "root", check=False)
            with suppress(TimeoutError, AssertionError):
                wait(lambda: not self.jobs(), 20, "the jobs")
        for process in reversed(self._daemons.values()):
            process.terminate()
        for process in self._daemons.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pid in (*self._steps(), *self._processes()):
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)

    def _configuration(self) -> str:
        host = socket.gethostname().partition(".")[0]
        nodes = "\n".join(
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={self._base + 1 + at} CPUs=2 RealMemory=500"
            for at, node in enumerate(NODES)
        )
        return f"""\
ClusterName=here
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={self._base}
SlurmUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={self.folder}/munge.socket,cred_expire=5
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SlurmdParameters=config_overrides
ReturnToService=2
StateSaveLocation={self.folder}/state
SlurmdSpoolDir={self.folder}/spool/%n
SlurmctldPidFile={self.folder}/run/slurmctld.pid
SlurmdPidFile={self.folder}/run/slurmd-%n.pid
SlurmctldLogFile={self.folder}/log/slurmctld.log
SlurmdLogFile={self.folder}/log/slurmd-%n.log
SlurmdTimeout=10
KillWait=5
JobRequeue=1
MinJobAge=3600
MaxArraySize={self._largest}
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def wait(until: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for something to come true."""
    deadline = time.monotonic() + seconds
    while not until():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.3)
