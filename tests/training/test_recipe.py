import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .plain import toy


@settings(deadline=None)
@given(st.integers(1, 5000), st.integers(1, 20))
def test_checkpoints_cut_the_run_into_equal_parts(steps, parts):
    points = toy(steps=steps).recipe.checkpoints(parts)
    assert points == tuple(sorted({-(-steps * part // parts) for part in range(1, parts + 1)}))
    assert points[-1] == steps
    assert points[0] >= 1
    gaps = [after - before for before, after in zip((0, *points), points, strict=False)]
    assert max(gaps) <= math.ceil(steps / parts)


@pytest.mark.parametrize(("batch", "steps"), [(23, 1.0), (10, 2.3), (1, 23.0)])
def test_an_epoch_is_as_many_steps_as_see_every_sample(batch, steps):
    assert toy(batch_size=batch).recipe.steps_per_epoch == pytest.approx(steps)
