"""A run under way: its folder, its claim, its finished and paused works, and its summary.

The order of writes is what makes a kill harmless. A checkpoint gets a name that nothing refers to yet; then the
summary, which records its hash, replaces the old one; then the files that no summary refers to any more are deleted.
Whatever moment a process dies at, the summary and the checkpoints that it names agree. What a disk damages is noticed
by its hash and set aside: the generation before it is used, of a summary the copy, of a paused work the state before.

The summary grows with the works, and rewriting it after each of thousands would take most of the time. So it waits
where it would take more than `WRITING_SHARE` of it; a kill costs the works of that short while, which train again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from escapedim import __version__
from escapedim.errors import BadInput
from escapedim.records import atomic, checkpoint, provenance, summary
from escapedim.records.checkpoint import DamagedCheckpoint
from escapedim.records.claim import Claim
from escapedim.records.folders import RunPaths, check_out
from escapedim.records.original import Originals, set_aside
from escapedim.records.results import Result
from escapedim.records.strict_json import canonical
from escapedim.records.summary import Cost, Kind, Provenance, Status, Summary
from escapedim.regular_files import read_regular

Arrays = dict[str, np.ndarray]
Metrics = dict[str, Any]
Describe = Callable[[Mapping[str, Metrics], Mapping[str, str]], Result]
"""Makes the result from the metrics of finished works and the hashes of all checkpoint files."""

PAUSED = ".paused-"
WRITING_SHARE = 0.1  # of the time that rewriting the summary after finished works may take; ours


class Run:
    """The one writer of a run folder; made by `open`, left by `close`."""

    def __init__(self, paths: RunPaths, claim: Claim) -> None:
        self.paths = paths
        self._id, self._claim, self._began = paths.id, claim, time.monotonic()
        self._hashes: dict[str, str] = {}
        self._metrics: dict[str, Metrics] = {}
        self._wall_s = 0.0
        self._peak_mb = 0.0
        self._unit_s: dict[str, float] = {}
        self._status: Status = "running"
        self._config: dict[str, Any] = {}
        self._provenance = Provenance(version=__version__)
        self._describe: Describe | None = None
        self._obsolete: set[str] = set()
        self._waiting, self._due = False, 0.0
        self.notes: list[str] = []
        """Sentences for the user: what was found damaged, what is done about it, and which summary gives way."""

    @classmethod
    def open(cls, out: Path, kind: Kind, identity: str, force: bool) -> Self:
        """Claim the run's folder and read what is there.

        Raises
        ------
        BadInput
            `out` is something else, a folder cannot be written, a living process holds the run, another version wrote
            it, or its files are damaged.
        """
        paths = RunPaths.locate(out, kind, identity, force)
        replaced = check_out(out, paths.label)
        paths.prepare()
        run = cls(paths, Claim.acquire(paths.folder))
        try:
            atomic.remove_leftovers(paths.folder)
            run._read()
            run.notes += [replaced] if replaced else []
        except BaseException:
            run._claim.release()
            raise
        return run

    def begin(self, config: dict[str, Any], origin: Provenance, describe: Describe) -> None:
        """Say what the summary will hold besides results, and write the first one."""
        self._config, self._describe = config, describe
        started = self._provenance.started or origin.started
        self._provenance = origin.model_copy(update={"started": started})
        self.write("running")

    def close(self) -> None:
        """Give the folder back."""
        self._claim.release()

    def keys(self) -> list[str]:
        """Keys of the works that were begun: the finished ones and those that were under way."""
        return sorted({name.partition(PAUSED)[0] for name in self._hashes})

    def has(self, key: str) -> bool:
        """Say whether a work is finished and its checkpoint is there."""
        return key in self._metrics

    def load(self, key: str) -> Arrays:
        """Return a finished work's arrays, checked against the recorded hash."""
        return self._arrays(key)[0]

    def load_paused(self, key: str) -> Arrays | None:
        """Return the arrays of a work that was under way, if there are any."""
        names = self._paused(key)
        return self._arrays(names[-1])[0] if names else None

    def save(self, key: str, arrays: Arrays, metrics: Metrics | None, seconds: float = 0.0) -> None:
        """Keep a finished work, or with metrics of None a paused one; then drop what it replaces.

        `seconds` since it was last saved are added up in the envelope, since results and checkpoints hold no times.
        """
        self._claim.verify()
        paused = self._paused(key)
        replaced = paused[:-1] if metrics is None else paused  # the state before this one may be needed again
        name = _name(key, arrays, metrics)
        data = checkpoint.encode(arrays, {"key": key, "run": self._id, "metrics": metrics})
        self._put(self.paths.checkpoint(name), data)
        self._hashes[name] = checkpoint.sha256(data)
        self._unit_s[key] = self._unit_s.get(key, 0.0) + seconds
        if metrics is not None:
            # Canonical JSON sorts keys, and a continued run reads its metrics from there: without this round trip its
            # results would be in another order than those of a run that was not interrupted.
            self._metrics[key] = json.loads(canonical(metrics))
        for old in set(replaced) - {name}:
            del self._hashes[old]
            self._obsolete.add(old)
        self._waiting = True
        if metrics is None:
            self.write("running")
        else:
            self._write_waiting()

    def note_memory(self, peak_mb: float) -> None:
        """Remember the largest memory seen; called several times a second, so that what waits is written in time."""
        self._peak_mb = max(self._peak_mb, peak_mb)
        self._write_waiting()

    def write(self, status: Status) -> Summary:
        """Write the summary: the original in the run folder first, then its copy; then delete what it replaced."""
        began = time.monotonic()
        self._claim.verify()
        made = self._summary(status)
        data = summary.encode(made)
        self._put(self.paths.summary, data)
        self._put(self.paths.out, data, atomic.write_through)
        for old in self._obsolete - self._hashes.keys():
            self.paths.checkpoint(old).unlink(missing_ok=True)
        ended = time.monotonic()
        self._obsolete, self._waiting = set(), False
        self._due = ended + (ended - began) * (1 / WRITING_SHARE - 1)
        return made

    def result(self) -> Result:
        """Return the result of what is finished so far."""
        assert self._describe is not None, "begin() comes first"
        files = {f"checkpoints/{name}.safetensors": value for name, value in sorted(self._hashes.items())}
        return self._describe(self._metrics, files)

    def net_steps(self) -> int:
        """Return the steps of one network that the finished works took."""
        return sum(metrics["net_steps"] for metrics in self._metrics.values())

    def planned_steps(self) -> int:
        """Return the network steps that were planned for the finished works: members that are done early save some."""
        return sum(int(metrics.get("planned_steps") or metrics["net_steps"]) for metrics in self._metrics.values())

    def _put(self, path: Path, data: bytes, write: Callable[..., None] = atomic.write_atomic) -> None:
        # A writer may be stopped between any two of its steps: who took the folder over has cleared its file away.
        write(path, data, require=self._claim.verify)

    def _write_waiting(self) -> None:
        if self._waiting and time.monotonic() >= self._due:
            self.write("running")

    def _summary(self, status: Status) -> Summary:
        ended = None if status == "running" else provenance.now()
        return Summary(
            schema=summary.SCHEMA,
            kind=self.paths.kind,
            status=status,
            id=self._id,
            config=self._config,
            provenance=self._provenance.model_copy(update={"finished": ended}),
            cost=Cost(
                wall_s=round(self._wall_s + time.monotonic() - self._began, 3),
                net_steps=self.net_steps(),
                peak_rss_mb=round(self._peak_mb, 1) or None,
                unit_s={key: round(seconds, 3) for key, seconds in sorted(self._unit_s.items())},
            ),
            result=self.result(),
        )

    def _read(self) -> None:
        """Take over what an earlier start has left, and delete checkpoints that its summary does not know."""
        files = sorted(self.paths.checkpoints.glob("*.safetensors"))
        if self.paths.summary.exists() or any(map(self._wrote, files)):
            found, said = Originals(self.paths).read()
            self.notes += [said] if said else []
            self._wall_s, self._peak_mb = found.cost.wall_s, found.cost.peak_rss_mb or 0.0
            self._unit_s = dict(found.cost.unit_s)
            self._provenance = found.provenance
            self._hashes = {Path(file).stem: value for file, value in found.result.checkpoints.items()}
        for path in files:
            if path.stem not in self._hashes and self._wrote(path):
                path.unlink()
        for name in sorted(self._hashes):
            if not self.paths.checkpoint(name).exists():
                del self._hashes[name]  # deleted by hand: its work is trained again
                continue
            try:
                metrics = self._arrays(name)[1]["metrics"]
            except DamagedCheckpoint as error:
                self._drop_damaged(name, error)
            else:
                self._metrics |= {} if metrics is None else {name: metrics}
        begun = set(self.keys())  # a work that begins anew has taken no time yet
        self._unit_s = {key: seconds for key, seconds in self._unit_s.items() if key in begun}

    def _drop_damaged(self, name: str, error: DamagedCheckpoint) -> None:
        del self._hashes[name]
        key = name.partition(PAUSED)[0]
        before = [step for step in self._paused(key) if step < name] if PAUSED in name else []
        instead = (
            f"going on from step {int(before[-1].rpartition('-')[2]):,}, saved before it"
            if before
            else "that part is trained again"
        )
        self.notes.append(f"{error.fault}, and was set aside as {set_aside(self.paths.checkpoint(name))}; {instead}.")

    def _wrote(self, path: Path) -> bool:
        """Say whether this run wrote a file; others in its folder are none of its business."""
        try:
            return checkpoint.decode(read_regular(path), str(path))[1].get("run") == self._id
        except (BadInput, OSError):
            return False

    def _arrays(self, name: str) -> tuple[Arrays, dict[str, Any]]:
        try:
            return self._checked(name)
        except BadInput:
            self._claim.verify()  # whoever has taken the folder over replaces files: that is no damage
            raise

    def _checked(self, name: str) -> tuple[Arrays, dict[str, Any]]:
        path = self.paths.checkpoint(name)
        arrays, metadata = checkpoint.read(path, self._hashes[name])
        if metadata.get("run") != self._id:
            raise BadInput(f"the checkpoint {path} belongs to another run; {checkpoint.REMEDY}.")
        if name != (written := _name(metadata["key"], arrays, metadata["metrics"])):
            raise BadInput(f"the checkpoint {path} was written as {written}.safetensors; {checkpoint.REMEDY}.")
        return arrays, metadata

    def _paused(self, key: str) -> Sequence[str]:
        start = f"{key}{PAUSED}"
        return sorted(name for name in self._hashes if name.startswith(start))


def _name(key: str, arrays: Arrays, metrics: Metrics | None) -> str:
    """Return the name of the checkpoint of a finished work, or with metrics of None of a paused one."""
    return key if metrics is not None else f"{key}{PAUSED}{int(arrays['step']):09d}"
