"""Ours is a package, or that of a library which installs its own `tests` beside it would be taken for it."""
