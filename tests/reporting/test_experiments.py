import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escapedim.records.summary import decode, encode
from escapedim.reporting.widen import SCREEN_LINES
from tests.reporting.conftest import text
from tests.reporting.experiment_cases import (
    certified,
    complement,
    default,
    escape,
    estimated,
    halving,
    isolation,
    on_teacher,
    restarts,
    share,
    tickets,
    transient,
)
from tests.reporting.widen_cases import digits, teacher, widen

EVERYTHING = {
    "isolation": [isolation(), isolation(16, sampled=True)],
    "complement": [complement(), complement(units=4, width=12)],
    "escape": [escape(5, 76, 33, 9), certified(6, 343, 331), escape(7, 0, 0, 0), certified(8, 1, 1, "saddle", by=2)],
    "transient": [transient(4, 91, 40, 6), transient(5, 0, 0, 0)],
    "restarts": [restarts(8), restarts(6, 2)],
    "step_halving": [halving(6), halving(7, changed=0)],
}
SUMMARIES = {
    "digits": digits(found=default()),
    "teacher": teacher(found=on_teacher()),
    "everything": digits(found=EVERYTHING),
    "no widths": widen([], found=EVERYTHING),
    "unfinished": digits(found=EVERYTHING, status="interrupted"),
}


@pytest.mark.parametrize("columns", [80, 100, 120])
@pytest.mark.parametrize("name", SUMMARIES)
def test_no_line_is_longer_than_the_width_and_nothing_is_empty(name, columns):
    report = text(SUMMARIES[name], columns)
    assert max(map(len, report.splitlines())) <= columns
    assert not re.search(r"\b(nan|inf|None)\b", report)
    assert "\n\n\n" not in report


def test_the_default_report_fits_on_two_screens():
    assert len(text(SUMMARIES["digits"], 100).splitlines()) <= 2 * SCREEN_LINES


def test_the_first_screen_is_that_of_the_widths_alone():
    alone, whole = (text(digits(found=found), 100).split("\n\n") for found in ({}, default()))
    assert whole[: len(alone) - 1] == alone[:-1]
    assert whole[-1] == alone[-1]


def test_the_order_of_the_sections():
    names = "Isolation|Complement|Escape|Transient width|Restarts|Step halving"
    found = re.findall(rf"^({names})( so far)?: [a-z0-9]", text(SUMMARIES["everything"], 100), re.MULTILINE)
    assert [name for name, _ in found] == names.split("|")
    assert not any(so_far for _, so_far in found)
    unfinished = re.findall(rf"^({names}) so far: ", text(SUMMARIES["unfinished"], 100), re.MULTILINE)
    assert unfinished == names.split("|")


def test_the_same_report_comes_from_the_file():
    summary = SUMMARIES["everything"]
    assert text(decode(encode(summary), "widen.json"), 80) == text(summary, 80)


COUNT = st.integers(0, 5000)
SHARES = st.tuples(COUNT, COUNT).map(lambda pair: share(min(pair), max(pair)))
NUMBER = st.floats(1e-9, 1e4) | st.just(0.0)
RATE = st.floats(0, 1)
ESTIMATES = st.just(estimated(None)) | st.lists(RATE, min_size=3, max_size=3).map(
    lambda found: estimated(sorted(found)[1], min(found), max(found))
)
INDEX = st.just(estimated(None)) | st.tuples(st.floats(-9e5, 9e5), NUMBER).map(
    lambda pair: estimated(pair[0], pair[0] - pair[1], pair[0] + pair[1])
)
PAIRS = st.fixed_dictionaries(
    {"both": COUNT, "first_only": COUNT, "second_only": COUNT, "neither": COUNT, "p": st.none() | RATE}
)
ENDINGS = st.sampled_from(["failed", "bad minimum", "saddle", "channel", "spiral"])
LANDINGS = st.lists(
    st.fixed_dictionaries({"ending": ENDINGS, "loss": st.none() | NUMBER, "members": COUNT}), max_size=4
)
JUDGED = st.sampled_from(["ending", "success"])
WIDTH = st.integers(1, 5000)
KIND = st.builds(tickets, st.integers(0, 30), ESTIMATES, st.dictionaries(st.sampled_from([0.1, 1.0, 3.0, 10.0]), RATE))
SIZES = st.lists(
    st.fixed_dictionaries({"units": WIDTH, "trained": COUNT, "there": COUNT, "winning": SHARES}), max_size=6
)
ISOLATIONS = st.fixed_dictionaries(
    {
        "width": WIDTH,
        "members": COUNT,
        "sizes": SIZES,
        "sampled": st.booleans(),
        "table": PAIRS,
        "wins_given_none": st.none() | SHARES,
        "fails_given_some": SHARES,
        "q": SHARES,
        "q_lit": SHARES,
    }
)
COMPLEMENTS = st.builds(
    complement,
    winners=KIND,
    losers=KIND,
    fresh=SHARES,
    index=INDEX,
    deterministic=st.booleans(),
    reason=st.sampled_from(["", "there are fewer than two tickets"]),
    rescaled=st.dictionaries(st.sampled_from(["hidden", "output"]), NUMBER),
)
SPREADS = st.lists(NUMBER, min_size=3, max_size=3).map(
    lambda found: dict(zip(("min", "median", "max"), sorted(found), strict=True))
)


def one_a_source(sources: int) -> dict[str, list]:
    losses = {f"loss_{when}": [0.1] * sources for when in ("before", "after", "noise_only")}
    return {"replicates": list(range(sources)), **losses}


ESCAPES = st.fixed_dictionaries(
    {
        "from_width": WIDTH,
        "to_width": WIDTH,
        "layer": st.integers(1, 2),
        "by": st.integers(1, 3),
        "embedding": st.sampled_from(["split", "zero-in"]),
        "alpha": st.none() | st.floats(-100, 100),
        "perturbation": st.sampled_from(["noise", "direction"]),
        "sources": COUNT,
        "source_ending": ENDINGS,
        "judged_by": JUDGED,
        "negative_directions": st.none() | SPREADS,
        "lambda_min": st.none() | NUMBER,
        "opened_gradient": st.none() | NUMBER,
        "escaped": st.none() | SHARES,
        "reached_global": SHARES,
        "landings": LANDINGS,
        "controls": st.fixed_dictionaries({"noise_only": SHARES, "fresh_narrow": SHARES, "fresh_wide": SHARES}),
        "against_noise": PAIRS,
        "critical": st.none() | st.booleans(),
        "reason": st.sampled_from(["", "there is no spectrum"]),
    }
).map(lambda found: found | one_a_source(found["sources"]))
RESTARTS = st.fixed_dictionaries(
    {
        "narrow": WIDTH,
        "width": WIDTH,
        "narrow_multiply_adds": NUMBER,
        "wide_multiply_adds": NUMBER,
        "k": st.floats(0, 1e12),
        "narrow_success": SHARES,
        "best_of_k": ESTIMATES,
        "wide_success": SHARES,
    }
)
TRANSIENTS = st.fixed_dictionaries(
    {
        "width": WIDTH,
        "by": st.integers(1, 3),
        "steps": COUNT,
        "sources": COUNT,
        "source_ending": ENDINGS,
        "judged_by": JUDGED,
        "merged": SHARES,
        "landings": LANDINGS,
        "noise_only": SHARES,
        "against_noise": PAIRS,
    }
)
COUNTED = st.dictionaries(ENDINGS, COUNT, max_size=4)
HALVINGS = st.fixed_dictionaries(
    {
        "width": WIDTH,
        "members": COUNT,
        "changed": SHARES,
        "table": PAIRS,
        "endings": COUNTED,
        "halved_endings": COUNTED,
    }
)
FOUND = {
    "isolation": ISOLATIONS,
    "complement": COMPLEMENTS,
    "escape": ESCAPES,
    "restarts": RESTARTS,
    "transient": TRANSIENTS,
    "step_halving": HALVINGS,
}


@pytest.mark.parametrize("name", FOUND)
@given(data=st.data(), columns=st.sampled_from([80, 100, 120]), status=st.sampled_from(["complete", "running"]))
@settings(max_examples=50, deadline=None)
def test_any_entries_have_a_report_that_keeps_the_width(name, data, columns, status):
    report = text(
        widen([], found={name: data.draw(st.lists(FOUND[name], min_size=1, max_size=3))}, status=status), columns
    )
    assert max(map(len, report.splitlines())) <= columns
    assert "None" not in report
