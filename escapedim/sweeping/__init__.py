"""Plans of many runs: what is run, what is there, and how it is put on a laptop or a cluster."""
