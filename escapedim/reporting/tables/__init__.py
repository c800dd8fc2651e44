"""Results as plain tables for papers and spreadsheets: numbers stay numbers, and nothing is left out or rounded."""
