"""Runs commands of escapedim in forked processes in which the n-th effect on the file system goes wrong.

A process of its own, without threads: it imports everything once, then reads one JSON object a line (`folder`,
`arguments`, and `fault` as [kind, number] or null) and answers with `code`, `effects` (how many there were) and `err`.
An effect is a name that changes, a file that is created or flushed. A fault kills the process right before or right
after its effect, or when half of a file is there (torn), lets the effect fail, or asks the process to stop.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

EFFECTS = ("replace", "link", "unlink", "mkdir", "fsync", "open")
FSYNC = os.fsync
TICKS = 25  # steps after which a work is saved: by count, so that the effects are the same in every trial


class Effects:
    """Counts effects, and lets one of them go wrong."""

    def __init__(self, fault: list[Any] | None) -> None:
        self.kind, self.number = fault or ["", -1]
        self.count = 0

    def wrapped(self, effect: Callable[..., Any], counts: Callable[..., bool]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            if not counts(*arguments, **keywords):
                return effect(*arguments, **keywords)
            at, self.count = self.count, self.count + 1
            if at != self.number:
                return effect(*arguments, **keywords)
            if self.kind == "torn" and effect is FSYNC:
                with suppress(OSError):  # of a folder
                    os.ftruncate(arguments[0], os.fstat(arguments[0]).st_size // 2)
            if self.kind in ("kill before", "torn"):
                os.kill(os.getpid(), signal.SIGKILL)
            if self.kind == "kill after":
                with suppress(OSError):
                    effect(*arguments, **keywords)
                os.kill(os.getpid(), signal.SIGKILL)
            if self.kind == "SIGTERM":
                os.kill(os.getpid(), signal.SIGTERM)
                return effect(*arguments, **keywords)
            raise OSError(getattr(errno, self.kind), os.strerror(getattr(errno, self.kind)))

        return call


def creates(path: Any, flags: int, *_: Any, **__: Any) -> bool:
    return bool(flags & os.O_CREAT)


def child(folder: str, arguments: list[str], fault: list[Any] | None, answer: int) -> None:
    os.chdir(folder)
    out = os.open("trial.err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream in (1, 2):
        os.dup2(out, stream)
    sys.stdout, sys.stderr = (open(stream, "w", closefd=False) for stream in (1, 2))  # noqa: SIM115
    effects = Effects(fault)
    for name in EFFECTS:
        counts = creates if name == "open" else lambda *_, **__: True
        setattr(os, name, effects.wrapped(getattr(os, name), counts))
    sys.argv = ["escapedim", *arguments]
    try:
        main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.write(answer, json.dumps({"code": code, "effects": effects.count}).encode())
    os._exit(0)


def trial(folder: str, arguments: list[str], fault: list[Any] | None) -> dict[str, Any]:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            child(folder, arguments, fault, writer)
        finally:
            os._exit(99)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(pid, 0)
    found = json.loads(said) if said else {"code": os.waitstatus_to_exitcode(status), "effects": None}
    return {**found, "err": Path(folder, "trial.err").read_text()}


if __name__ == "__main__":
    import torch

    import escapedim.cli.beginnings
    import escapedim.cli.commands
    import escapedim.cli.sweeping
    import escapedim.records.run
    from escapedim.__main__ import main
    from escapedim.training.workers import Ticker

    torch.set_num_threads(1)
    escapedim.records.run.WRITING_SHARE = 1.0
    told = Ticker.__call__

    def tick(self: Ticker, members: int) -> bool:
        self.ticks = getattr(self, "ticks", 0) + 1  # type: ignore[attr-defined]
        return told(self, members) or self.ticks % TICKS == 0  # type: ignore[attr-defined]

    Ticker.__call__ = tick  # type: ignore[method-assign]
    for line in sys.stdin:
        print(json.dumps(trial(**json.loads(line))), flush=True)
