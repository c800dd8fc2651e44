from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escapedim.errors import BadInput
from escapedim.training.steps import StepCount, parse_point, parse_steps

# text: (value, unit, steps at 21.55 steps an epoch in a run of 1,000)
TABLE = {
    "500it": (500, "it", 500),
    "0it": (0, "it", 0),
    "5e4it": (50_000, "it", 50_000),
    " 500 it ": (500, "it", 500),
    "2.0it": (2, "it", 2),
    "2ep": (2, "ep", 44),
    "0.5ep": (0.5, "ep", 11),
    "1ep": (1, "ep", 22),
    "1%": (1, "%", 10),
    "12.5%": (12.5, "%", 125),
    "100%": (100, "%", 1000),
    "0.24%": (0.24, "%", 2),
    "0.36%": (0.36, "%", 4),
}
POINTS = {"init": 0, "end": 1000, " init ": 0, "500it": 500, "2ep": 44, "1%": 10}

FORM = "steps are written 500it (steps), 2ep (epochs) or 1% (of the run), found {!r}."
REFUSED = {text: FORM.format(text) for text in ("", "500", "it", "-1it", "+1it", "1,5ep", "2epochs", "1 %it", "nan%")}
REFUSED |= {"0.5it": "a number of steps is whole, found '0.5it'; write 0it."}
REFUSED |= {"2.7it": "a number of steps is whole, found '2.7it'; write 3it."}


@pytest.mark.parametrize("text", TABLE)
def test_steps_are_read(text):
    value, unit, resolved = TABLE[text]
    assert parse_steps(text) == StepCount(value, unit)
    assert parse_steps(text).resolve(21.55, 1000) == resolved


@pytest.mark.parametrize("text", POINTS)
def test_points_are_read(text):
    assert parse_point(text).resolve(21.55, 1000) == POINTS[text]


@pytest.mark.parametrize("text", REFUSED)
def test_another_form_is_refused(text):
    with pytest.raises(BadInput) as raised:
        parse_steps(text)
    assert str(raised.value) == REFUSED[text]


@pytest.mark.parametrize("text", ["1e999it", "1e999ep", "1e999%"])
def test_a_number_without_end_is_refused(text):
    with pytest.raises(BadInput):
        parse_steps(text).resolve(10.0, 1000)


def test_a_share_needs_a_run_to_be_a_share_of():
    with pytest.raises(BadInput) as raised:
        parse_steps("1%").resolve(10.0)
    assert str(raised.value) == "1% needs a run to be a share of; write it as 500it or 2ep."


@settings(deadline=None)
@given(
    st.integers(0, 10**12).map(lambda count: f"{count}it")
    | st.tuples(st.integers(0, 10**9), st.integers(0, 9), st.sampled_from(["ep", "%"])).map(
        lambda parts: f"{parts[0] / 10 ** parts[1]:.9f}{parts[2]}"
    )
)
def test_the_text_of_a_count_reads_as_the_same_count(text):
    assert parse_steps(str(parse_steps(text))) == parse_steps(text)


@settings(deadline=None)
@given(st.integers(1, 60_000), st.integers(1, 500), st.integers(0, 100), st.booleans())
def test_epochs_are_as_many_steps_as_see_every_sample_so_often(samples, batch, epochs, whole):
    batch = min(batch, samples)
    epochs *= batch if whole else 1
    assert parse_steps(f"{epochs}ep").resolve(samples / batch) == ceil(Fraction(epochs * samples, batch))


def test_whole_epochs_of_the_digits_are_not_one_step_longer():
    assert parse_steps("30ep").resolve(1293 / 10) == 3879
