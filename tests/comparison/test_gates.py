from __future__ import annotations

import pytest

from escapedim.comparison.gates import parse_gate
from escapedim.errors import BadInput
from escapedim.records.comparison import Row

ROWS = [
    Row(key="effective_tickets", kind="descriptive", estimate=4.0, interval=None, unit="tickets", observations=9,
        sentence="s"),
    Row(key="escape", kind="directional", estimate=0.5, interval=None, unit="share", observations=9, sentence="s",
        direction="escape"),
    Row(key="counts", kind="descriptive", estimate=None, interval=None, unit="ratio", observations=0, sentence="s",
        direction="not measured"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "trips"),
    [
        ("effective_tickets>5", False),
        ("effective_tickets > 3.5", True),
        ("effective_tickets>=4", True),
        ("effective_tickets<4", False),
        ("effective_tickets<=4", True),
        ("effective_tickets==4", True),
        ("effective_tickets!=4e0", False),
        ("escape==escape", True),
        ("escape!=escape", False),
        ("escape == undecided", False),
        ("escape!=tickets", True),
        ("counts>0", False),
        ("counts<0", False),
        ("counts==not measured", True),
    ],
)
def test_a_gate_is_about_an_estimate_or_a_direction(text, trips):
    gate = parse_gate(text)
    assert gate.trips(ROWS) == trips
    assert gate.estimated(ROWS) == (not text.startswith("counts") or "measured" in text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("effective_tickets", "expected a condition such as"),
        ("effectiv_tickets>5", "did you mean 'effective_tickets'"),
        ("escape>tickets", "expected a number"),
        ("escape==maybe", "expected a number, or == and one of"),
        ("escape>nan", "expected a number"),
        ("escape>inf", "expected a number"),
        ("effective_tickets==tickets", "is a description and has no direction"),
        ("counts!=escape", "or one of the rows isolation, complement"),
        ("__import__('os')>1", "expected a condition"),
    ],
)
def test_other_conditions_are_refused(text, words):
    with pytest.raises(BadInput, match=words):
        parse_gate(text)
