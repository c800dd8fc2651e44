"""The engine: many members of one shape, trained as stacked tensors."""
