"""The command line: options to experiment to summary to report; no numerics."""
