"""Statistics and evidence."""
