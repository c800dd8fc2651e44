"""Summaries as tables, plots and sentences in the terminal; knows nothing of torch."""
