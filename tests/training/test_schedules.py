import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from escapedim.errors import BadInput
from escapedim.specs import parse_spec
from escapedim.training.schedules import SCHEDULES, make_schedule

TOTAL, PER_EPOCH = 40, 3.5


def factors(text: str, total: int = TOTAL) -> list[float]:
    schedule = make_schedule(parse_spec(text), total, PER_EPOCH)
    return [schedule(step) for step in range(total)]


def of_torch(make) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimizer)
    rates = []
    for _ in range(TOTAL):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return rates


def linear(steps: int):
    return lambda optimizer: lr_scheduler.LinearLR(optimizer, 1 / steps, total_iters=steps - 1)


def multistep(points: list[int], factor: float):
    return lambda optimizer: lr_scheduler.MultiStepLR(optimizer, points, factor)


CASES = {
    "constant": lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda _: 1.0),
    "cosine": lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, TOTAL),
    "step": multistep([20, 30], 0.1),
    "step:at=10it/25%/4ep,factor=0.3": multistep([10, 10, 14], 0.3),
    "step:at=90%": multistep([36], 0.1),
    "step:at=0it,factor=0.5": lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda _: 0.5),
    "constant:warmup=8it": linear(8),
    "constant:warmup=10%": linear(4),
    "constant:warmup=2ep": linear(7),
}


@pytest.mark.parametrize("text", CASES)
def test_schedules_are_those_of_torch(text):
    assert factors(text) == pytest.approx(of_torch(CASES[text]), abs=1e-12)


@pytest.mark.parametrize("shape", SCHEDULES)
@settings(deadline=None, max_examples=30)
@given(warmup=st.integers(0, TOTAL - 1))
def test_a_warm_up_multiplies_any_shape(shape, warmup):
    rise = [min(1.0, (step + 1) / warmup) if warmup else 1.0 for step in range(TOTAL)]
    product = [a * b for a, b in zip(factors(shape), rise, strict=True)]
    assert factors(f"{shape}:warmup={warmup}it") == pytest.approx(product, rel=1e-12)


@settings(deadline=None)
@given(st.integers(1, 300))
def test_cosine_starts_at_the_base_rate_falls_and_would_end_at_0(total):
    rates = factors("cosine", total)
    assert rates[0] == 1
    assert all(before > after > 0 for before, after in itertools.pairwise(rates))
    assert make_schedule(parse_spec("cosine"), total, 1.0)(total) == pytest.approx(0, abs=1e-15)
    assert rates == pytest.approx([math.cos(math.pi * step / (2 * total)) ** 2 for step in range(total)], abs=1e-12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("constant:warmup=40it", "a warm-up of 40 steps does not fit into a run of 40."),
        ("cosine:warmup=100%", "a warm-up of 40 steps does not fit into a run of 40."),
        ("step:warmup=12ep", "a warm-up of 42 steps does not fit into a run of 40."),
        ("step:at=50%/150%", "the rate would fall at step 60, not before the end of the run at 40; choose earlier"),
        ("step:at=40it", "the rate would fall at step 40, not before the end of the run at 40"),
        ("step:at=half", "steps are written 500it (steps), 2ep (epochs) or 1% (of the run), found 'half'."),
        ("step:factor=small", "expected a number for 'factor', found small"),
        ("cosine:at=5it", "expected a parameter of 'cosine', found at=5it"),
    ],
)
def test_what_does_not_fit_is_refused(text, message):
    with pytest.raises(BadInput) as raised:
        factors(text)
    assert message in str(raised.value)


def test_one_step_is_singular():
    with pytest.raises(BadInput, match=r"a warm-up of 1 step does not fit into a run of 1\."):
        factors("constant:warmup=1it", 1)
