"""Rows of the benchmark: both sides of the comparison, their timing, and the tables."""
