"""Run folders, atomic writing, checkpoints, provenance and summaries; knows nothing of torch."""
