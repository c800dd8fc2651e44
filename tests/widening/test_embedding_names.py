from __future__ import annotations

import subprocess
import sys

import pytest

from escapedim.models.mlp import MLP
from escapedim.specs import Spec
from escapedim.widening.embedding_names import EMBEDDINGS, check_embedding
from escapedim.widening.embeddings import check


def test_every_name_can_be_used():
    for name, params in EMBEDDINGS.items():
        check_embedding(params)
        check(MLP((2, 3, 1), "tanh"), MLP((2, 4, 1), "tanh"), Spec(name, params))


@pytest.mark.parametrize("alpha", [float("nan"), float("inf"), -100.1, 101])
def test_shares_that_cancel_or_are_no_numbers_are_refused(alpha):
    with pytest.raises(ValueError, match="alpha must be from -100 to 100, found"):
        check_embedding({"alpha": alpha})


def test_names_need_no_torch():
    code = "import sys, escapedim.widening.embedding_names; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
