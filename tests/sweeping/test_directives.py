"""Which options of sbatch may be handed through, against how the C library resolves abbreviations."""

from __future__ import annotations

from contextlib import suppress
from getopt import GetoptError, getopt

import pytest

from escapedim.errors import BadInput
from escapedim.sweeping.directives import _OTHER_JOBS, _SET, check_directive

REFUSED = _SET | _OTHER_JOBS
ALLOWED = """
    account acctg-freq batch bb bbf begin cluster cluster-constraint clusters comment constraint container container-id
    contiguous core-spec cores-per-socket cpu-freq cpus-per-gpu deadline delay-boot distribution error exclude exclusive
    export export-file extra extra-node-info get-user-env gid gpu-bind gpu-freq gpus gpus-per-node gpus-per-socket
    gpus-per-task gres gres-flags hint hold ignore-pbs input kill-on-invalid-dep licenses mail-type mail-user mcs-label
    mem mem-bind mem-per-cpu mem-per-gpu mincpus network nice no-kill nodefile nodelist nodes ntasks ntasks-per-core
    ntasks-per-gpu ntasks-per-node ntasks-per-socket overcommit oversubscribe power prefer priority profile propagate
    qos quiet reboot reservation segment sockets-per-node spread-job stepmgr switches thread-spec threads-per-core
    time-min tmp tres-bind tres-per-task uid use-min-nodes verbose wait-all-nodes wckey x11
""".split()  # noqa: SIM905 - the options of sbatch(1), Slurm 22.05 to 24.11


def passes(directive: str) -> bool:
    with suppress(BadInput):
        check_directive(directive)
        return True
    return False


def test_every_other_option_passes():
    assert [name for name in ALLOWED if not passes(f"{name}=1")] == []


@pytest.mark.parametrize(
    ("directive", "words"),
    [
        ("array=0-3", "--sbatch array: array is set by the sweep itself; leave it out"),
        ("arr=5-6", "--sbatch arr: array is set by the sweep itself"),
        ("depend=afterok:1", "dependency is set by"),
        ("open=truncate", "open-mode is set by"),
        ("no-requeue", "no-requeue is set by"),
        ("time=0:30", "time is what --time sets"),
        ("cpus-per-t=4", "cpus-per-task is what --cpus sets"),
        ("wrap=true", "wrap makes another job of it"),
        ("mem 4G", "an option of sbatch without dashes, spaces and quotes, such as gres=gpu:1, found 'mem 4G'"),
        ("comment=it's", "without dashes, spaces and quotes"),
        ("gres=gpu:1\n#SBATCH --wrap=x", "expected an option"),
        ("--gres=gpu:1", "expected an option"),
        ("", "expected an option"),
    ],
)
def test_others_are_refused_in_words(directive, words):
    with pytest.raises(BadInput, match=words):
        check_directive(directive)


def test_nothing_that_sbatch_takes_for_a_refused_option_passes():
    for name in REFUSED:
        for end in range(1, len(name) + 1):
            with suppress(GetoptError):  # what abbreviates several, which sbatch refuses itself
                ((meant, _),) = getopt([f"--{name[:end]}"], "", [*ALLOWED, *REFUSED])[0]
                assert meant.removeprefix("--") in ALLOWED or not passes(f"{name[:end]}=1")
