"""What is learned: data with its success criterion and its default recipe."""
