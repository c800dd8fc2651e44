import pytest

from escapedim.errors import BadInput
from escapedim.training.points import kept_steps, resolve_point, rewind_step

from .plain import toy

# steps of the run: kept by default (1 % of 30 is step 0; 2 % is 0.6; 5 % is 1.5, half to even)
KEPT = {
    1000: (0, 10, 20, 50, 100, 200, 500, 1000),
    30: (0, 1, 2, 3, 6, 15, 30),
    10: (0, 1, 2, 5, 10),
    1: (0, 1),
}


def recipe(steps: int = 1000):
    """23 samples in batches of 6: 3.83 steps an epoch."""
    return toy(steps=steps).recipe


@pytest.mark.parametrize("steps", KEPT)
def test_default_points_that_fall_together_are_one(steps):
    assert kept_steps((), recipe(steps)) == KEPT[steps]


def test_more_points_come_in_order_and_once():
    kept = kept_steps(("37it", "5ep", "50%", "end", "3%"), recipe())
    assert kept == (0, 10, 20, 30, 37, 50, 100, 200, 500, 1000)
    assert resolve_point("5ep", recipe()) == 20


@pytest.mark.parametrize("text", ["1001it", "200%", "262ep"])
def test_a_point_after_the_end_is_refused(text):
    step = {"1001it": "1,001", "200%": "2,000", "262ep": "1,005"}[text]
    for refuse in (lambda: kept_steps((text,), recipe()), lambda: rewind_step(text, recipe())):
        with pytest.raises(BadInput) as raised:
            refuse()
        message = f"the point {text} is step {step}, after the end of the run at 1,000; choose an earlier one."
        assert str(raised.value) == message


@pytest.mark.parametrize("text", ["end", "100%", "1000it"])
def test_the_end_can_be_kept_but_not_rewound_to(text):
    assert resolve_point(text, recipe()) == 1000
    with pytest.raises(BadInput) as raised:
        rewind_step(text, recipe())
    message = f"the rewind point {text} is the end of the run: nothing would be trained; choose an earlier one."
    assert str(raised.value) == message


def test_rewind_points():
    assert [rewind_step(text, recipe()) for text in ("init", "1%", "999it")] == [0, 10, 999]


def test_a_point_in_another_form_is_refused():
    with pytest.raises(BadInput, match=r"steps are written 500it .* found 'start'"):
        kept_steps(("start",), recipe())
