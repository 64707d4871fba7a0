"""A package, so that an installation ends with the last of its scenarios: its clock would sweep on beside the rest."""
