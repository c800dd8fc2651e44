"""What `scripts/documentation.py` is made of."""
