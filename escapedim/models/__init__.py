"""Networks, each written for one network."""
