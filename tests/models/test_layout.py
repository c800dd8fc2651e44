import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from escapedim.models.layout import Layout

shapes = st.dictionaries(
    st.text("abc.", min_size=1, max_size=4), st.lists(st.integers(1, 4), max_size=3).map(tuple), min_size=1, max_size=4
)
SHAPES = {"layer1.weight": (2, 3), "layer1.bias": (2,)}


@settings(deadline=None)
@given(shapes, st.integers(1, 3))
def test_views_cover_every_column_once_in_order(shapes, members):
    layout = Layout(shapes)
    flat = torch.arange(members * layout.size).reshape(members, layout.size)
    views = layout.views(flat)
    assert {name: tuple(view.shape) for name, view in views.items()} == {n: (members, *s) for n, s in shapes.items()}
    for member in range(members):
        columns = torch.cat([view[member].flatten() for view in views.values()])
        assert torch.equal(columns, flat[member])


@settings(deadline=None)
@given(shapes)
def test_split_and_flatten_and_pack_undo_each_other(shapes):
    layout = Layout(shapes)
    row = np.arange(layout.size, dtype=np.float64)
    named = layout.split(row)
    assert {name: array.shape for name, array in named.items()} == shapes
    assert layout.flatten({name: torch.from_numpy(array.copy()) for name, array in named.items()}).tolist() == list(row)
    assert layout.pack(named, np.nan, row.dtype).tolist() == list(row)


def test_views_and_splits_share_memory_with_the_row():
    layout, flat = Layout(SHAPES), torch.zeros(2, 8)
    layout.views(flat)["layer1.bias"][1] = 7
    assert flat.tolist() == [[0] * 8, [0] * 6 + [7, 7]]
    layout.split(flat[0].numpy())["layer1.weight"][1, 2] = 5
    assert flat[0].tolist() == [0, 0, 0, 0, 0, 5, 0, 0]


@pytest.mark.parametrize(("default", "dtype"), [(True, bool), (0, np.float32)])
def test_pack_fills_what_is_not_named(default, dtype):
    named = {"layer1.weight": np.array([[1, 0, 1], [0, 1, 0]])}
    packed = Layout(SHAPES).pack(named, default, np.dtype(dtype))
    assert packed.dtype == dtype
    assert packed.tolist() == [1, 0, 1, 0, 1, 0, default, default]
