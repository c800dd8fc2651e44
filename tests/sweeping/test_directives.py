from contextlib import suppress
from getopt import GetoptError, getopt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escapedim.errors import BadInput
from escapedim.sweeping.directives import _MORE, _OTHER_JOBS, _SET, check_directive

KNOWN = sorted(_MORE | _OTHER_JOBS | _SET.keys())


@pytest.mark.parametrize(
    "directive", ["gres=gpu:1", "account=me", "acco=me", "mem=4G", "mem-per-cpu=4G", "exclusive", "x11=first", "hold"]
)
def test_options_that_change_no_part_of_the_sweep_pass(directive):
    check_directive(directive)


@pytest.mark.parametrize(
    ("directive", "words"),
    [
        ("array=0-3", "array: the sweep sets that itself; leave it out"),
        ("arr=5-6", "array: the sweep sets that itself; leave it out"),
        ("a=5", "a: may be any of account, acctg-freq, array; write it in full"),
        ("depend=afterok:1", "dependency: the sweep sets"),
        ("open=truncate", "open-mode: the sweep sets"),
        ("no-requeue", "no-requeue: the sweep sets"),
        ("no-r", "no-requeue: the sweep sets"),
        ("time=0:30", "time: the sweep sets that itself; give --time"),
        ("ti=1", "ti: may be any of time, time-min; write it in full"),
        ("cpus-per-t=4", "cpus-per-task: the sweep sets that itself; give --cpus"),
        ("part=x", "partition: the sweep sets that itself; give --partition"),
        ("wrap=true", "wrap: no option of a job that takes part"),
        ("wr=true", "wrap: no option of a job that takes part"),
        ("help", "help: no option of a job"),
        ("mem 4G", "expected an option of sbatch without its dashes, such as gres=gpu:1, found 'mem 4G'"),
        ("gres=gpu:1\n#SBATCH --wrap=x", "expected an option"),
        ("--gres=gpu:1", "expected an option"),
        ("", "expected an option"),
    ],
)
def test_others_are_refused_however_they_are_written(directive, words):
    with pytest.raises(BadInput, match=words):
        check_directive(directive)


def test_no_abbreviation_of_what_is_refused_passes():
    refused = _SET.keys() | _OTHER_JOBS
    for name in refused:
        for end in range(1, len(name) + 1):
            if name[:end] not in _MORE:
                with pytest.raises(BadInput):
                    check_directive(f"{name[:end]}=1")


def test_every_option_is_itself():
    assert all(name == name.strip().lower() for name in KNOWN)
    assert not _MORE & (_OTHER_JOBS | _SET.keys())


def meant_by_getopt(name: str) -> str:
    """What an abbreviation stands for, as the C library's getopt_long resolves it; nothing where it refuses."""
    with suppress(GetoptError):
        ((found, _),) = getopt([f"--{name}"], "", KNOWN)[0]
        return found.removeprefix("--")
    return ""


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(KNOWN), st.integers(1, 30))
def test_what_passes_is_for_sbatch_none_of_what_the_sweep_sets(name, length):
    try:
        check_directive(name[:length])
    except BadInput:
        return
    assert meant_by_getopt(name[:length]) in _MORE
