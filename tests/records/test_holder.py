from __future__ import annotations

import os
import subprocess

import pytest

from escapedim.records import holder as holders


def test_process_started_tells_processes_apart():
    assert holders.process_started(os.getpid()) == holders.process_started(os.getpid())
    assert holders.process_started(2**22 + 1) is None


def test_process_names_may_hold_parentheses(monkeypatch):
    line = "7 (a) b) S " + " ".join(str(field) for field in range(4, 53))
    monkeypatch.setattr(holders.Path, "read_text", lambda _path, **_: line)
    assert holders._from_proc(7) == ("S", "22")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Ss   Mon Nov 23 22:10:01 2026\n", "Mon Nov 23 22:10:01 2026"),
        ("Z    Mon Nov 23 22:10:01 2026\n", None),
        ("", None),
    ],
)
def test_process_started_without_proc(monkeypatch, answer, expected):
    done = subprocess.CompletedProcess([], 0, stdout=answer)
    monkeypatch.setattr(holders, "_from_proc", lambda _pid: None)
    monkeypatch.setattr(holders.subprocess, "run", lambda *_args, **_kwargs: done)
    assert holders.process_started(2**22 + 1) == expected
