"""A folder in which every module that escapedim may import lies as one that leaves a witness and fails."""

from __future__ import annotations

import sys
from pathlib import Path

OTHERS = ("torch", "numpy", "scipy", "typer", "rich", "tqdm", "yaml", "pydantic", "safetensors", "matplotlib", "sympy",
          "sitecustomize", "usercustomize", "escapedim")  # fmt: skip
MODULE = "open({witness!r}, 'a').write(f'{{__name__}}\\n')\nraise SystemExit('a module of the current folder')\n"


def fill(folder: Path, witness: Path) -> None:
    """Put the modules into the folder; each that is run writes its name into `witness`."""
    for name in {*sys.stdlib_module_names, *OTHERS}:
        (folder / f"{name}.py").write_text(MODULE.format(witness=str(witness)))
