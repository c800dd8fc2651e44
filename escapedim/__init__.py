"""escapedim measures why wide neural networks train well: lottery tickets or escape dimensions."""

import os

__version__ = "0.2.0.dev0"

# Otherwise MKL chooses its kernels by the alignment of a member's weights, so that a member's last bits depend on its
# place in a stack. AUTO is as fast; it must be set before MKL's first product (MKL, conditional numerical
# reproducibility).
os.environ.setdefault("MKL_CBWR", "AUTO")
