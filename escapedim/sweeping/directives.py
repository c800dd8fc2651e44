"""More options of sbatch, as users hand them through: which they may, and which the sweep sets itself.

sbatch takes any abbreviation that stands for one of its options alone (getopt_long(3)), so that `arr=5-6` is an array
too. No option that may be given abbreviates one that may not (sbatch(1), Slurm 22.05 to 24.11).
"""

from __future__ import annotations

import re

from escapedim.errors import BadInput
from escapedim.text import excerpt

WORD = r"[!#-&(-\[\]-~]+"
"""Visible letters of ASCII, but for quotes and backslashes, which sbatch and shells read in ways of their own."""
_FORM = re.compile(rf"[a-z][a-z0-9-]*(={WORD})?")
_SET = dict.fromkeys(
    ["array", "chdir", "dependency", "job-name", "no-requeue", "open-mode", "output", "requeue"],
    "is set by the sweep itself",
) | {
    "cpus-per-task": "is what --cpus sets",
    "partition": "is what --partition sets",
    "signal": "is what --notice sets",
    "time": "is what --time sets",
}
_OTHER_JOBS = dict.fromkeys(
    ["help", "parsable", "test-only", "usage", "version", "wait", "wrap"],
    "makes another job of it, none, or another answer of sbatch",
)


def check_directive(directive: str) -> None:
    """Let an option of sbatch such as `gres=gpu:1` pass.

    Raises
    ------
    BadInput
        Another form, an option that the sweep sets itself, or an abbreviation of one.
    """
    if not _FORM.fullmatch(directive):
        raise BadInput(
            f"--sbatch: expected an option of sbatch without dashes, spaces and quotes, such as gres=gpu:1, found "
            f"{excerpt(directive)!r}."
        )
    name = directive.partition("=")[0]
    # An abbreviation of several options is refused by sbatch itself.
    for option in sorted(_SET | _OTHER_JOBS):
        if option.startswith(name):
            raise BadInput(f"--sbatch {name}: {option} {(_SET | _OTHER_JOBS)[option]}; leave it out.")
