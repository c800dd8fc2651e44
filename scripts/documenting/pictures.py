"""Holds a shown picture against a new one: a curve may move a little, and nothing may be gone or of another colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np

BLOCK = 48  # pixels, a fifth of an inch: what moves within it is in the same place
MOST = 0.5  # share of the ink that may be elsewhere: lines that move by a tenth of an inch are beyond it


def unlike(shown: Path, new: Path) -> str:
    """Return in a few words how two PNG files differ, or nothing: in black and grey, or in what is coloured."""
    one, other = _blocks(shown), _blocks(new)
    if any(abs(a - b) > 1 for a, b in zip(one.shape, other.shape, strict=True)):
        return f"{one.shape[1]} x {one.shape[0]} blocks are shown, {other.shape[1]} x {other.shape[0]} were drawn"
    rows, columns = (min(one.shape[axis], other.shape[axis]) for axis in (0, 1))
    for name, part in (("black", slice(0, 1)), ("colour", slice(1, 4))):
        shown_ink, new_ink = one[:rows, :columns, part], other[:rows, :columns, part]
        share = np.abs(shown_ink - new_ink).sum() / max(np.maximum(shown_ink, new_ink).sum(), 1e-9)
        if share > MOST:
            return f"{100 * share:.0f} % of the {name} is elsewhere"
    return ""


def _blocks(path: Path) -> np.ndarray:
    """Return what is not white, mean by block `(rows, columns, 4)`: the grey of it, and the rest of three colours."""
    from matplotlib.image import imread

    picture = np.asarray(imread(path), dtype=float)
    opaque = picture[..., 3:4] if picture.shape[-1] == 4 else 1.0
    ink = (1 - picture[..., :3]) * opaque
    grey = ink.min(-1, keepdims=True)
    parts = np.concatenate([grey, ink - grey], axis=-1)
    rows, columns = (length // BLOCK for length in parts.shape[:2])
    means: np.ndarray = parts[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK, 4).mean((1, 3))
    return means
