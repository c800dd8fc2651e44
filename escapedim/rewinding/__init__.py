"""What of a ticket makes it win: rewind points, retraining modes, complements, instability."""
