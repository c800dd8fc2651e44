"""The identity of a split holds at every bad minimum of relu students, and a break of it is told."""

from __future__ import annotations

import pytest
import torch

from escapedim.landscape.relu_teacher import ReluTeacherSurface


@pytest.fixture(scope="module")
def split_identity(script):
    return script("split_identity")


def test_every_split_of_a_bad_minimum_opens_k_minus_1_directions(split_identity, capsys):
    """k = 7, 40 students: one of them ends in the bad minimum that all bad ones end in."""
    assert split_identity.main(["--k", "7", "--replicates", "40"]) == 0
    identity, landing = capsys.readouterr().out.split("\n\n")
    bad, levels, splits, deviation, *opened = identity.splitlines()[-1].split()[1:]
    assert int(bad) >= 1
    assert int(levels) == 1
    assert int(splits) == 7 * int(bad)
    assert float(deviation) < 1e-10
    assert [int(count) for count in opened] == [0] * 6 + [int(splits)]
    assert landing.splitlines()[-1].split()[:3] == ["7", "0.023203", bad]


def test_every_student_finds_a_teacher_of_two_units(split_identity, capsys):
    assert split_identity.main(["--k", "2", "--replicates", "3"]) == 0
    identity, _ = capsys.readouterr().out.split("\n\n")
    assert identity.splitlines()[-1].split() == ["2", "0", "0", "0", "0.0e+00", "0"]


def test_a_wrong_matrix_is_a_failure(split_identity, capsys, monkeypatch):
    right = ReluTeacherSurface.split_matrices
    off = 1e-4 * torch.eye(7, dtype=torch.float64)
    monkeypatch.setattr(ReluTeacherSurface, "split_matrices", lambda self, flat: right(self, flat) + off)
    assert split_identity.main(["--k", "7", "--replicates", "40"]) == 1
    assert capsys.readouterr().err == "split_identity: deviations above 1e-06 at k = 7\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--k", "6,x"], "expected whole numbers from 1 on, found 'x'"),
        (["--replicates", "0"], "expected whole numbers from 1 on, found '0'"),
        (["--k", "1"], "relu-teacher: expected k from 2 to 50, found k=1"),
    ],
)
def test_wrong_usage(split_identity, capsys, arguments, message):
    with pytest.raises(SystemExit) as ended:
        split_identity.main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.long
def test_the_identity_at_every_bad_minimum_of_1000_students(split_identity, capsys):
    assert split_identity.main(["--k", "6,7", "--replicates", "1000", "--land", "all"]) == 0
    identity, landing = capsys.readouterr().out.split("\n\n")
    six, seven = (line.split() for line in identity.splitlines()[-2:])
    assert six[:2] == ["6", "2"]
    assert seven[0] == "7"
    for k, row in ((6, six), (7, seven)):
        assert int(row[3]) == k * int(row[1])
        assert float(row[4]) < 1e-10
        assert int(row[5 + k - 1]) == int(row[3])
    assert "bad minimum of 0.022147" in landing
