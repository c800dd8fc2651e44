"""escapedim measures why wide neural networks train well: lottery tickets or escape dimensions."""

__version__ = "0.1.0"
