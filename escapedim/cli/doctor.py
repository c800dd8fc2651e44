"""`escapedim doctor`: what a bug report needs to know of a machine."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

import escapedim
from escapedim.cli.streams import show
from escapedim.machine import available_mb, usable_cores
from escapedim.records import provenance
from escapedim.sweeping.sweep_plan import EXAMPLES

PACKAGES = ("torch", "numpy", "scipy", "typer", "rich", "tqdm", "pyyaml", "pydantic", "safetensors")


def diagnose(as_json: bool) -> None:
    """Print the block, as text or as JSON."""
    facts = collect()
    if as_json:
        sys.stdout.write(json.dumps(facts, indent=1) + "\n")
        return
    width = max(len(key) for key in facts)
    show("\n".join(f"{key:<{width}}  {value}" for key, value in facts.items()))


def collect() -> dict[str, str]:
    """Return the facts by name, as text."""
    memory_mb = available_mb()
    return {
        "escapedim": escapedim.__version__,
        "commit": provenance.commit_of(Path(escapedim.__file__)) or "not a checkout",
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": platform.platform(),
        **{name: _version(name) for name in PACKAGES},
        "cores": f"{usable_cores()} usable of {os.cpu_count()}",
        "memory": "unknown" if memory_mb is None else f"{memory_mb:,.0f} MB available",
        **_torch(),
        "slurm": _slurm(),
        "plans": str(EXAMPLES),
        "working folder": f"{Path.cwd()} ({_writable(Path.cwd())})",
        "temporary folder": f"{tempfile.gettempdir()} ({_writable(Path(tempfile.gettempdir()))})",
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _torch() -> dict[str, str]:
    try:
        import torch
    except ImportError as error:
        return {"threads": "unknown", "cuda": f"torch cannot be imported: {error}"}
    threads = f"{torch.get_num_threads()} in torch by default; escapedim uses one a process"
    if not torch.cuda.is_available():
        return {"threads": threads, "cuda": f"no device (torch built for CUDA: {torch.version.cuda or 'no'})"}
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {"threads": threads, "cuda": f"{', '.join(names)} (CUDA {torch.version.cuda})"}


def _slurm() -> str:
    if shutil.which("sinfo") is None:
        return "no commands on the path"
    job = f", in job {os.environ['SLURM_JOB_ID']}" if "SLURM_JOB_ID" in os.environ else ""
    try:
        answer = subprocess.run(["sinfo", "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        return f"sinfo failed: {error}"
    return (answer.stdout.strip() or "sinfo does not say its version") + job


def _writable(folder: Path) -> str:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return "writable"
    except OSError as error:
        return f"not writable: {error.strerror}"
