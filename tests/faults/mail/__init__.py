"""A package of its own: its installation ends with its scenarios."""
