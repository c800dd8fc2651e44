"""Width: how success and endings depend on the number of units."""
