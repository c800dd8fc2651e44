"""Seeds: every draw has its own, derived from what it is for.

A seed is the SHA-256 of (root seed, purpose, architecture, replicate, ...). So a member's draws do not depend on
its batch-mates, on the number of members or on the order in which they are trained, and two widths share no draw.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Generator


def derive_seed(root: int, purpose: str, architecture: str, replicate: int, *more: int | str) -> int:
    """Return a seed in [0, 2^63) for one purpose of one replicate."""
    text = json.dumps([root, purpose, architecture, replicate, *more])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def torch_generator(seed: int) -> Generator:
    """Return a torch generator on the CPU, whatever the device: CUDA members start from the same draws."""
    import torch

    return torch.Generator().manual_seed(seed)
