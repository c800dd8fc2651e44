from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escapedim.comparison.verdict import directed, verdict
from escapedim.records.comparison import Row

KEYS = ("isolation", "complement", "escape", "literal_tickets")


def row(key: str, tickets: float | None, escape: float | None, **more) -> Row:
    return Row(key=key, kind="directional", estimate=0.5, interval=None, unit="share", observations=10, sentence="Seen",
               p_tickets=tickets, p_escape=escape, **more)  # fmt: skip


DESCRIPTIVE = Row(
    key="counts", kind="descriptive", estimate=3.0, interval=None, unit="ratio", observations=0, sentence="s"
)


@pytest.mark.parametrize(
    ("tickets", "escape", "direction"),
    [
        (1e-6, 0.5, "escape"),
        (0.5, 1e-6, "tickets"),
        (1e-6, 1e-6, "neither"),
        (0.5, 0.5, "undecided"),
        (None, None, "undecided"),
        (1e-6, None, "escape"),
        (None, 1e-6, "tickets"),
        (0.004, 0.5, "undecided"),  # after Holm's correction
    ],
)
def test_a_direction_is_the_prediction_that_is_left(tickets, escape, direction):
    (found,) = directed([row("escape", tickets, escape)], 0.005)
    assert found.direction == direction
    assert {"escape": "escape dimensions is not rejected", "tickets": "lottery tickets is not rejected",
            "neither": "Neither prediction holds", "undecided": "Undecided"}[direction] in found.sentence  # fmt: skip


def test_the_prediction_that_is_left_must_be_shown():
    (found,) = directed([row("complement", 1e-9, 0.5, p_not_tickets=0.9, p_not_escape=0.2)], 0.005)
    assert found.direction == "undecided"
    assert "that escape dimensions are off by more than the margin is not rejected: p = 0.6" in found.sentence
    (found,) = directed([row("complement", 1e-9, 0.5, p_not_tickets=0.9, p_not_escape=1e-6)], 0.005)
    assert found.direction == "escape"
    assert "that it is off by more than the margin: p < 0.0001" in found.sentence
    (found,) = directed([row("complement", 1e-9, 1e-9, p_not_tickets=0.2, p_not_escape=0.2)], 0.005)
    assert found.direction == "neither"
    (found,) = directed([row("complement", 0.5, 1e-9, p_not_tickets=0.2, p_not_escape=1.0)], 0.005)
    assert found.direction == "undecided"


def test_rows_of_the_same_networks_are_said_to_be():
    rows = directed([row("isolation", 1e-9, 0.9), row("literal_tickets", 1e-9, 0.9)], 0.005)
    assert "isolation and literal_tickets are two readings of the same networks." in verdict(rows, 0.005).sentence
    rows = directed([row("isolation", 1e-9, 0.9), row("literal_tickets", 0.9, 0.9)], 0.005)
    assert "the same networks" not in verdict(rows, 0.005).sentence


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=4))
def test_correction_is_over_all_predictions_and_never_helps(pairs):
    rows = directed([row(key, *pair) for key, pair in zip(KEYS, pairs, strict=False)], 0.005)
    for found in rows:
        assert found.p_tickets_holm >= found.p_tickets
        assert found.p_escape_holm >= found.p_escape
    found = verdict(rows, 0.005)
    assert sum(found.directions.values()) == len(rows)


def test_descriptive_rows_have_no_part_in_it():
    rows = directed([DESCRIPTIVE, row("escape", 0.5, 0.5)], 0.005)
    assert rows[0] == DESCRIPTIVE.model_copy(update={"sentence": "s."})
    assert sum(verdict(rows, 0.005).directions.values()) == 1


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([(1e-9, 0.9), (0.9, 1e-9)], "The evidence is divided"),
        ([(1e-9, 0.9), (0.9, 0.9)], "What is decided speaks for escape dimensions, on this task"),
        ([(0.9, 1e-9), (1e-9, 1e-9)], "speaks for lottery tickets and speaks for neither elsewhere"),
        ([(1e-9, 1e-9)], "against both"),
        ([(0.9, 0.9)], "Nothing is decided"),
    ],
)
def test_the_verdict_says_no_more_than_the_rows(found, words):
    rows = directed([row(key, *pair) for key, pair in zip(KEYS, found, strict=False)], 0.005)
    made = verdict(rows, 0.005)
    assert words in made.sentence
    for one in rows:
        assert one.key in made.sentence
