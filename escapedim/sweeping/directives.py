"""More options of sbatch, as users hand them through: which they may, and which the sweep sets itself.

sbatch takes any abbreviation that stands for one of its options alone (getopt_long(3)), so that `arr=5-6` is an array
too. Names are those of sbatch(1) of Slurm 22.05 to 24.11; others are options of a site's own plug-ins.
"""

from __future__ import annotations

import re

from escapedim.errors import BadInput
from escapedim.text import excerpt

_FORM = re.compile(r"[a-z][a-z0-9-]*(=[!-~]+)?")
_SET = {
    "array": "", "chdir": "", "cpus-per-task": "give --cpus", "dependency": "", "job-name": "", "no-requeue": "",
    "open-mode": "", "output": "", "partition": "give --partition", "requeue": "", "signal": "give --notice",
    "time": "give --time",
}  # fmt: skip
"""What the sweep sets itself, and the option of its own for it."""
_OTHER_JOBS = frozenset({"help", "parsable", "test-only", "usage", "version", "wait", "wrap"})
"""With these sbatch submits no job, another one, or answers in another form."""
_MORE = frozenset(
    """
    account acctg-freq batch bb bbf begin cluster cluster-constraint clusters comment constraint container container-id
    contiguous core-spec cores-per-socket cpu-freq cpus-per-gpu deadline delay-boot distribution error exclude exclusive
    export export-file extra extra-node-info get-user-env gid gpu-bind gpu-freq gpus gpus-per-node gpus-per-socket
    gpus-per-task gres gres-flags hint hold ignore-pbs input kill-on-invalid-dep licenses mail-type mail-user mcs-label
    mem mem-bind mem-per-cpu mem-per-gpu mincpus network nice no-kill nodefile nodelist nodes ntasks ntasks-per-core
    ntasks-per-gpu ntasks-per-node ntasks-per-socket overcommit oversubscribe power prefer priority profile propagate
    qos quiet reboot reservation segment sockets-per-node spread-job stepmgr switches thread-spec threads-per-core
    time-min tmp tres-bind tres-per-task uid use-min-nodes verbose wait-all-nodes wckey
    """.split()  # noqa: SIM905
)
ENVIRONMENT = frozenset(
    {"SBATCH_ARRAY_INX", "SBATCH_JOB_NAME", "SBATCH_NO_REQUEUE", "SBATCH_OPEN_MODE", "SBATCH_OUTPUT", "SBATCH_REQUEUE",
     "SBATCH_SIGNAL", "SBATCH_TIMELIMIT", "SBATCH_WAIT"}
)  # fmt: skip
"""Variables that sbatch takes before what a script says of the same."""


def check_directive(directive: str) -> None:
    """Let an option of sbatch such as `gres=gpu:1` pass.

    Raises
    ------
    BadInput
        Another form, an abbreviation of several options, or an option that the sweep sets itself.
    """
    if not _FORM.fullmatch(directive):
        raise BadInput(
            f"--sbatch: expected an option of sbatch without its dashes, such as gres=gpu:1, found "
            f"{excerpt(directive)!r}."
        )
    name = directive.partition("=")[0]
    meant = _meant(name)
    if len(meant) > 1:
        listed = ", ".join(sorted(meant)[:6])
        raise BadInput(f"--sbatch {excerpt(name)}: may be any of {listed}; write it in full.")
    for full in meant & _SET.keys():
        raise BadInput(f"--sbatch {full}: the sweep sets that itself; {_SET[full] or 'leave it out'}.")
    for full in meant & _OTHER_JOBS:
        raise BadInput(f"--sbatch {full}: no option of a job that takes part in a sweep; leave it out.")


def _meant(name: str) -> set[str]:
    """Return the options that a name is or abbreviates, none if it is a site's own."""
    known = _MORE | _OTHER_JOBS | _SET.keys()
    return {name} if name in known else {full for full in known if full.startswith(name)}
