"""Simulated studies whose truth is known, and what `escapedim compare` says of them."""
