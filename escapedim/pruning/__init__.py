"""Iterative magnitude pruning: scores, masks, controls and the loop over rounds."""
