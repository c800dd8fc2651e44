"""Images of 784 pixels in ten classes, with a border that is always 0 as that of MNIST's digits, or with none."""

from __future__ import annotations

from pathlib import Path

import numpy as np

SIDE = 28
BORDER = 4  # pixels that are always 0, as in MNIST
CLASSES = 10


def write_images(folder: Path, samples: int = 2000, border: int = BORDER) -> Path:
    """Write noisy images of drawn prototypes, and return the file."""
    rng = np.random.default_rng(0)
    inside = SIDE - 2 * border
    centres = rng.random((CLASSES, inside, inside)) < 0.3
    labels = np.arange(samples) % CLASSES
    images = np.zeros((samples, SIDE, SIDE), dtype=np.uint8)
    noisy = centres[labels] ^ (rng.random((samples, inside, inside)) < 0.1)
    images[:, border : SIDE - border, border : SIDE - border] = 255 * noisy
    folder.mkdir(exist_ok=True)
    path, held = folder / "images.npz", samples // 5
    np.savez(path, x_train=images[held:], y_train=labels[held:], x_test=images[:held], y_test=labels[:held])
    return path
