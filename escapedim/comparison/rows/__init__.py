"""Evidence rows: one module a row, from the results of a study to what was measured and what was predicted."""
