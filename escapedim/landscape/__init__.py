"""Curvature, endings and the counting of critical subspaces."""
